//! The units in snapper-hooks/systemd, as systemd reads them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tiu_testing::tree;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../snapper-hooks/systemd")
}

/// A system in which the units and the programs that they run are installed.
fn installed() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let units = root.path().join("usr/lib/systemd/system");
    fs::create_dir_all(units.parent().unwrap()).unwrap();
    let copied = Command::new("cp").args(["-a", "/lib/systemd/system"]).arg(&units).status().unwrap();
    assert!(copied.success(), "install the package systemd");
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        if path.metadata().unwrap().permissions().mode() & 0o111 == 0 {
            fs::copy(&path, units.join(name)).unwrap();
        } else {
            tree::script(root.path(), &format!("usr/lib/tiu/{}", name.to_str().unwrap()), "#!/bin/sh\n");
        }
    }
    tree::script(root.path(), "usr/bin/tiu", "#!/bin/sh\n");
    tree::script(root.path(), "bin/sleep", "#!/bin/sh\n");
    root
}

/// The complaints of `systemd-analyze verify` about one unit.
fn verify(root: &Path, unit: &str) -> String {
    let output = Command::new("systemd-analyze")
        .args(["verify", "--man=no", "--recursive-errors=no"])
        .arg(format!("--root={}", root.display()))
        .arg(unit)
        .output()
        .expect("systemd-analyze does not start: install the package systemd");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { text } else { text + "failed" }
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    let root = installed();
    let names: Vec<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".service") || name.ends_with(".timer"))
        // A template is checked as an instance of it.
        .map(|name| name.replace("@.", "@sda1."))
        .collect();
    assert!(names.len() >= 4, "{names:?}");
    for name in names {
        assert_eq!(verify(root.path(), &name), "", "{name}");
    }
    // The check finds what it is for.
    let unit = root.path().join("usr/lib/systemd/system/tiu-update.service");
    let text = fs::read_to_string(&unit).unwrap();
    fs::write(&unit, text.replace("IOWeight=", "IOWeigth=")).unwrap();
    assert!(verify(root.path(), "tiu-update.service").contains("IOWeigth"));
}

/// The exit code of `not-metered` if busctl prints `answer`, or fails.
fn not_metered(answer: Option<&str>) -> Option<i32> {
    let programs = tempfile::tempdir().unwrap();
    let script = match answer {
        Some(answer) => format!("#!/bin/sh\necho '{answer}'\n"),
        None => "#!/bin/sh\nexit 1\n".to_owned(),
    };
    tree::script(programs.path(), "busctl", &script);
    let path = format!("{}:/usr/bin:/bin", programs.path().display());
    Command::new(folder().join("not-metered")).env("PATH", path).status().unwrap().code()
}

#[test]
fn a_metered_connection_is_not_used() {
    for metered in ["u 1", "u 3"] {
        assert_eq!(not_metered(Some(metered)), Some(1), "{metered}");
    }
    for free in [Some("u 0"), Some("u 2"), Some("u 4"), Some(""), None] {
        assert_eq!(not_metered(free), Some(0), "{free:?}");
    }
}

/// The relative paths of all files below `folder`.
fn files(folder: &Path, below: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{below}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            files(&entry.path(), &format!("{name}/"), found);
        } else {
            found.push(name);
        }
    }
}

#[test]
fn every_hook_is_in_a_package_and_every_package_can_be_installed() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let manifest = fs::read_to_string(top.join("packaging/manifest")).unwrap();
    let mut hooks = Vec::new();
    files(&top.join("snapper-hooks"), "snapper-hooks/", &mut hooks);
    for hook in hooks.iter().filter(|hook| !hook.ends_with("README.md")) {
        let packaged = manifest.lines().any(|line| line.split_whitespace().nth(1) == Some(hook));
        assert!(packaged, "{hook} is not in packaging/manifest");
    }
    let root = tempfile::tempdir().unwrap();
    let programs = tiu_testing::program::path("tiu");
    let output = Command::new(top.join("packaging/install.sh"))
        .arg(programs.parent().unwrap())
        .arg(root.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let installed = String::from_utf8(output.stdout).unwrap();
    for path in ["/usr/bin/tiu", "/usr/share/man/man1/tiu-update.1.gz", "/usr/share/zsh/site-functions/_tiu"]
    {
        assert!(installed.lines().any(|line| line == path), "{path}:\n{installed}");
    }
    for path in installed.lines() {
        let metadata = root.path().join(path.trim_start_matches('/')).metadata().unwrap();
        assert!(metadata.len() > 0, "{path} is empty");
    }
}
