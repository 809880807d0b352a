//! The statements of the recipe and the tree about the image, and errors in them.

use crate::place::{EPOCH, Place, program, run};
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use tiu_system::path::TreePath;
use tiu_testing::btrfs::LoopBtrfs;
use tiu_testing::program::{outcome, tool};
use tiu_testing::selinux;

fn refused(place: &Place, needles: &[&str]) {
    place.pack("bundle.tiu").refused(needles);
    let left: Vec<_> =
        fs::read_dir(place.path("")).expect("the place").flatten().map(|entry| entry.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("bundle.tiu")), "left behind: {left:?}");
}

#[test]
fn facts_come_from_the_tree() {
    let place = Place::new();
    let shell = fs::read("/bin/sh").expect("a shell");
    place.file("usr/bin/sh", shell);
    place.file("etc/os-release", "");
    fs::remove_file(place.root().join("etc/os-release")).expect("a file");
    fs::remove_file(place.root().join("usr/lib/os-release")).expect("a file");
    place.file("usr/lib/os-release", "ID=testos\nVERSION_ID=1\nIMAGE_VERSION=\"1.2\"\nBUILD_ID=77\n");
    fs::write(place.path("bundle.yaml"), "compatible: testos\ncompression: {level: 1}\n").expect("a recipe");
    let packed = place.packed();
    let manifest = &packed.bundle.manifest;
    assert_eq!((manifest.version.as_str(), manifest.build.as_deref()), ("1.2", Some("77")));
    assert_eq!((manifest.tiu.os_id.as_str(), manifest.tiu.kernel.as_deref()), ("testos", Some("6.1.1-test")));
    assert_eq!(manifest.tiu.arch, std::env::consts::ARCH);
}

