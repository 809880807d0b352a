//! `tiu diff`: files and packages, between bundles and snapshots.

use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Command;
use tiu_testing::kit::{Kit, SIGNER};
use tiu_testing::program::{self, RunOutput, json, tool};
use tiu_testing::tree;

/// `tiu diff --keyring OURS ARGUMENTS`, without a host.
fn diff(kit: &Kit, arguments: &[&Path]) -> RunOutput {
    let mut tiu = Command::new(program::path("tiu"));
    program::outcome(
        tiu.arg("diff").arg("--keyring").arg(kit.keyring()).args(["--progress", "none"]).args(arguments),
    )
}

/// `path: what` of each changed file, `what` being `added`, `removed`, or in what it differs.
fn files(report: &Value) -> Vec<String> {
    let file = |file: &Value| {
        let what: Vec<&str> = file["what"].as_array().unwrap().iter().map(|w| w.as_str().unwrap()).collect();
        let change = file["change"].as_str().unwrap();
        let what = if change == "modified" { what.join(" ") } else { change.to_owned() };
        format!("{}: {what}", file["path"].as_str().unwrap())
    };
    report["files"].as_array().unwrap().iter().map(file).collect()
}

/// A text like dpkg's.
fn status(packages: &[(&str, &str)]) -> String {
    let paragraph = |(name, version): &(&str, &str)| {
        format!("Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n\n")
    };
    packages.iter().map(paragraph).collect()
}

#[test]
fn two_bundles_differ_in_files_and_packages_of_dpkg() {
    let kit = Kit::new();
    let old = kit.bundle(1, |root| {
        tree::file(root, "var/lib/dpkg/status", status(&[("bash", "5.2-1"), ("gone", "1"), ("same", "1")]));
        tree::file(root, "usr/share/owner", "");
        tree::file(root, "usr/share/type", "");
    });
    let new = kit.bundle(2, |root| {
        tree::file(root, "var/lib/dpkg/status", status(&[("bash", "5.2-1+b1"), ("new", "2"), ("same", "1")]));
        tree::file(root, "usr/share/owner", "");
        fs::create_dir(root.join("usr/share/type")).unwrap();
        chown(root.join("usr/share/owner"), Some(7), Some(8)).unwrap();
        fs::set_permissions(root.join("usr/bin/cat"), PermissionsExt::from_mode(0o4755)).unwrap();
        rustix::fs::setxattr(root.join("usr/bin/dd"), "user.a", b"b", rustix::fs::XattrFlags::empty())
            .unwrap();
        // Another time is no difference.
        let same = fs::File::options().write(true).open(root.join("usr/share/size-one")).unwrap();
        same.set_modified(std::time::UNIX_EPOCH).unwrap();
    });
    let report = json(&diff(&kit, &[&old, &new, Path::new("--json")]).succeeded());
    let found = files(&report);
    for expected in [
        "usr/bin/cat: mode",
        "usr/bin/dd: xattrs",
        "usr/lib/modules/6.1.1-test: removed",
        "usr/lib/modules/6.1.2-test/vmlinuz: added",
        "usr/lib/os-release: content",
        "usr/share/changed: content",
        "usr/share/owner: owner",
        "usr/share/type: type",
    ] {
        assert!(found.iter().any(|line| line == expected), "{expected}: {found:#?}");
    }
    for path in ["usr/share/same", "usr/share/size-one", "usr/lib/sysimage/tiu/index.zst"] {
        assert!(!found.iter().any(|line| line.starts_with(&format!("{path}: "))), "{path}: {found:#?}");
    }
    assert_eq!(report["from"]["image"]["version"], "1");
    assert_eq!(report["to"]["packages"], "dpkg");
    assert_eq!(report["warnings"], json!([]));
    assert_eq!(
        report["packages"],
        json!({
            "upgraded": [{"name": "bash", "arch": "amd64", "from": "5.2-1", "to": "5.2-1+b1"}],
            "downgraded": [],
            "added": [{"name": "new", "arch": "amd64", "version": "2"}],
            "removed": [{"name": "gone", "arch": "amd64", "version": "1"}],
        })
    );
    let shown = diff(&kit, &[&old, &new]).succeeded().stdout;
    for line in [
        "Packages: 1 upgraded, 0 downgraded, 1 added, 1 removed",
        "  upgraded  bash  amd64  5.2-1  ->  5.2-1+b1",
        "  M  /usr/bin/cat (mode 0755 -> 4755)",
        "  M  /usr/share/owner (owner 0:0 -> 7:8)",
        "  M  /usr/share/type (type regular file -> directory)",
        "  D  /usr/share/only-1",
    ] {
        assert!(shown.contains(line), "{line:?}:\n{shown}");
    }
    let shown = diff(&kit, &[&new, &old, Path::new("--packages")]).succeeded().stdout;
    assert!(shown.contains("DOWNGRADED  bash") && !shown.contains("Files:"), "{shown}");
    let shown = diff(&kit, &[&new, &old, Path::new("--files")]).succeeded().stdout;
    assert!(!shown.contains("Packages:") && shown.contains("  A  /usr/share/only-1\n"), "{shown}");
}

