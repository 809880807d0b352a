//! Outputs are judged after the change: where standard output or standard error cannot be written,
//! the exit code still says what happened to the host.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::process::{Command, Stdio};
use tiu_testing::host::LoopHost;
use tiu_testing::kit::Kit;

/// A file that is always full.
fn full() -> File {
    OpenOptions::new().write(true).open("/dev/full").unwrap()
}

/// A pipe that nobody reads.
fn abandoned() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

fn command<'a>(host: &LoopHost, arguments: impl IntoIterator<Item = &'a OsStr>) -> Command {
    let mut arguments = arguments.into_iter();
    let mut command = host.command(arguments.next().unwrap().to_str().unwrap());
    command.args(arguments);
    command
}

/// Runs it with a full standard output. Asserts the exit code, and that a warning names the cause.
fn judged(host: &LoopHost, arguments: &[&str], code: i32) {
    let output = command(host, arguments.iter().map(OsStr::new)).stdout(full()).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
    let warning =
        "tiu: warning: writing the output: No space left on device (os error 28); the work itself is done";
    assert!(stderr.contains(warning), "{arguments:?}: {stderr}");
}

#[test]
fn a_change_with_a_full_standard_output_is_done() {
    let kit = Kit::new();
    let mut host = kit.host();
    host.tiu("apply", [kit.bundle(1, |_| {})]).succeeded();
    host.reboot();
    host.edit(2, |root| std::fs::write(root.join("etc/app.conf"), "mine\n").unwrap());
    let bundle = kit.bundle(2, |root| std::fs::write(root.join("etc/app.conf"), "colour=red\n").unwrap());
    judged(&host, &["apply", "--json", bundle.to_str().unwrap()], 0);
    assert_eq!(host.default(), 3);
    judged(&host, &["pin", "2"], 0);
    judged(&host, &["pin", "--remove", "2"], 0);
    judged(&host, &["etc", "keep", "/etc/app.conf"], 0);
    judged(&host, &["etc", "reset", "/etc/app.conf"], 0);
    judged(&host, &["etc", "reset", "/etc/app.conf"], 77);
    judged(&host, &["rollback", "2"], 0);
    assert_eq!(host.default(), 2);
    judged(&host, &["cleanup"], 77);
}

#[test]
fn a_reader_that_left_is_named() {
    let kit = Kit::new();
    let host = kit.host();
    let bundle = kit.bundle(1, |_| {});
    let arguments = ["apply".as_ref(), bundle.as_os_str()];
    let output = command(&host, arguments).stdout(abandoned()).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(stderr.contains("tiu: warning: writing the output: Broken pipe (os error 32)"), "{stderr}");
    assert_eq!(host.default(), 2);
}

#[test]
fn a_plan_that_cannot_be_written_is_an_error() {
    let kit = Kit::new();
    let host = kit.host();
    let bundle = kit.bundle(1, |_| {});
    let arguments = ["apply".as_ref(), "--dry-run".as_ref(), bundle.as_os_str()];
    let output = command(&host, arguments).stdout(full()).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(host.snapshots(), [1]);
}

#[test]
fn an_update_ends_with_0_whatever_becomes_of_its_outputs() {
    let kit = Kit::new();
    let mut host = kit.host();
    let streams: [fn(&mut Command); 2] = [
        |command| {
            command.stdout(full()).stderr(full());
        },
        |command| {
            command.stdout(abandoned()).stderr(abandoned());
        },
    ];
    for (streams, version) in streams.into_iter().zip(1..) {
        let bundle = kit.bundle(version, |_| {});
        let arguments = ["apply".as_ref(), "-vv".as_ref(), bundle.as_os_str()];
        let mut command = command(&host, arguments);
        streams(&mut command);
        assert_eq!(command.status().unwrap().code(), Some(0), "version {version}");
        assert_eq!(host.default(), version + 1);
        host.reboot();
    }
}

#[test]
fn closed_outputs_do_not_stop_an_update() {
    let kit = Kit::new();
    let host = kit.host();
    let bundle = kit.bundle(1, |_| {});
    let tiu = command(&host, ["apply".as_ref(), bundle.as_os_str()]);
    let mut shell = Command::new("sh");
    shell.arg("-c").arg("exec \"$@\" >&- 2>&-").arg("sh").arg(tiu.get_program()).args(tiu.get_args());
    assert_eq!(shell.status().unwrap().code(), Some(0));
    assert_eq!(host.default(), 2);
}