#[test]
fn the_recipe_wins() {
    let place = Place::new();
    place.recipe(
        "version: 9.10\nbuild: b\nos-id: other\nmin-version: 9.1\ndescription: A text\nkernel: 6.1.1-test\n",
    );
    let manifest = place.packed().bundle.manifest.clone();
    assert_eq!((manifest.version.as_str(), manifest.build.as_deref()), ("9.10", Some("b")));
    assert_eq!((manifest.tiu.os_id.as_str(), manifest.description.as_deref()), ("other", Some("A text")));
    assert_eq!(manifest.tiu.min_version.as_deref(), Some("9.1"));
}

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
fn the_policy_reaches_the_client() {
    let place = Place::new();
    place.recipe("etc:\n  always-image: [/etc/a]\n  always-host: [/etc/b]\n");
    let packed = place.packed();
    let policy: serde_yaml::Value =
        serde_yaml::from_str(&packed.text("usr/lib/tiu/image.yaml")).expect("YAML");
    assert_eq!(policy["etc"]["always-image"][0], "/etc/a");
    assert_eq!(policy["etc"]["always-host"][0], "/etc/b");
    assert!(packed.index.find(TreePath::literal("usr/lib/tiu/image.yaml")).is_some());
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

#[test]
fn json_says_what_was_made() {
    let place = Place::new();
    place.file("root/x", "12345");
    let mut arguments = place.pack_arguments("bundle.tiu");
    arguments.push("--json".into());
    let found = run(arguments).succeeded();
    let found: serde_json::Value = serde_json::from_str(&found.stdout).expect("JSON");
    let packed = place.open("bundle.tiu");
    assert_eq!(found["version"], 1);
    assert_eq!(found["root_hash"], packed.bundle.manifest.verity_hash.to_string());
    assert_eq!(found["bundle_size"], fs::metadata(place.path("bundle.tiu")).expect("the bundle").len());
    assert_eq!(found["left_out"][0]["reason"], "/root");
    assert_eq!((&found["left_out"][0]["files"], &found["left_out"][0]["bytes"]), (&1.into(), &5.into()));
}

#[test]
fn an_existing_bundle_is_replaced() {
    let place = Place::new();
    fs::write(place.path("bundle.tiu"), "old").expect("a file");
    place.packed();
}

#[test]
fn missing_compatible() {
    let place = Place::new();
    fs::write(place.path("bundle.yaml"), "description: x\n").expect("a recipe");
    refused(&place, &["bundle.yaml", "missing field `compatible`", "hint: add `compatible: NAME`"]);
}

#[test]
fn unknown_key_of_the_recipe() {
    let place = Place::new();
    place.recipe("colour: red\n");
    refused(&place, &["unknown field `colour`", "line 4", "hint: examples/bundle.yaml"]);
}

#[test]
fn no_recipe() {
    let place = Place::new();
    fs::remove_file(place.path("bundle.yaml")).expect("a file");
    refused(&place, &["bundle.yaml", "No such file", "hint: "]);
}

#[test]
fn no_os_release() {
    let place = Place::new();
    fs::remove_file(place.root().join("usr/lib/os-release")).expect("a file");
    refused(&place, &["does not show its version", "IMAGE_VERSION or VERSION_ID", "`version: "]);
}

#[test]
fn no_program_that_tells_the_architecture() {
    let place = Place::new();
    fs::write(place.path("bundle.yaml"), "compatible: testos\n").expect("a recipe");
    refused(&place, &["does not show its architecture", "/usr/bin/sh", "`arch: x86_64`"]);
}

#[test]
fn two_kernels() {
    let place = Place::new();
    place.file("usr/lib/modules/6.2-other/vmlinuz", "x");
    refused(&place, &["2 kernels", "6.1.1-test, 6.2-other", "`kernel: VERSION`"]);
    place.recipe("kernel: 6.2-other\n");
    assert_eq!(place.packed().bundle.manifest.tiu.kernel.as_deref(), Some("6.2-other"));
}

#[test]
fn a_directory_of_modules_without_a_kernel_is_not_a_kernel() {
    let place = Place::new();
    // What removed kernels leave behind, and out-of-tree modules of another kernel.
    place.file("usr/lib/modules/6.0.9-old/modules.dep", "x");
    place.file("usr/lib/modules/6.2-other/extra/x.ko", "x");
    place.recipe("kernel: 6.0.9-old\n");
    refused(&place, &["the recipe names the kernel 6.0.9-old", "6.1.1-test"]);
    // A kernel in /boot counts.
    place.recipe("");
    place.file("boot/vmlinuz-6.2-other", "x");
    refused(&place, &["2 kernels", "6.1.1-test, 6.2-other"]);
    fs::remove_file(place.root().join("boot/vmlinuz-6.2-other")).expect("a file");
    assert_eq!(place.packed().bundle.manifest.tiu.kernel.as_deref(), Some("6.1.1-test"));
}

#[test]
fn a_kernel_that_is_not_there() {
    let place = Place::new();
    place.recipe("kernel: '7'\n");
    refused(&place, &["the recipe names the kernel 7", "6.1.1-test"]);
}

#[test]
fn a_version_that_no_manifest_can_hold() {
    let place = Place::new();
    place.recipe("version: a b\n");
    refused(&place, &["version", "letters, digits", "hint: "]);
}

#[test]
fn a_root_that_is_not_there() {
    let place = Place::new();
    fs::remove_dir_all(place.root()).expect("the tree");
    refused(&place, &["root", "No such file", "kiwi-ng"]);
}

#[test]
fn a_root_that_is_a_file() {
    let place = Place::new();
    fs::remove_dir_all(place.root()).expect("the tree");
    fs::write(place.root(), "x").expect("a file");
    refused(&place, &["root", "Not a directory"]);
}

#[test]
fn a_bundle_inside_its_own_tree() {
    let place = Place::new();
    symlink("root/usr", place.path("alias")).expect("a link");
    for out in ["root/bundle.tiu", "alias/bundle.tiu"] {
        place.pack(out).refused(&["is in the tree", "another directory"]);
    }
    assert!(!place.root().join("bundle.tiu").exists() && !place.root().join("usr/bundle.tiu").exists());
}

#[test]
fn a_folder_that_is_not_there() {
    let place = Place::new();
    place.pack("no/such/bundle.tiu").refused(&["bundle.tiu", "No such file", "hint: "]);
}

#[test]
fn a_file_where_the_tree_must_have_a_directory() {
    let place = Place::new();
    place.file("usr/lib/sysimage", "x");
    refused(&place, &["/usr/lib/sysimage", "found a regular file", "expected a directory"]);
}

#[test]
fn neither_key_nor_unsigned() {
    let place = Place::new();
    let mut arguments = place.pack_arguments("bundle.tiu");
    arguments.retain(|argument| !argument.starts_with("--cert") && !argument.starts_with("--key"));
    let found = outcome(program().args(arguments));
    assert_eq!(found.code, Some(2), "{}", found.stderr);
    assert!(found.stderr.contains("--unsigned"), "{}", found.stderr);
}

#[test]
fn files_without_a_label_in_a_tree_with_a_policy_are_told() {
    let place = Place::new();
    let warned = place.pack("bundle.tiu").succeeded().stderr;
    assert!(!warned.contains("SELinux"), "there is no policy: {warned}");
    selinux::policy(&place.root(), "enforcing");
    selinux::label(&place.root());
    let warned = place.pack("bundle.tiu").succeeded().stderr;
    assert!(!warned.contains("SELinux"), "all is labelled: {warned}");
    place.file("usr/share/late", "x");
    place.file("home/late", "x");
    let found = || {
        let mut arguments = place.pack_arguments("bundle.tiu");
        arguments.push("--json".into());
        let found: serde_json::Value =
            serde_json::from_str(&run(arguments).succeeded().stdout).expect("JSON");
        found["unlabelled"].clone()
    };
    let warned = place.pack("bundle.tiu").succeeded().stderr;
    assert!(warned.contains("1 file or directory has no label (security.selinux)"), "{warned}");
    assert!(warned.contains("the first is /usr/share/late"), "{warned}");
    assert_eq!(found(), serde_json::json!({ "entries": 1, "first": "/usr/share/late" }));
    selinux::policy(&place.root(), "disabled");
    assert_eq!(found(), serde_json::Value::Null);
}

#[test]
fn what_is_added_to_a_labelled_tree_is_labelled() {
    let place = Place::new();
    place.file("var/lib/x", "x");
    place.recipe("persistent: [/data]\n");
    selinux::policy(&place.root(), "enforcing");
    selinux::label(&place.root());
    let packed = place.packed();
    let label = |path: &'static str| {
        let entry = packed
            .index
            .entry(packed.index.find(TreePath::literal(path)).unwrap_or_else(|| panic!("{path}")));
        let label = tiu_bundle::selinux::label_of(&entry).unwrap_or_else(|| panic!("{path} has none"));
        String::from_utf8_lossy(label).trim_end_matches('\0').to_owned()
    };
    for path in ["usr/lib/sysimage/tiu", "usr/lib/tmpfiles.d/zz-tiu-var.conf", "usr/lib/tiu/image.yaml"] {
        assert_eq!(label(path), "system_u:object_r:usr_t:s0", "{path}");
    }
    assert_eq!(label("usr/share/factory/var/lib/x"), "system_u:object_r:var_t:s0");
    assert_eq!(label("data"), "system_u:object_r:root_t:s0", "of the root directory");
}