#[test]
fn a_bundle_is_what_its_snapshot_holds_whatever_the_administrator_changed() {
    let kit = Kit::new();
    let mut host = kit.host();
    let (one, two) = (kit.bundle(1, |_| {}), kit.bundle(2, |_| {}));
    host.tiu("apply", [&one]).succeeded();
    host.reboot();
    host.edit(2, |root| tree::file(root, "etc/app.conf", "colour=red\n"));
    host.tiu("apply", [&two]).succeeded();
    let between = |a: &Path, b: &Path| json(&host.tiu("diff", [a, b, Path::new("--json")]).succeeded());
    assert_eq!(files(&between(Path::new("2"), &one)), [""; 0]);
    let snapshots = files(&between(Path::new("2"), Path::new("3")));
    assert_eq!(snapshots, files(&between(&one, &two)));
    assert!(snapshots.contains(&"etc/default/app: content".to_owned()), "{snapshots:#?}");
    let report = between(Path::new("3"), &one);
    assert_eq!((&report["from"]["snapshot"], &report["from"]["bundle"]), (&json!(3), &Value::Null));
    assert_eq!(report["packages"], json!({"upgraded": [], "downgraded": [], "added": [], "removed": []}));
    assert!(report["from"]["signer"]["subject"].as_str().unwrap().contains(SIGNER));
}

#[test]
fn a_snapshot_made_by_hand_is_read_as_it_is_without_what_is_the_host_s() {
    let kit = Kit::new();
    let host = kit.host_with(512, |root| {
        tree::file(root, "usr/share/same", tree::noise(100, 300_000));
        tree::file(root, "usr/share/partly", "other");
        tree::file(root, "usr/share/mine", "");
    });
    let bundle = kit.bundle(1, |root| tree::file(root, "var/lib/thing", ""));
    let arguments = ["1".as_ref(), bundle.as_os_str(), "--json".as_ref()];
    let found = files(&json(&host.tiu("diff", arguments).succeeded()));
    let has = |line: &str| found.iter().any(|found| found == line);
    assert!(has("usr/share/mine: removed"), "{found:#?}");
    assert!(has("usr/share/partly: content size"), "{found:#?}");
    assert!(has("usr/share/changed: added"), "{found:#?}");
    assert!(!found.iter().any(|line| line.starts_with("usr/share/same: ")), "{found:#?}");
    assert!(!found.iter().any(|line| line.starts_with("var/")), "{found:#?}");
    let shown = host.tiu("diff", ["1".as_ref(), bundle.as_os_str()]).succeeded().stdout;
    assert!(shown.contains("snapshot 1") && shown.contains("not made by tiu: read as it is"), "{shown}");
}

#[test]
fn a_package_database_that_was_changed_in_the_snapshot() {
    let kit = Kit::new();
    let host = kit.host();
    let database = |version: &str| status(&[("bash", version)]);
    let bundle = kit.bundle(1, |root| tree::file(root, "usr/lib/sysimage/dpkg/status", database("1")));
    host.tiu("apply", [&bundle]).succeeded();
    host.edit(2, |root| tree::file(root, "usr/lib/sysimage/dpkg/status", database("2")));
    let arguments = ["2".as_ref(), bundle.as_os_str(), "--json".as_ref()];
    let report = json(&host.tiu("diff", arguments).succeeded());
    assert_eq!(report["packages"]["downgraded"][0]["from"], "2");
    assert!(
        report["warnings"][0].as_str().unwrap().contains("dpkg/status is not what was signed"),
        "{report}"
    );
}

#[test]
fn sides_that_cannot_be_compared() {
    let kit = Kit::new();
    let host = kit.host();
    let bundle = kit.bundle(1, |_| {});
    host.tiu("diff", ["1", "9"]).refused(&["there is no snapshot 9"]);
    host.tiu("diff", ["1", "./9"]).refused(&["./9", "cannot be opened"]);
    host.snapper(&["create", "--userdata", "tiu-state=in-progress"]).succeeded();
    host.tiu("diff", ["1", "2"]).refused(&["snapshot 2 is unfinished"]);
    let stranger = Kit::new();
    diff(&stranger, &[&bundle, &bundle]).refused(&[&bundle.display().to_string()]);
    let mut tiu = Command::new(program::path("tiu"));
    program::outcome(tiu.arg("diff").args([&bundle, &bundle]))
        .refused(&["no certificate is trusted", "--keyring"]);
    host.tiu("apply", [&bundle]).succeeded();
    let three = host.snapshots().pop().unwrap();
    host.edit(three, |root| fs::remove_file(root.join("usr/lib/sysimage/tiu/index.zst")).unwrap());
    host.tiu("diff", ["1", &three.to_string()]).refused(&["index.zst is missing"]);
}

