//! Without root: commands that work, and the messages of those that do not.

use super::kit::{CONTENT, Kit, good};
use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use tiu_testing::program::{RunOutput, outcome};

const NOBODY: u32 = 65534;

/// A place that everybody may look into, with a copy of the program, a bundle, and a home for
/// nobody.
struct Place {
    kit: Kit,
    bundle: PathBuf,
    home: PathBuf,
}

impl Place {
    fn new() -> Self {
        assert!(rustix::process::geteuid().is_root(), "this test becomes another user: run it as root");
        let kit = Kit::new();
        fs::set_permissions(kit.path(""), Permissions::from_mode(0o755)).unwrap();
        fs::copy(env!("CARGO_BIN_EXE_tiu-extract"), kit.path("tiu-extract")).unwrap();
        let bundle = kit.bundle(&good());
        let home = kit.path("home");
        fs::create_dir(&home).unwrap();
        chown(&home, Some(NOBODY), Some(NOBODY)).unwrap();
        Place { kit, bundle, home }
    }

    fn run(&self, command: &str, arguments: &[&OsStr]) -> RunOutput {
        let mut program = Command::new(self.kit.path("tiu-extract"));
        program.arg(command).arg("--keyring").arg(self.kit.keyring()).args(arguments);
        outcome(program.uid(NOBODY).gid(NOBODY).current_dir(&self.home))
    }
}

#[test]
fn info_list_and_verify() {
    let place = Place::new();
    for command in ["info", "list", "verify"] {
        place.run(command, &[place.bundle.as_os_str()]).succeeded();
    }
}

#[test]
fn extract_without_owners() {
    let place = Place::new();
    place.run("extract", &["--no-owner".as_ref(), place.bundle.as_os_str(), "out".as_ref()]).succeeded();
    assert_eq!(fs::read(place.home.join("out/a")).unwrap(), CONTENT);
    assert_eq!(fs::metadata(place.home.join("out/a")).unwrap().uid(), NOBODY);
}

#[test]
fn extract_with_owners_is_refused_and_the_way_is_named() {
    let place = Place::new();
    let needles = ["Operation not permitted", "--no-owner"];
    place.run("extract", &[place.bundle.as_os_str(), "out".as_ref()]).refused(&needles);
    assert!(!place.home.join("out/a").exists());
}

#[test]
fn target_that_belongs_to_somebody_else() {
    let place = Place::new();
    let target = place.kit.target();
    let needles = ["Permission denied"];
    place
        .run(
            "extract",
            &["--no-owner".as_ref(), "--delete".as_ref(), place.bundle.as_os_str(), target.as_os_str()],
        )
        .refused(&needles);
    assert_eq!(fs::read(target.join("a")).unwrap(), b"another content");
}

#[test]
fn bundle_that_may_not_be_read() {
    let place = Place::new();
    fs::set_permissions(&place.bundle, Permissions::from_mode(0o600)).unwrap();
    place
        .run("info", &[place.bundle.as_os_str()])
        .refused(&["bundle.tiu cannot be opened: Permission denied"]);
}

#[test]
fn mount_is_refused() {
    let place = Place::new();
    let needles = ["the kernel way to open an image is not available", "needs root", "tiu-extract extract"];
    place.run("mount", &[place.bundle.as_os_str(), place.home.as_os_str()]).refused(&needles);
}

#[test]
fn the_kernel_way_is_refused() {
    let place = Place::new();
    let arguments = ["--no-owner", "--verity", "kernel"].map(OsStr::new);
    let arguments = [&arguments[..], &[place.bundle.as_os_str(), "out".as_ref()]].concat();
    place.run("extract", &arguments).refused(&["the kernel way", "use --verity user"]);
    assert!(!place.home.join("out").exists());
}