#[test]
fn a_time_that_hosts_cannot_hold() {
    let place = Place::new();
    // ext4 and others hold no time before 1901-12-13; btrfs does.
    let disk = LoopBtrfs::new(128);
    let root = disk.path().join("root");
    tiu_testing::system::small(&root, 1);
    let file = root.join("usr/lib/odd");
    let touch = |sec: i64| {
        fs::write(&file, "x").expect("a file");
        let time = Timespec { tv_sec: sec, tv_nsec: 0 };
        let times = Timestamps { last_access: time, last_modification: time };
        utimensat(CWD, &file, &times, AtFlags::empty()).expect("a time");
        assert_eq!(fs::metadata(&file).expect("the file").mtime(), sec);
    };
    let mut arguments = place.pack_arguments("bundle.tiu");
    let at = arguments.len() - 2;
    arguments[at] = root.to_str().expect("UTF-8").to_owned();
    touch(-11_644_473_600);
    run(&arguments).refused(&["/usr/lib/odd: its modification time is -11644473600", "touch"]);
    assert!(!place.path("bundle.tiu").exists());
    let mtime = || {
        run(&arguments).succeeded();
        let index = place.open("bundle.tiu").index;
        let odd = index.find(TreePath::literal("usr/lib/odd")).expect("the file");
        index.entry(odd).mtime.sec
    };
    touch(-2_147_483_648);
    assert_eq!(mtime(), -2_147_483_648);
    // The year 2500: as all that is later than the build.
    touch(16_725_225_600);
    assert_eq!(mtime(), EPOCH);
}
