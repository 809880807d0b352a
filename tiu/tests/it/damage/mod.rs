//! Generated damage: each file that a host needs, damaged in each way, met by each command.
//!
//! A command heals the damage, or refuses, names the file and changes nothing. It never waits
//! without end and never panics. After the obvious repair the update works, and after an update
//! that healed, the next one has nothing to do and verify is content.
//!
//! By default, each file meets some damages, and all files together meet all of them.
//! `TIU_TEST_LONG=1` runs every combination.

mod bench;
mod files;

use bench::{Bench, damage, is_long, repair};
use files::{ACCOUNTS, CONFIGURATION, DAMAGES, Damage, File, SNAPSHOTS, STATE, SYSTEM};
use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use tiu_testing::host::LoopHost;

/// The result of a command.
struct Answer {
    code: i32,
    text: String,
}

/// Runs a command and checks what holds for all of them; `failures` gets what does not.
fn ask(host: &LoopHost, file: &File, arguments: &[&OsStr], failures: &mut Vec<String>) -> Answer {
    let before = (host.default(), host.snapshots());
    let program = tiu_testing::program::path("tiu");
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5".as_ref(), "60".as_ref(), program.as_os_str()]).args(arguments);
    command.arg("--root").arg(host.root());
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    let text = text.into_owned();
    let code = output.status.code().unwrap_or(-1);
    let shown = arguments.iter().map(|argument| argument.to_string_lossy()).collect::<Vec<_>>().join(" ");
    let mut fail = |what: &str| failures.push(format!("`tiu {shown}` {what} (exit code {code}):\n{text}"));
    if matches!(code, 124 | 137) {
        fail("does not end");
    }
    if !matches!(code, 0 | 1 | 77 | 124 | 137) || text.contains("panicked") {
        fail("breaks");
    }
    if code == 1 {
        let name = Path::new(file.path).file_name().unwrap().to_str().unwrap();
        if !std::iter::once(&name).chain(file.names).any(|name| text.contains(name)) {
            fail("refuses without the name of the file");
        }
        // verify and diff say that something differs.
        if !text.contains("error: ") || !text.contains("hint: ") {
            fail("refuses without an error and a hint");
        }
        if before != (host.default(), host.snapshots()) {
            fail("refuses and changes something");
        }
    }
    Answer { code, text }
}

/// Runs all commands on a host with one damaged file.
fn case(bench: &Bench, file: &File, how: Damage) -> Vec<String> {
    let mut failures = Vec::new();
    let host = bench.copy();
    if !damage(bench, &host, file, how) {
        return failures;
    }
    let second = bench.second.as_os_str();
    let words = |line: &'static str| line.split(' ').map(OsStr::new).collect::<Vec<_>>();
    for line in ["status", "list", "verify", "diff 1 2", "etc diff", "pin 1", "cleanup"] {
        ask(&host, file, &words(line), &mut failures);
    }
    let dry = ask(&host, file, &["apply".as_ref(), "--dry-run".as_ref(), second], &mut failures);
    let apply = ask(&host, file, &["apply".as_ref(), second], &mut failures);
    if (dry.code == 0) != (apply.code == 0) {
        failures
            .push(format!("a dry run ends with {}, apply with {}:\n{}", dry.code, apply.code, apply.text));
    }
    if file.heals && apply.code != 0 {
        failures.push(format!("the update does not heal it:\n{}", apply.text));
    }
    if apply.code != 0 {
        repair(bench, &host, file);
        let apply = ask(&host, file, &["apply".as_ref(), second], &mut failures);
        if apply.code != 0 {
            failures.push(format!("after the repair, the update ends with {}:\n{}", apply.code, apply.text));
            return failures;
        }
    }
    let keyring = bench.kit.keyring();
    let trusted = ["--keyring".as_ref(), keyring.as_os_str()];
    let clean = ask(&host, file, &["verify".as_ref(), trusted[0], trusted[1]], &mut failures);
    if clean.code != 0 {
        failures.push(format!("after the update, verify ends with {}:\n{}", clean.code, clean.text));
    }
    let again = ask(&host, file, &["apply".as_ref(), second], &mut failures);
    // A damaged tiu.yaml or keyring is the host's, and stays as it is.
    if again.code != 77 {
        failures.push(format!("a second update ends with {}:\n{}", again.code, again.text));
    }
    drop(host);
    if !is_long() {
        return failures;
    }
    // Commands that make snapshots of the damaged one, or leave it.
    for line in ["etc reset /etc/app.conf", "rollback --force 1"] {
        let host = bench.copy();
        damage(bench, &host, file, how);
        ask(&host, file, &words(line), &mut failures);
    }
    failures
}

/// Damages each of `files`. The `offset`s of the tests differ, so that together they have each
/// damage.
fn damage_all(files: &[File], offset: usize) {
    let bench = Bench::new(files);
    let mut failures = Vec::new();
    for (i, file) in files.iter().enumerate() {
        for (k, how) in DAMAGES.into_iter().enumerate() {
            // Three damages of each file, the next file's follow.
            let is_chosen = (k + DAMAGES.len() * 9 - offset - 3 * i) % DAMAGES.len() < 3;
            if is_long() || is_chosen {
                let found = case(&bench, file, how);
                failures.extend(found.into_iter().map(|what| format!("== {} {how:?}: {what}", file.path)));
            }
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn damaged_files_of_tiu_s_own() {
    damage_all(&STATE, 0);
}

#[test]
fn damaged_files_of_the_image() {
    damage_all(&SYSTEM, 8);
}

#[test]
fn damaged_configuration() {
    damage_all(&CONFIGURATION, 2);
}

#[test]
fn damaged_accounts() {
    damage_all(&ACCOUNTS, 5);
}

#[test]
fn damaged_files_beside_the_snapshots() {
    damage_all(&SNAPSHOTS, 0);
}
