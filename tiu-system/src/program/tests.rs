use super::*;
use crate::Hint;
use crate::progress::Cancel;
use std::io::Write;
use std::time::{Duration, Instant};

static SH: Program = Program { name: "sh", candidates: &["/nowhere/sh", "/bin/sh"], package: "dash" };
static NONE: Program = Program { name: "none", candidates: &["/nowhere/none"], package: "nothing" };

fn shell(script: &str) -> Run<'static> {
    Run::new(&SH).args(["-c", script])
}

#[test]
fn a_missing_program_names_its_package() {
    let error = Run::new(&NONE).output().unwrap_err();
    assert_eq!(error.to_string(), "none is not installed: looked for /nowhere/none");
    assert_eq!(error.hint().unwrap(), "install the package nothing");
}

#[test]
fn what_is_not_a_file_is_not_a_program() {
    static NULL: Program =
        Program { name: "null", candidates: &["/dev/null", "/proc/self"], package: "nothing" };
    assert!(matches!(Run::new(&NULL).output(), Err(RunError::Missing { .. })));
}

#[test]
fn a_failing_program_is_quoted_with_code_and_words() {
    let error = shell("echo out; echo err >&2; exit 3").output().unwrap_err();
    let text = error.to_string();
    assert!(text.contains("exit code 3"), "{text}");
    assert!(text.contains("stderr: err\n"), "{text}");
    assert!(text.ends_with("stdout: out"), "{text}");
}

#[test]
fn only_the_last_lines_are_quoted() {
    let text = shell("seq 100 >&2; exit 1").output().unwrap_err().to_string();
    assert!(text.contains("stderr: 81\n") && text.ends_with("stderr: 100"), "{text}");
    assert!(!text.contains("stderr: 80\n"), "{text}");
}

#[test]
fn hidden_arguments_are_in_no_message() {
    let error = shell("true secret; exit 1").hide_arguments().output().unwrap_err();
    assert_eq!(error.to_string(), "/bin/sh: exit code 1");
    assert!(!error.hint().unwrap().contains("secret"));
}

#[test]
fn control_characters_are_not_passed_on() {
    let error = shell(r"printf 'a\033[31mb\n'; exit 1").output().unwrap_err();
    assert!(!error.to_string().contains('\u{1b}'));
}

