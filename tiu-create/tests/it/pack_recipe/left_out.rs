//! Files that are not in the image, and properties that hosts do not get.

use super::refused;
use crate::place::{Place, run};
use std::os::unix::fs::symlink;
use tiu_testing::program::tool;

#[test]
fn exclusions_and_what_is_the_hosts() {
    let place = Place::new();
    for path in [
        "usr/share/doc/a/b",
        "usr/share/doc/c",
        "usr/lib/x/__pycache__/y",
        "home/user/file",
        "opt/app/run",
        "image/config.xml",
        ".profile",
        "tmp/x",
        "proc/version",
    ] {
        place.file(path, path);
    }
    place.recipe("exclude: [/usr/share/doc/*, '/**/__pycache__', /no/such/path]\n");
    let found = place.pack("bundle.tiu").succeeded();
    for needle in [
        "/home belongs to the host",
        "/home/user/file",
        "/opt belongs to the host",
        "/no/such/path matches nothing",
    ] {
        assert!(found.stderr.contains(needle), "no {needle:?} in {}", found.stderr);
    }
    let paths = place.open("bundle.tiu").paths();
    for path in ["usr/share/doc", "usr/lib/x", "home", "opt", "tmp", "proc"] {
        assert!(paths.contains(&path.to_owned()), "{path} is missing");
    }
    for path in [
        "usr/share/doc/a",
        "usr/lib/x/__pycache__",
        "home/user",
        "opt/app",
        "image",
        ".profile",
        "tmp/x",
        "proc/version",
    ] {
        assert!(!paths.contains(&path.to_owned()), "{path} is there");
    }
}

#[test]
fn persistent_directories_and_what_lies_in_them() {
    let place = Place::new();
    for name in ["a", "b", "c", "d"] {
        place.file(&format!("data/{name}"), "x");
    }
    place.recipe("persistent: [/data, /export/home]\n");
    let warned = place.pack("bundle.tiu").succeeded().stderr;
    let needle = "/data is persistent and belongs to the host: 4 files (4 B) are not in the image: \
                  /data/a, /data/b, /data/c, ...";
    assert!(warned.contains(needle), "{warned}");
    let packed = place.open("bundle.tiu");
    let paths = packed.paths();
    assert!(paths.contains(&"data".to_owned()) && paths.contains(&"export/home".to_owned()), "{paths:?}");
    assert!(!paths.iter().any(|path| path.starts_with("data/")), "{paths:?}");
    let policy: serde_yaml::Value =
        serde_yaml::from_str(&packed.text("usr/lib/tiu/image.yaml")).expect("YAML");
    assert_eq!(policy["persistent"][1], "/export/home");
}

#[test]
fn files_at_a_mount_point_of_the_trees_own_fstab() {
    let place = Place::new();
    place.file(
        "etc/fstab",
        "UUID=1 / btrfs ro 0 0\nUUID=1 /boot/grub2/i386-pc btrfs x 0 0\nUUID=1 /home btrfs x 0 0\n",
    );
    place.file("boot/grub2/i386-pc/a.mod", "x");
    place.file("home/user/x", "x");
    let mut arguments = place.pack_arguments("bundle.tiu");
    let warned = place.pack("bundle.tiu").succeeded().stderr;
    let needle = "/boot/grub2/i386-pc is a mount point in the tree's own fstab: hosts that mount something there do not get 1 files (1 B) of \
                  the image: /boot/grub2/i386-pc/a.mod";
    assert!(warned.contains(needle), "{warned}");
    assert_eq!(warned.matches("/home").count(), 2, "told once: {warned}");
    arguments.push("--json".into());
    let found: serde_json::Value = serde_json::from_str(&run(arguments).succeeded().stdout).expect("JSON");
    assert_eq!(found["at_mount_points"][0]["path"], "/boot/grub2/i386-pc");
    assert_eq!(found["at_mount_points"][0]["paths"][0], "/boot/grub2/i386-pc/a.mod");
    assert!(found["at_mount_points"].get(1).is_none());
    assert!(place.open("bundle.tiu").paths().contains(&"boot/grub2/i386-pc/a.mod".to_owned()));
}

