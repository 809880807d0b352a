//! The units of snapper-hooks/systemd that follow the boot loader and mark what runs as good, in a
//! boot with checks that come after multi-user.target.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tiu_testing::tree;

const UNITS: [&str; 2] = ["tiu-boot.service", "tiu-mark-good.service"];

/// A system with systemd's own units and the two, enabled, and a check that a boot needs.
fn system(change: impl Fn(&str, String) -> String) -> tempfile::TempDir {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../snapper-hooks/systemd");
    let root = tempfile::tempdir().unwrap();
    let units = root.path().join("usr/lib/systemd/system");
    fs::create_dir_all(units.parent().unwrap()).unwrap();
    let copied = Command::new("cp").args(["-a", "/lib/systemd/system"]).arg(&units).status().unwrap();
    assert!(copied.success(), "install the package systemd");
    tree::script(root.path(), "usr/bin/tiu", "#!/bin/sh\n");
    for name in UNITS {
        let text = fs::read_to_string(folder.join(name)).unwrap();
        fs::write(units.join(name), change(name, text)).unwrap();
    }
    tree::file(
        root.path(),
        "usr/lib/systemd/system/check.service",
        "[Unit]\nAfter=multi-user.target\nBefore=boot-complete.target\n[Service]\nType=oneshot\n\
         ExecStart=/usr/bin/tiu status\n[Install]\nRequiredBy=boot-complete.target\n",
    );
    for name in UNITS.into_iter().chain(["check.service"]) {
        let mut systemctl = Command::new("systemctl");
        let enabled = systemctl.arg("--root").arg(root.path()).args(["enable", name]).output().unwrap();
        assert!(enabled.status.success(), "{}", String::from_utf8_lossy(&enabled.stderr));
    }
    root
}

/// Returns what systemd says about a boot into multi-user.target, as far as it is about the units.
fn complaints(root: &Path) -> String {
    let output = Command::new("systemd-analyze")
        .args(["verify", "--man=no", "--recursive-errors=yes"])
        .arg(format!("--root={}", root.display()))
        .args(["multi-user.target", "boot-complete.target"])
        .args(UNITS)
        .output()
        .expect("systemd-analyze does not start: install the package systemd");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let ours = |line: &&str| ["tiu-", "check.service", "cycle"].iter().any(|word| line.contains(word));
    text.lines().filter(ours).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_boot_with_checks_reaches_the_mark_without_an_ordering_cycle() {
    let root = system(|_, text| text);
    assert_eq!(complaints(root.path()), "");
    let wants = |target: &str, unit: &str| -> PathBuf {
        root.path().join(format!("etc/systemd/system/{target}.wants/{unit}"))
    };
    // The place by which an update knows that an image says when a boot succeeded.
    assert!(wants("basic.target", UNITS[1]).is_symlink());
    assert!(wants("multi-user.target", UNITS[0]).is_symlink());
}

/// The faults that the test above is for are found.
#[test]
fn an_ordering_cycle_and_a_wrong_key_are_found() {
    let cycle = system(|name, text| match name {
        "tiu-mark-good.service" => {
            text.replace("DefaultDependencies=no\n", "").replace("basic.target", "multi-user.target")
        }
        _ => text,
    });
    assert!(complaints(cycle.path()).contains("cycle"), "{}", complaints(cycle.path()));
    let wrong = system(|_, text| text.replace("SuccessExitStatus=", "SuccesExitStatus="));
    assert!(complaints(wrong.path()).contains("SuccesExitStatus"), "{}", complaints(wrong.path()));
}
