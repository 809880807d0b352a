//! Mutates the seeds of the fuzz targets for some seconds, each target in a process of its own with
//! bounded memory.
#![forbid(unsafe_code)]

use clap::Parser;
use rustix::process::{Resource, Rlimit, setrlimit};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, exit};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tiu_fuzzing::{Mutator, TARGETS, Target, seeds};

/// The address space of a target's process, in bytes. An input of at most a few kilobytes must not
/// need more.
const MEMORY: u64 = 1 << 30;
/// An input that takes longer than this has no bounded time, on the slowest machine.
const HANG: Duration = Duration::from_secs(60);
/// The largest input, in bytes.
const MAX_SIZE: usize = 64 << 10;

/// Mutates the seeds of the fuzz targets.
///
/// Fails if a target panics, needs more than 1 GiB, or does not return. The input is kept, and can
/// be run again with --input.
///
/// Example: cargo run -p tiu-fuzzing -- --seconds 60 squashfs
#[derive(Parser)]
struct Arguments {
    /// The targets (all without this)
    targets: Vec<String>,
    /// Time for each target
    #[arg(long, default_value_t = 2)]
    seconds: u64,
    /// Number of the first input
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Run the targets on this file only
    #[arg(long)]
    input: Option<PathBuf>,
    /// Directory for an input that fails
    #[arg(long, default_value = "target/fuzz")]
    failures: PathBuf,
    /// Run one target in this process
    #[arg(long, hide = true)]
    inside: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut chosen: Vec<&Target> = Vec::new();
    for target in TARGETS {
        if arguments.targets.is_empty() || arguments.targets.iter().any(|name| name == target.name) {
            chosen.push(target);
        }
    }
    if let Some(unknown) =
        arguments.targets.iter().find(|name| !TARGETS.iter().any(|target| target.name == **name))
    {
        eprintln!("fuzz: no target {unknown}");
        return ExitCode::from(2);
    }
    if arguments.inside {
        for target in chosen {
            run_inside(target, &arguments);
        }
        return ExitCode::SUCCESS;
    }
    let failed = chosen.iter().filter(|target| !run(target, &arguments)).count();
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs a target in a process of its own. Returns whether it passed.
fn run(target: &Target, arguments: &Arguments) -> bool {
    let program = std::env::current_exe().expect("this program has a path");
    fs::create_dir_all(&arguments.failures).expect("the directory for failures can be made");
    let mut child = Command::new(program);
    child.args(["--inside", target.name, "--failures"]).arg(&arguments.failures);
    child.args(["--seconds", &arguments.seconds.to_string(), "--first", &arguments.first.to_string()]);
    if let Some(input) = &arguments.input {
        child.arg("--input").arg(input);
    }
    let status = child.status().expect("this program can be run");
    if !status.success() {
        println!("{}: FAILED ({status}): {}", target.name, current(target, &arguments.failures).display());
    }
    status.success()
}

/// The file that holds the input being checked: a process that is killed leaves it.
fn current(target: &Target, failures: &Path) -> PathBuf {
    failures.join(format!("{}.input", target.name))
}

fn run_inside(target: &'static Target, arguments: &Arguments) {
    let limit = Rlimit { current: Some(MEMORY), maximum: Some(MEMORY) };
    setrlimit(Resource::As, limit).expect("memory can be limited");
    if let Some(input) = &arguments.input {
        let accepted = (target.check)(&fs::read(input).expect("the input can be read"));
        println!("{}: {}", target.name, if accepted { "accepted" } else { "refused" });
        return;
    }
    let seeds = seeds(target.name).expect("the seeds can be read");
    let mutator = Mutator::new(&seeds, target.words, MAX_SIZE);
    static DONE: AtomicU64 = AtomicU64::new(0);
    thread::spawn(|| watch(&DONE));
    let file = current(target, &arguments.failures);
    let began = Instant::now();
    let mut accepted = 0u64;
    let mut number = arguments.first;
    // At least this many, however slow the machine is.
    while began.elapsed().as_secs() < arguments.seconds || number - arguments.first < 200 {
        let input = mutator.input(number);
        fs::write(&file, &input).expect("the input can be kept");
        accepted += u64::from((target.check)(&input));
        number += 1;
        DONE.fetch_add(1, Ordering::Relaxed);
    }
    let _ = fs::remove_file(&file);
    let count = number - arguments.first;
    println!("{}: {count} inputs, {accepted} accepted, {:.1} s", target.name, began.elapsed().as_secs_f64());
}

/// Ends the process when no input is done for a long time.
fn watch(done: &AtomicU64) {
    loop {
        let before = done.load(Ordering::Relaxed);
        thread::sleep(HANG);
        if done.load(Ordering::Relaxed) == before {
            eprintln!("no result after {} s", HANG.as_secs());
            exit(1);
        }
    }
}