/// Sets inode flags, and clears them on drop: the tree is removed then.
struct Flagged(Vec<(&'static str, std::path::PathBuf)>);

impl Flagged {
    fn new(place: &Place, flags: &[(&'static str, &str)]) -> Self {
        let flagged = Flagged(flags.iter().map(|(flag, path)| (*flag, place.root().join(path))).collect());
        flagged.change("+");
        flagged
    }

    fn change(&self, sign: &str) {
        for (flag, path) in &self.0 {
            let change = format!("{sign}{flag}");
            tool("chattr", "e2fsprogs", &[change.as_ref(), path.as_os_str()]).succeeded();
        }
    }
}

impl Drop for Flagged {
    fn drop(&mut self) {
        self.change("-");
    }
}

#[test]
fn inode_flags_that_hosts_do_not_get_are_named() {
    let place = Place::new();
    for name in ["a", "b", "c", "d"] {
        place.file(&format!("usr/lib/x/{name}"), "x");
    }
    place.file("home/user", "x");
    let paths = ["usr/lib/x/a", "usr/lib/x/b", "usr/lib/x/c", "usr/lib/x/d"];
    let mut flags: Vec<(&str, &str)> = paths.iter().map(|path| ("i", *path)).collect();
    flags.extend([("a", "usr/lib/x"), ("i", "home/user")]);
    let flagged = Flagged::new(&place, &flags);
    let warned = place.pack("bundle.tiu").succeeded().stderr;
    let immutable = "images do not keep inode flags: 4 files and directories lose the flag i (immutable) \
                     on hosts: /usr/lib/x/a, /usr/lib/x/b, /usr/lib/x/c, ...";
    assert!(warned.contains(immutable), "{warned}");
    assert!(warned.contains("the flag a (append-only) on hosts: /usr/lib/x"), "{warned}");
    let mut arguments = place.pack_arguments("bundle.tiu");
    arguments.push("--json".into());
    let found: serde_json::Value = serde_json::from_str(&run(arguments).succeeded().stdout).expect("JSON");
    assert_eq!(found["lost_flags"].as_array().expect("a list").len(), 2);
    assert_eq!((&found["lost_flags"][1]["flag"], &found["lost_flags"][1]["files"]), (&"i".into(), &4.into()));
    drop(flagged);
    let warned = place.pack("bundle.tiu").succeeded().stderr;
    assert!(!warned.contains("inode flags"), "{warned}");
}

#[test]
fn persistent_paths_that_hosts_would_not_take() {
    let place = Place::new();
    let check = |list: &str, needles: &[&str]| {
        place.recipe(&format!("persistent: [{list}]\n"));
        refused(&place, needles);
    };
    check("data", &["persistent", "found \"data\", expected an absolute path"]);
    check("/data/../etc", &["expected an absolute path without `.`, `..`"]);
    check("/etc/app", &["\"/etc/app\", but /etc belongs to the image", "keep their data in /var"]);
    check("/usr/share/app", &["/usr belongs to the image"]);
    check("/boot", &["/boot belongs to the image"]);
    check("/run/app", &["the content of /run does not survive a boot"]);
    check("/var/lib/app", &["/var already belongs to the host"]);
    check("/data, /data/x", &["\"/data/x\" in addition to \"/data\""]);
    let many = (0..101).map(|i| format!("/data/{i}")).collect::<Vec<_>>().join(", ");
    check(&many, &["found 101 paths, expected at most 100"]);
    symlink("var", place.root().join("data")).expect("a link");
    check(
        "/data",
        &["/data: found a symbolic link in the tree", "persistent directory", "make it a directory"],
    );
    check("/data/x", &["/data: found a symbolic link, expected a directory"]);
}
