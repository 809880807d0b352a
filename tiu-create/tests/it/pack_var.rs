//! `/var` of the image becomes defaults: systemd creates what a host lacks, and overwrites nothing.

use crate::place::{Packed, Place, run};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use tiu_testing::program::{outcome, tool};

const ODD: &[u8] = b"lib/odd \"name\" \\ 100% \xff\t";

const ODD_TARGET: &[u8] = b" 100% \\x20 \"quoted\" \xff\n ";

fn place() -> Place {
    let place = Place::new();
    let var = place.root().join("var");
    place.file("etc/passwd", "root:x:0:0::/root:/bin/sh\nman:x:6:12::/:/bin/false\n");
    place.file("etc/group", "root:x:0:\nman:x:12:\n");
    place.file("var/lib/app/state", "first");
    place.file("var/lib/app/secret", "secret");
    place.file("var/tmp/junk", "x");
    place.file("var/cache/kiwi/junk", "x");
    fs::set_permissions(var.join("lib/app/secret"), PermissionsExt::from_mode(0o640)).expect("a mode");
    chown(var.join("lib/app/secret"), Some(6), Some(12)).expect("an owner");
    fs::create_dir(var.join("empty")).expect("a directory");
    fs::set_permissions(var.join("empty"), PermissionsExt::from_mode(0o2770)).expect("a mode");
    chown(var.join("empty"), Some(6), Some(4321)).expect("an owner");
    fs::write(var.join(OsStr::from_bytes(ODD)), "odd").expect("a file");
    symlink("../run", var.join("run")).expect("a link");
    symlink(OsStr::from_bytes(ODD_TARGET), var.join("odd-link")).expect("a link");
    tool("mkfifo", "coreutils", &[var.join("pipe").as_os_str()]).succeeded();
    place
}

/// A host's root: the image, with a `/var` of its own.
fn host(place: &Place, packed: &Packed, fill: impl FnOnce(&Path)) -> PathBuf {
    let host = place.path("host");
    outcome(Command::new("cp").arg("-a").arg(packed.mount.path()).arg(&host)).succeeded();
    fill(&host.join("var"));
    // As systemd-tmpfiles-setup.service does it, but for what the machine itself would add.
    let file = host.join(tiu_create::TMPFILES_PATH);
    let mut command = Command::new("systemd-tmpfiles");
    command.args(["--create", "--boot"]).arg(format!("--root={}", host.display())).arg(file);
    let done = outcome(&mut command);
    assert_eq!(done.code, Some(0), "systemd-tmpfiles (package systemd): {}", done.stderr);
    assert_eq!(done.stderr, "", "systemd-tmpfiles complains");
    host.join("var")
}

#[test]
fn an_empty_var_is_filled() {
    let place = place();
    let packed = place.packed();
    let var = host(&place, &packed, |_| {});
    assert_eq!(fs::read_to_string(var.join("lib/app/state")).expect("a file"), "first");
    let secret = var.join("lib/app/secret").metadata().expect("a file");
    assert_eq!((secret.mode() & 0o7777, secret.uid(), secret.gid()), (0o640, 6, 12));
    let empty = var.join("empty").metadata().expect("a directory");
    assert_eq!((empty.mode() & 0o7777, empty.uid(), empty.gid()), (0o2770, 6, 4321));
    assert_eq!(fs::read(var.join(OsStr::from_bytes(ODD))).expect("the odd name"), b"odd");
    assert_eq!(fs::read_link(var.join("run")).expect("a link"), Path::new("../run"));
    assert_eq!(
        fs::read_link(var.join("odd-link")).expect("a link"),
        Path::new(OsStr::from_bytes(ODD_TARGET))
    );
    assert_eq!(var.join("pipe").symlink_metadata().expect("a fifo").mode() & 0o170_000, 0o010_000);
    assert!(!var.join("tmp/junk").exists());
    assert!(!var.join("cache/kiwi").exists());
}