/// An rpm database with packages of these names and versions, in `directory`.
fn rpm_database(directory: &Path, packages: &[(&str, &str)]) {
    let work = tempfile::tempdir().unwrap();
    fs::create_dir_all(directory).unwrap();
    let run = |program: &str, arguments: &[&std::ffi::OsStr]| tool(program, "rpm", arguments).succeeded();
    for (name, version) in packages {
        let text = format!(
            "Name: {name}\nVersion: {version}\nRelease: 1\nSummary: x\nLicense: x\nBuildArch: noarch\n%description\n%files\n"
        );
        let spec = work.path().join("spec");
        fs::write(&spec, text).unwrap();
        let top = format!("_topdir {}", work.path().display());
        run(
            "rpmbuild",
            &["--quiet".as_ref(), "-bb".as_ref(), "--define".as_ref(), top.as_ref(), spec.as_ref()],
        );
    }
    let made = fs::read_dir(work.path().join("RPMS/noarch")).unwrap().map(|entry| entry.unwrap().path());
    let made: Vec<_> = made.collect();
    let mut arguments: Vec<&std::ffi::OsStr> =
        ["--force-debian", "--install", "--justdb", "--nodeps", "--dbpath"]
            .iter()
            .map(|word| word.as_ref())
            .collect();
    arguments.push(directory.as_ref());
    arguments.extend(made.iter().map(|path| path.as_os_str()));
    run("rpm", &arguments);
}

#[test]
fn packages_of_rpm_and_what_is_said_where_rpm_is_missing() {
    let kit = Kit::new();
    let old = kit.bundle(1, |root| {
        rpm_database(&root.join("usr/lib/sysimage/rpm"), &[("bash", "5.1"), ("gone", "1")]);
    });
    let new = kit.bundle(2, |root| {
        rpm_database(&root.join("usr/lib/sysimage/rpm"), &[("bash", "5.2"), ("new", "1~rc1")]);
    });
    let report = json(&diff(&kit, &[&old, &new, Path::new("--json")]).succeeded());
    assert_eq!(report["from"]["packages"], "rpm");
    assert_eq!(
        report["packages"],
        json!({
            "upgraded": [{"name": "bash", "arch": "noarch", "from": "5.1-1", "to": "5.2-1"}],
            "downgraded": [],
            "added": [{"name": "new", "arch": "noarch", "version": "1~rc1-1"}],
            "removed": [{"name": "gone", "arch": "noarch", "version": "1-1"}],
        })
    );

    // Hidden in a mount namespace of its own.
    let hide = "set -e; mount -t tmpfs none /mnt; mkdir /mnt/u /mnt/w
        mount -t overlay -o lowerdir=/usr/bin,upperdir=/mnt/u,workdir=/mnt/w none /usr/bin; rm /usr/bin/rpm; exec \"$@\"";
    let without_rpm = |more: &[&str]| {
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "sh", "-c", hide, "sh"])
            .arg(program::path("tiu"))
            .arg("diff")
            .arg("--keyring");
        program::outcome(command.arg(kit.keyring()).args([&old, &new]).args(more))
    };
    let report = json(&without_rpm(&["--json"]).succeeded());
    assert_eq!(report["packages"], Value::Null);
    assert!(files(&report).contains(&"usr/share/changed: content".to_owned()));
    let warning = report["warnings"][0].as_str().unwrap();
    assert!(
        warning.contains("rpm is not installed") && warning.contains("install the package rpm"),
        "{warning}"
    );
    without_rpm(&["--packages"]).refused(&["rpm is not installed", "install the package rpm"]);
}

#[test]
fn a_database_that_is_none_of_rpm_s() {
    let kit = Kit::new();
    let bundle =
        kit.bundle(1, |root| tree::file(root, "usr/lib/sysimage/rpm/rpmdb.sqlite", tree::noise(1, 50_000)));
    diff(&kit, &[&bundle, &bundle, Path::new("--packages")]).refused(&["rpm"]);
    let shown = diff(&kit, &[&bundle, &bundle]).succeeded().stdout;
    assert!(shown.contains("warning: packages are not compared: "), "{shown}");
}
