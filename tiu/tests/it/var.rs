//! `/var` is the host's and never rolled back: what an image has there comes at boot, through
//! systemd-tmpfiles, where the host has nothing, and nothing that is there changes.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};
use tiu_testing::host::LoopHost;
use tiu_testing::kit::{Kit, Recipe};
use tiu_testing::program::{RunOutput, tool};
use tiu_testing::tree;

/// Names that need care in a line of tmpfiles.d.
const ODD: [&[u8]; 6] =
    [b"lib/two words", b"lib/%h %% 100%", b"lib/\"quoted\" \\", b"lib/\xff\xfe", b"lib/tab\t", b"lib/*?[a]"];

/// Does to a mounted `/var` as a boot does: systemd-tmpfiles-setup.service.
fn boot(host: &LoopHost) -> RunOutput {
    let root = format!("--root={}", host.root().display());
    tool("systemd-tmpfiles", "systemd", &["--create".as_ref(), "--boot".as_ref(), root.as_ref()])
}

/// The host comes up with what boots next.
fn reboot(host: &mut LoopHost) -> PathBuf {
    host.reboot();
    let done = boot(host);
    assert_eq!((done.code, done.stderr.as_str()), (Some(0), ""), "systemd-tmpfiles complains");
    host.root().join("var")
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

fn xattr(path: &Path, name: &str, value: &str) {
    let arguments = ["-h", "-n", name, "-v", value].map(OsStr::new);
    tool("setfattr", "attr", &[&arguments[..], &[path.as_os_str()]].concat()).succeeded();
}

/// Mode, owner, content, attributes and ACLs of all below `var`; times and inodes too.
fn tree_and_times(var: &Path) -> (BTreeMap<PathBuf, String>, String) {
    let mut arguments = ["-R", "-h", "-d", "-m", "-"].map(OsStr::new).to_vec();
    arguments.push(var.as_os_str());
    let list = tool("getfattr", "attr", &arguments);
    (tree::state(var), list.succeeded().stdout)
}

fn text(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Mode, owner and group.
fn mode_and_owner(path: impl AsRef<Path>) -> (u32, u32, u32) {
    let path = path.as_ref();
    let found = path.symlink_metadata().unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    (found.mode() & 0o7777, found.uid(), found.gid())
}

#[test]
fn what_an_image_has_in_var_arrives_as_it_is() {
    let kit = Kit::new();
    let mut host = kit.host();
    let bundle = kit.bundle(1, |root| {
        let var = root.join("var");
        tree::file(root, "var/lib/app/state", "first");
        mode(&var.join("lib/app"), 0o2750);
        chown(var.join("lib/app"), Some(6), Some(12)).unwrap();
        mode(&var.join("lib/app/state"), 0o640);
        chown(var.join("lib/app/state"), Some(6), Some(12)).unwrap();
        xattr(&var.join("lib/app/state"), "user.note", "kept");
        tree::file(root, "var/lib/tool", "x");
        chown(var.join("lib/tool"), Some(6), Some(12)).unwrap();
        mode(&var.join("lib/tool"), 0o6755);
        fs::create_dir(var.join("empty")).unwrap();
        mode(&var.join("empty"), 0o1777);
        symlink("../run", var.join("run")).unwrap();
        symlink("/no such/100%", var.join("dangling")).unwrap();
        tool("mkfifo", "coreutils", &[var.join("pipe").as_os_str()]).succeeded();
        for (name, kind, minor) in [("null", "c", "3"), ("disk", "b", "0")] {
            let node = var.join(name);
            tool("mknod", "coreutils", &[node.as_os_str(), kind.as_ref(), "1".as_ref(), minor.as_ref()])
                .succeeded();
            mode(&node, 0o620);
            chown(&node, Some(6), Some(12)).unwrap();
        }
        for name in ODD {
            fs::write(var.join(OsStr::from_bytes(name)), name).unwrap();
        }
    });
    host.tiu("apply", [bundle]).succeeded();
    assert_eq!(fs::read_dir(host.root().join("var")).unwrap().count(), 0, "an update alone changes nothing");
    let var = reboot(&mut host);
    assert_eq!(text(var.join("lib/app/state")), "first");
    assert_eq!(mode_and_owner(var.join("lib/app")), (0o2750, 6, 12));
    assert_eq!(mode_and_owner(var.join("lib/app/state")), (0o640, 6, 12));
    assert_eq!(mode_and_owner(var.join("lib/tool")), (0o6755, 6, 12));
    assert_eq!(mode_and_owner(var.join("empty")), (0o1777, 0, 0));
    let (_, attributes) = tree_and_times(&var);
    assert!(attributes.contains("user.note=\"kept\""), "{attributes}");
    assert_eq!(fs::read_link(var.join("run")).unwrap(), Path::new("../run"));
    assert_eq!(fs::read_link(var.join("dangling")).unwrap(), Path::new("/no such/100%"));
    assert_eq!(var.join("pipe").metadata().unwrap().mode() & 0o170_000, 0o010_000);
    for (name, kind, device) in [("null", 0o020_000, 0x103), ("disk", 0o060_000, 0x100)] {
        let node = var.join(name).metadata().unwrap();
        assert_eq!((node.mode() & 0o170_000, node.rdev()), (kind, device));
        assert_eq!(mode_and_owner(var.join(name)), (0o620, 6, 12));
    }
    for name in ODD {
        assert_eq!(fs::read(var.join(OsStr::from_bytes(name))).unwrap(), name);
    }
    // What a second boot finds is what the first one left.
    let before = tree_and_times(&var);
    assert_eq!(tree_and_times(&reboot(&mut host)), before);
}

/// The image's `/var` in `version`.
fn image(kit: &Kit, version: u32) -> PathBuf {
    kit.bundle(version, |root| {
        let var = root.join("var");
        for name in ["edited", "emptied", "untouched", "moved", "to-link"] {
            tree::file(root, &format!("var/lib/{name}"), format!("default {version}"));
        }
        fs::create_dir_all(var.join("lib/dir")).unwrap();
        mode(&var.join("lib/dir"), if version == 1 { 0o755 } else { 0o700 });
        symlink(format!("target-{version}"), var.join("lib/link")).unwrap();
        tree::file(root, &format!("var/lib/only-{version}"), "here");
        tree::file(root, &format!("var/lib/dir/only-{version}"), "here");
    })
}

#[test]
fn nothing_that_is_there_changes_in_a_second_update_either() {
    let kit = Kit::new();
    let mut host = kit.host();
    host.tiu("apply", [image(&kit, 1)]).succeeded();
    let lib = reboot(&mut host).join("lib");
    tree::file(&lib, "edited", "the host's");
    mode(&lib.join("edited"), 0o600);
    chown(lib.join("edited"), Some(1000), Some(1001)).unwrap();
    xattr(&lib.join("edited"), "user.host", "1");
    xattr(&lib.join("dir"), "user.host", "1");
    tool("setfacl", "acl", &["-m".as_ref(), "u:7:r".as_ref(), lib.join("edited").as_os_str()]).succeeded();
    tree::file(&lib, "emptied", "");
    fs::remove_file(lib.join("only-1")).unwrap();
    fs::rename(lib.join("moved"), lib.join("elsewhere")).unwrap();
    fs::rename(lib.join("to-link"), lib.join("real")).unwrap();
    symlink("real", lib.join("to-link")).unwrap();
    chown(lib.join("dir"), Some(1000), Some(1001)).unwrap();
    mode(&lib.join("dir"), 0o711);
    tree::file(&lib, "only-2", "the host had it before the image");
    let before = tree_and_times(&lib);

    host.tiu("apply", [image(&kit, 2)]).succeeded();
    assert_eq!(tree_and_times(&lib), before, "an update alone changes nothing");
    reboot(&mut host);
    let (mut now, attributes) = tree_and_times(&lib);
    let (mut then, attributes_then) = before;
    assert_eq!(attributes, attributes_then);
    // New in the image; or a default that the host had moved away. A default that the image dropped
    // does not come back.
    for (name, expected) in [("dir/only-2", "here"), ("moved", "default 2")] {
        assert_eq!(text(lib.join(name)), expected);
        assert!(now.remove(&lib.join(name)).is_some());
        assert!(!then.contains_key(&lib.join(name)), "{name}");
    }
    assert!(!lib.join("only-1").exists());
    assert_eq!(text(lib.join("dir/only-1")), "here", "what the image dropped stays where it is");
    // Their times tell what was made in them.
    for dir in ["", "dir"] {
        let dir = lib.join(dir).components().collect::<PathBuf>();
        assert!(now.remove(&dir).is_some() && then.remove(&dir).is_some());
    }
    assert_eq!(now, then);
    assert_eq!(mode_and_owner(lib.join("dir")), (0o711, 1000, 1001));
    for (name, expected) in
        [("edited", "the host's"), ("emptied", ""), ("untouched", "default 1"), ("elsewhere", "default 1")]
    {
        assert_eq!(text(lib.join(name)), expected, "{name}");
    }
    assert_eq!(fs::read_link(lib.join("link")).unwrap(), Path::new("target-1"));
}

#[test]
fn a_rollback_leaves_var_as_it_is() {
    let kit = Kit::new();
    let mut host = kit.host();
    host.tiu("apply", [image(&kit, 1)]).succeeded();
    reboot(&mut host);
    host.tiu("apply", [image(&kit, 2)]).succeeded();
    let var = reboot(&mut host);
    let before = tree_and_times(&var);
    host.tiu("rollback", ["2"]).succeeded();
    reboot(&mut host);
    assert_eq!(tree_and_times(&var), before);
}

#[test]
fn what_the_host_has_of_another_type_stays() {
    let kit = Kit::new();
    let mut host = kit.host();
    let var = host.root().join("var");
    fs::create_dir_all(var.join("lib/file/below")).unwrap();
    fs::create_dir_all(var.join("lib/link")).unwrap();
    tree::file(&var, "lib/dir", "a file");
    // Somebody moved the data.
    fs::create_dir(var.join("lib/real")).unwrap();
    tree::file(&var, "lib/real/old", "the host's");
    symlink("real", var.join("lib/moved")).unwrap();
    // A link out of the tree, where the image has a directory with something in it.
    let outside = host.scratch().join("outside");
    fs::create_dir(&outside).unwrap();
    symlink(&outside, var.join("lib/away")).unwrap();
    let bundle = kit.bundle(1, |root| {
        tree::file(root, "var/lib/file", "default");
        symlink("target", root.join("var/lib/link")).unwrap();
        fs::create_dir_all(root.join("var/lib/dir")).unwrap();
        tree::file(root, "var/lib/away/new", "default");
        tree::file(root, "var/lib/moved/old", "default");
        tree::file(root, "var/lib/moved/new", "default");
        tree::file(root, "var/lib/other", "default");
    });
    host.tiu("apply", [bundle]).succeeded();
    let before = tree_and_times(&var).0;
    host.reboot();
    boot(&host);
    let now = tree_and_times(&var).0;
    for (path, state) in before.iter().filter(|(path, _)| !path.ends_with("lib") && !path.ends_with("real")) {
        assert_eq!(now.get(path), Some(state), "{}", path.display());
    }
    assert_eq!(text(var.join("lib/other")), "default", "the rest comes all the same");
    assert_eq!(text(var.join("lib/real/new")), "default", "where a link leads, what is missing comes");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "something was made outside of the host");
}

/// `app` is user 200 and group 300 in the image.
fn image_of_app(kit: &Kit) -> PathBuf {
    kit.bundle(1, |root| {
        tree::file(root, "etc/passwd", "root:x:0:0:root:/root:/bin/sh\napp:x:200:300::/:/bin/false\n");
        tree::file(root, "etc/group", "root:x:0:\napp:x:300:\n");
        tree::file(root, "var/lib/app/state", "x");
        tree::file(root, "var/lib/nobody-s", "x");
        for path in ["var/lib/app", "var/lib/app/state"] {
            chown(root.join(path), Some(200), Some(300)).unwrap();
        }
        let pipe = root.join("var/lib/app/pipe");
        tool("mkfifo", "coreutils", &[pipe.as_os_str()]).succeeded();
        lchown(pipe, Some(200), Some(300)).unwrap();
        // A number that no name has.
        chown(root.join("var/lib/nobody-s"), Some(4321), Some(4322)).unwrap();
        fs::create_dir(root.join("var/lib/nameless")).unwrap();
        chown(root.join("var/lib/nameless"), Some(4321), Some(4322)).unwrap();
    })
}

#[test]
fn owners_are_the_host_s_numbers_of_the_same_names() {
    let kit = Kit::new();
    let mut host = kit.host_with(512, |root| {
        let passwd =
            "root:x:0:0:root:/root:/bin/sh\nother:x:200:200::/:/bin/false\napp:x:777:888::/:/bin/false\n";
        tree::file(root, "etc/passwd", passwd);
        tree::file(root, "etc/group", "root:x:0:\nother:x:300:\napp:x:888:\n");
    });
    host.tiu("apply", [image_of_app(&kit)]).succeeded();
    let factory = host.snapshot(2).join("usr/share/factory/var/lib");
    let lib = reboot(&mut host).join("lib");
    for path in ["app", "app/state", "app/pipe"] {
        let found = mode_and_owner(lib.join(path));
        assert_eq!((found.1, found.2), (777, 888), "{path}");
        let found = mode_and_owner(factory.join(path));
        assert_eq!((found.1, found.2), (777, 888), "the factory's {path}");
    }
    for path in ["nobody-s", "nameless"] {
        let found = mode_and_owner(lib.join(path));
        assert_eq!((found.1, found.2), (4321, 4322), "{path}");
    }
}

#[test]
fn a_package_s_own_lines_count_before_the_image_s() {
    let kit = Kit::new();
    let mut host = kit.host();
    let bundle = kit.bundle(1, |root| {
        tree::file(root, "var/lib/app/state", "default");
        tree::file(root, "usr/share/factory/var/lib/copied/a/b", "default");
        tree::file(root, "var/lib/copied/a/b", "default");
        tree::file(
            root,
            "usr/lib/tmpfiles.d/app.conf",
            "d /var/lib/app 0700 root root -\nC /var/lib/copied - - - -\nf /var/lib/app/state 0600 - - - package\n",
        );
    });
    host.tiu("apply", [bundle]).succeeded();
    host.reboot();
    let done = boot(&host);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let lib = host.root().join("var/lib");
    assert_eq!(mode_and_owner(lib.join("app")), (0o700, 0, 0));
    assert_eq!(text(lib.join("app/state")), "package");
    assert_eq!(text(lib.join("copied/a/b")), "default");
}

#[test]
fn factory_var_turned_off_leaves_var_alone() {
    let kit = Kit::new();
    let mut host = kit.host();
    let recipe = Recipe { compatible: "testos", version: "1", more: "factory-var: false\n" };
    let bundle = kit.bundle_of(1, recipe, |root| tree::file(root, "var/lib/x", "x"));
    host.tiu("apply", [bundle]).succeeded();
    let var = reboot(&mut host);
    assert_eq!(fs::read_dir(var).unwrap().count(), 0);
}