#[test]
fn nothing_is_overwritten() {
    let place = place();
    let packed = place.packed();
    let var = host(&place, &packed, |var| {
        fs::create_dir_all(var.join("lib/app")).expect("a directory");
        fs::write(var.join("lib/app/state"), "the host's").expect("a file");
        fs::set_permissions(var.join("lib/app"), PermissionsExt::from_mode(0o700)).expect("a mode");
        fs::set_permissions(var.join("lib/app/state"), PermissionsExt::from_mode(0o600)).expect("a mode");
        chown(var.join("lib/app/state"), Some(1000), Some(1000)).expect("an owner");
        chown(var.join("lib/app"), Some(1000), Some(1000)).expect("an owner");
        symlink("/elsewhere", var.join("run")).expect("a link");
    });
    assert_eq!(fs::read_to_string(var.join("lib/app/state")).expect("a file"), "the host's");
    let state = var.join("lib/app/state").metadata().expect("a file");
    assert_eq!((state.mode() & 0o7777, state.uid(), state.gid()), (0o600, 1000, 1000));
    let app = var.join("lib/app").metadata().expect("a directory");
    assert_eq!((app.mode() & 0o7777, app.uid(), app.gid()), (0o700, 1000, 1000));
    assert_eq!(fs::read_link(var.join("run")).expect("a link"), Path::new("/elsewhere"));
    // What is missing comes all the same.
    assert_eq!(fs::read_to_string(var.join("lib/app/secret")).expect("a file"), "secret");
}

#[test]
fn what_tmpfiles_cannot_say_is_told_when_packing() {
    let place = Place::new();
    let var = place.root().join("var");
    for name in ["line\nfeed", "carriage\rreturn", "acl", "one"] {
        place.file(&format!("var/lib/{name}"), "x");
    }
    fs::hard_link(var.join("lib/one"), var.join("lib/two")).expect("a link");
    tool("setfacl", "acl", &["-m".as_ref(), "u:7:r".as_ref(), var.join("lib/acl").as_os_str()]).succeeded();
    symlink("x", var.join("link")).expect("a link");
    std::os::unix::fs::lchown(var.join("link"), Some(6), None).expect("an owner");
    let _socket = std::os::unix::net::UnixListener::bind(var.join("socket")).expect("a socket");
    let mut arguments = place.pack_arguments("bundle.tiu");
    let warned = place.pack("bundle.tiu").succeeded().stderr;
    for needle in [
        "names with a line break are lost: 2 in total, the first is /var/lib/carriage\\rreturn",
        "sockets are lost: 1 in total, the first is /var/socket",
        "are lost, the rest is kept: 1 in total, the first is /var/lib/acl",
        "symbolic links will belong to root: 1 in total, the first is /var/link",
        "separate files: 2 in total, the first is /var/lib/one",
    ] {
        assert!(warned.contains(needle), "no {needle:?} in {warned}");
    }
    arguments.push("--json".into());
    let found: serde_json::Value = serde_json::from_str(&run(arguments).succeeded().stdout).expect("JSON");
    let losses = found["var_losses"].as_array().expect("a list");
    let told: Vec<_> = losses.iter().map(|lost| (lost["what"].as_str(), lost["entries"].as_u64())).collect();
    assert_eq!(
        told,
        [("name", 2), ("socket", 1), ("attributes", 1), ("link-owner", 1), ("hard-link", 2)]
            .map(|(what, entries)| (Some(what), Some(entries)))
    );
    assert_eq!(losses[2]["first"], "/var/lib/acl");
    // And none of it makes systemd-tmpfiles stumble over the rest.
    let packed = place.open("bundle.tiu");
    let var = host(&place, &packed, |_| {});
    let mut there: Vec<_> = fs::read_dir(var.join("lib"))
        .expect("a directory")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .collect();
    there.sort();
    assert_eq!(there, ["acl", "one", "two"]);
    assert!(!var.join("socket").exists());
}

#[test]
fn the_images_own_var_is_empty() {
    let place = place();
    let packed = place.packed();
    assert_eq!(fs::read_dir(packed.mount.path().join("var")).expect("a directory").count(), 0);
    assert!(packed.paths().contains(&"usr/share/factory/var/lib/app/state".to_owned()));
}

#[test]
fn a_tree_that_was_an_image_packs_the_same_again() {
    let place = place();
    let first = place.packed();
    let copy = place.path("copy");
    outcome(Command::new("cp").arg("-a").arg(first.mount.path()).arg(&copy)).succeeded();
    fs::rename(place.root(), place.path("old")).expect("a rename");
    fs::rename(copy, place.root()).expect("a rename");
    place.pack("again.tiu").succeeded();
    let second = place.open("again.tiu");
    assert_eq!(second.bundle.manifest.tiu.index_digest, first.bundle.manifest.tiu.index_digest);
}

#[test]
fn factory_var_can_be_turned_off() {
    let place = place();
    place.recipe("factory-var: false\n");
    let outcome = place.pack("bundle.tiu").succeeded();
    assert!(outcome.stderr.contains("/var is left out"), "{}", outcome.stderr);
    let packed = place.open("bundle.tiu");
    let paths = packed.paths();
    assert!(paths.contains(&"var".to_owned()));
    assert!(!paths.iter().any(|path| path.contains("factory") || path.contains("tmpfiles.d")), "{paths:?}");
}
