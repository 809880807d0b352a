//! Tests of crash safety: `tiu apply` through its real command line on loopback hosts with real
//! snapper, and everything that can go wrong around it. docs/internals/crash-safety.md lists the
//! claims that a distributor can rely on; each of them is a scenario here.
//!
//! This is a program and not a `cargo test`, because its runs are many, random and long. It prints
//! its seed, accepts it as an option, and reports counts of what it did.
#![forbid(unsafe_code)]

mod boot;
mod clock;
mod facts;
mod kill;
mod power;
mod run;
mod scene;
mod settings;
mod signals;
mod source;
mod space;
mod together;
mod undo;

use clap::Parser;
use scene::Setup;
use settings::Settings;
use std::process::ExitCode;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Kills, power cuts, full disks and the like in the middle of `tiu apply`
///
/// Needs root, btrfs-progs, snapper and loop devices.
#[derive(Parser)]
#[command(after_help = "Example:
  crash --seed 7 --runs 200 kill")]
struct Cli {
    /// Scenarios to run; default: all
    scenarios: Vec<String>,
    /// Full sizes: at least 500 kills, 100 power cuts, 200 updates in a row
    #[arg(long)]
    long: bool,
    /// Number of repetitions of the scenario, instead of its default
    #[arg(long, value_name = "N")]
    runs: Option<usize>,
    /// Seed of the random moments; printed by each run
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// The hosts' `reuse`
    #[arg(long, value_name = "GROUND", default_value = "proved", value_parser = ["hashed", "proved"])]
    reuse: String,
    /// Lists the scenarios
    #[arg(long)]
    list: bool,
}

/// Runs to its end or panics; gives what it did, in one line.
type Scenario = fn(&Settings, &Setup) -> String;

const SCENARIOS: &[(&str, Scenario)] = &[
    ("kill", kill::run),
    ("boot", boot::run),
    ("power", power::run),
    ("signals", signals::run),
    ("space-before", space::before),
    ("space-during", space::during),
    ("source", source::run),
    ("two", together::two_runs),
    ("snapper-cleanup", together::cleanup),
    ("many", together::many),
    ("clock", clock::run),
    ("undo", undo::run),
];

fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.list {
        SCENARIOS.iter().for_each(|(name, _)| println!("{name}"));
        return ExitCode::SUCCESS;
    }
    if let Some(unknown) = cli.scenarios.iter().find(|name| !SCENARIOS.iter().any(|(known, _)| known == name))
    {
        eprintln!("crash: no scenario {unknown:?} (see --list)");
        return ExitCode::from(2);
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_micros() as u64);
    let settings = Settings { long: cli.long, runs: cli.runs, seed: cli.seed.unwrap_or(now % 1_000_000_007) };
    println!("seed {} (again: --seed {0})", settings.seed);
    let began = Instant::now();
    let setup = Setup::new(&cli.reuse);
    println!("a host and two bundles made ({:.1} s)", began.elapsed().as_secs_f64());
    let mut failed = Vec::new();
    for (name, scenario) in SCENARIOS {
        if !cli.scenarios.is_empty() && !cli.scenarios.iter().any(|wanted| wanted == name) {
            continue;
        }
        let began = Instant::now();
        // Unwinding runs the guards: nothing stays mounted after a failure either.
        match std::panic::catch_unwind(|| scenario(&settings, &setup)) {
            Ok(said) => println!("{name}: {said} ({:.1} s)", began.elapsed().as_secs_f64()),
            Err(_) => {
                println!("{name}: FAILED ({:.1} s)", began.elapsed().as_secs_f64());
                failed.push(*name);
            }
        }
    }
    if failed.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("failed: {} (seed {})", failed.join(", "), settings.seed);
    ExitCode::FAILURE
}