#[test]
fn a_hanging_program_is_killed_with_its_children() {
    let begin = Instant::now();
    let error = shell("sleep 60 & sleep 60").limit(Duration::from_millis(100)).output();
    assert!(matches!(error, Err(RunError::Timeout { .. })));
    assert!(begin.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_cancelled_program_is_killed() {
    let cancel = Cancel::new();
    cancel.cancel();
    assert!(matches!(shell("sleep 60").cancel(&cancel).output(), Err(RunError::Cancelled(_))));
}

#[test]
fn a_program_that_prints_much_does_not_block() {
    let output = shell("head -c 1000000 /dev/zero; echo").output().unwrap();
    assert_eq!(output.stdout.len(), 1_000_001);
}

#[test]
fn held_standard_input_stays_open() {
    let output = shell("timeout 0.2 cat; echo $?").hold_stdin().output().unwrap();
    assert_eq!(output.stdout.trim(), "124");
}

#[test]
fn the_environment_is_fixed_but_for_what_is_set() {
    let output = shell("env").env("SET", "1").output().unwrap();
    let mut names: Vec<&str> = output.stdout.lines().filter_map(|line| line.split('=').next()).collect();
    // The shell sets these itself.
    names.retain(|name| !["PWD", "SHLVL", "_", "OLDPWD"].contains(name));
    names.sort();
    assert_eq!(names, ["HOME", "LC_ALL", "PATH", "SET"]);
    let inherited = shell("echo $CARGO_MANIFEST_DIR").inherit_env().output().unwrap();
    assert_eq!(inherited.stdout.trim(), env!("CARGO_MANIFEST_DIR"));
}

#[test]
fn given_bytes_are_the_input_however_long() {
    assert_eq!(shell("wc -c").input(vec![b'x'; 3_000_000]).output().unwrap().stdout.trim(), "3000000");
    // Nobody reads them.
    shell("exit 0").input(vec![b'x'; 3_000_000]).output().unwrap();
}

#[test]
fn a_spawned_program_reads_while_we_write() {
    let mut running = shell("cksum; echo done >&2").spawn().unwrap();
    for _ in 0..100 {
        running.write_all(&[7; 65536]).unwrap();
    }
    let output = running.finish().unwrap();
    assert!(output.stdout.trim().ends_with(" 6553600"), "{output:?}");
    assert_eq!(output.stderr, "done\n");
}

#[test]
fn a_spawned_program_that_fails_says_why() {
    let mut running = shell("echo broken >&2; exit 7").spawn().unwrap();
    let mut written = Ok(());
    while written.is_ok() {
        written = running.write_all(&[0; 65536]);
    }
    let text = running.finish().unwrap_err().to_string();
    assert!(text.contains("exit code 7") && text.ends_with("stderr: broken"), "{text}");
}

#[test]
fn a_spawned_program_is_bounded_in_time_and_by_a_cancellation_once_its_input_ended() {
    let begin = Instant::now();
    let late = shell("sleep 60").limit(Duration::from_millis(50)).spawn().unwrap().finish();
    assert!(matches!(late, Err(RunError::Timeout { .. })), "{late:?}");
    let cancel = Cancel::new();
    let running = shell("sleep 60").cancel(&cancel).spawn().unwrap();
    cancel.cancel();
    assert!(running.finish().unwrap_err().is_cancelled());
    assert!(begin.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_spawned_program_that_is_dropped_is_killed_with_its_children() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pids");
    let script = format!("sleep 60 & echo $! $$ > {0}.new; mv {0}.new {0}; wait", file.display());
    let running = shell(&script).spawn().unwrap();
    while !file.exists() {
        std::thread::sleep(Duration::from_millis(10));
    }
    drop(running);
    for pid in std::fs::read_to_string(&file).unwrap().split_whitespace() {
        // The child of the child ends a little later, and is reaped by whoever is process 1 here,
        // if at all.
        let status = || std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let ended = || status().is_empty() || status().contains("State:\tZ");
        let begin = Instant::now();
        while !ended() {
            assert!(begin.elapsed() < Duration::from_secs(10), "{}", status());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// A child that has left the group of its parent, and with it what a kill of the group reaches.
const STRAY: &str = "import os, time\nif os.fork() == 0:\n os.setsid()\n time.sleep(30)";
static PYTHON: Program = Program { name: "python3", candidates: &["/usr/bin/python3"], package: "python3" };

#[test]
fn a_child_that_keeps_the_output_open_does_not_hold_the_caller() {
    let begin = Instant::now();
    let output = shell("echo done; sleep 60 &").limit(Duration::from_millis(300)).output().unwrap();
    assert_eq!(output.stdout, "done\n");
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    // Not even with a long limit.
    shell("sleep 60 &").output().unwrap();
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
}

#[test]
fn a_child_that_left_the_group_does_not_hold_the_caller() {
    let begin = Instant::now();
    let run = Run::new(&PYTHON).args(["-c", STRAY]).limit(Duration::from_millis(500));
    run.output().unwrap();
    let late = Run::new(&PYTHON).arg("-c").arg(format!("{STRAY}\ntime.sleep(30)"));
    let late = late.limit(Duration::from_millis(500)).output();
    assert!(matches!(late, Err(RunError::Timeout { .. })), "{late:?}");
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
}

#[test]
fn children_that_are_left_behind_are_killed() {
    let output = shell("sleep 61 & echo $!").limit(Duration::from_millis(200)).output().unwrap();
    let pid = output.stdout.trim();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    assert!(status.is_empty() || status.contains("State:\tZ"), "{status}");
}

#[test]
fn a_child_that_never_stops_printing_does_not_hold_the_caller() {
    let begin = Instant::now();
    let stray = "import os\nif os.fork() == 0:\n os.setsid()\n while True: os.write(1, b'y' * 4096)";
    Run::new(&PYTHON).args(["-c", stray]).limit(Duration::from_millis(300)).output().unwrap();
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
}

#[test]
fn a_cancellation_does_not_wait_for_children_that_are_left_behind() {
    let cancel = Cancel::new();
    let begin = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(300));
            cancel.cancel();
        });
        shell("sleep 60 &").cancel(&cancel).output().unwrap();
    });
    assert!(begin.elapsed() < Duration::from_secs(4), "{:?}", begin.elapsed());
}

#[test]
fn a_program_that_does_not_read_its_input_is_killed_at_the_limit() {
    let begin = Instant::now();
    let mut running = shell("sleep 60").limit(Duration::from_millis(300)).spawn().unwrap();
    let written = (0..100).try_for_each(|_| running.write_all(&[0; 65536]));
    assert_eq!(written.unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
    let late = running.finish();
    assert!(matches!(late, Err(RunError::Timeout { .. })), "{late:?}");
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
}

#[test]
fn a_child_that_keeps_the_input_open_does_not_hold_the_writer() {
    let begin = Instant::now();
    let mut running = shell("exec 3<&0; sleep 60 <&3 & exit 5").spawn().unwrap();
    let written = (0..100).try_for_each(|_| running.write_all(&[0; 65536]));
    assert_eq!(written.unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
    assert!(matches!(running.finish(), Err(RunError::Failed { .. })));
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
}

#[test]
fn a_cancellation_while_the_caller_writes_is_a_cancellation() {
    let cancel = Cancel::new();
    let mut running = shell("sleep 60").cancel(&cancel).spawn().unwrap();
    let written = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(200));
            cancel.cancel();
        });
        (0..100).try_for_each(|_| running.write_all(&[0; 65536]))
    });
    assert!(written.is_err());
    assert!(running.finish().unwrap_err().is_cancelled());
}
