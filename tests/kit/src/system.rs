//! Small systems: trees that a bundle can be made of.

use crate::program::{sh, tool};
use crate::tree;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

/// A system of `version`: os-release, accounts, a kernel, a dracut that writes an initrd, and some
/// files of every size class.
///
/// Between two versions some files change wholly, one changes in the middle, one goes, one comes.
pub fn small(root: &Path, version: u32) {
    for dir in [
        "dev",
        "proc",
        "sys",
        "run",
        "tmp",
        "var",
        "home",
        "root",
        "opt",
        "srv",
        "usr/local",
        "boot",
        ".snapshots",
    ] {
        fs::create_dir_all(root.join(dir)).unwrap();
    }
    tree::file(
        root,
        "usr/lib/os-release",
        format!("ID=testos\nNAME=\"Test OS\"\nVERSION_ID=\"{version}\"\nPRETTY_NAME=\"Test OS {version}\"\n"),
    );
    fs::create_dir_all(root.join("etc")).unwrap();
    symlink("../usr/lib/os-release", root.join("etc/os-release")).unwrap();
    for name in ["bin", "sbin", "lib"] {
        fs::create_dir_all(root.join("usr").join(name)).unwrap();
        symlink(format!("usr/{name}"), root.join(name)).unwrap();
    }
    tree::file(root, "etc/passwd", "root:x:0:0:root:/root:/bin/sh\n");
    tree::file(root, "etc/group", "root:x:0:\n");
    for (name, line) in [("shadow", "root:!*:19000::::::\n"), ("gshadow", "root:*::\n")] {
        let path = format!("etc/{name}");
        tree::file(root, &path, line);
        fs::set_permissions(root.join(path), PermissionsExt::from_mode(0o640)).unwrap();
    }
    tree::file(root, "etc/default/app", format!("LEVEL={version}\n"));
    tree::file(root, "etc/app.conf", "colour=blue\n");
    tree::file(
        root,
        format!("usr/lib/modules/6.1.{version}-test/vmlinuz").as_str(),
        tree::noise(u64::from(version), 40_000),
    );
    tree::file(root, "usr/share/same", tree::noise(100, 300_000));
    tree::file(root, "usr/share/changed", tree::noise(200 + u64::from(version), 20_000));
    let mut partly = tree::noise(300, 600_000);
    partly[300_000..300_100].copy_from_slice(&tree::noise(400 + u64::from(version), 100));
    tree::file(root, "usr/share/partly", partly);
    tree::file(root, format!("usr/share/only-{version}").as_str(), "here");
    for (name, size) in [("empty", 0), ("one", 1), ("4095", 4095), ("4096", 4096), ("4097", 4097)] {
        tree::file(root, format!("usr/share/size-{name}").as_str(), tree::noise(500, size));
    }
    fs::hard_link(root.join("usr/share/same"), root.join("usr/share/same-again")).unwrap();
    symlink("same", root.join("usr/share/link")).unwrap();
}

/// A small system that could boot, with a shell for scripts, and a dracut that makes an initrd with
/// the module of the root filesystem.
pub fn bootable(root: &Path, version: u32) {
    small(root, version);
    tree::script(root, "usr/sbin/init", "#!/bin/sh\n");
    shell(root);
    let kernel = format!("6.1.{version}-test");
    tree::file(root, &format!("usr/lib/dracut/initrd-{kernel}"), initrd(&kernel));
    dracut(root, "cat /proc/1/cmdline >/dev/null && cat /usr/lib/dracut/initrd-$kernel >\"$image\"\n");
}

/// An initrd as the kernel reads it: a cpio archive of the "new" format with `files`, by path and
/// content.
pub fn cpio(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let pad = |bytes: &mut Vec<u8>| bytes.resize(bytes.len().next_multiple_of(4), 0);
    for (number, (path, content)) in files.iter().chain(&[("TRAILER!!!", &b""[..])]).enumerate() {
        let fields = [number + 1, 0o100_644, 0, 0, 1, 0, content.len(), 0, 0, 0, 0, path.len() + 1, 0]
            .map(|n| format!("{n:08x}"));
        bytes.extend(b"070701");
        bytes.extend(fields.concat().bytes());
        bytes.extend(path.bytes().chain([0]));
        pad(&mut bytes);
        bytes.extend(*content);
        pad(&mut bytes);
    }
    bytes
}

/// Returns the initrd that the dracut of a bootable system makes for `kernel`.
pub fn initrd(kernel: &str) -> Vec<u8> {
    let module = format!("usr/lib/modules/{kernel}/kernel/fs/btrfs/btrfs.ko");
    cpio(&[("etc/initrd-release", format!("initrd for {kernel}\n").as_bytes()), (&module, b"")])
}

/// A fake dracut: `body` sees its arguments as `$image` and `$kernel`.
pub fn dracut(root: &Path, body: &str) {
    let arguments = "for last; do image=$kernel kernel=$last; done\n";
    tree::script(root, "usr/bin/dracut", &format!("#!/bin/sh\n{arguments}{body}"));
}

/// Copies a shell and a few tools with their libraries.
fn shell(root: &Path) {
    programs(
        root,
        &["/bin/sh", "/bin/cat", "/bin/sleep", "/bin/dd", "/bin/touch", "/bin/mknod", "/bin/mount"],
    );
}

/// Copies programs of this machine with their libraries, to `/usr`.
pub fn programs(root: &Path, programs: &[&str]) {
    for program in programs {
        let below = program.trim_start_matches('/').trim_start_matches("usr/");
        copy(Path::new(program), &root.join("usr").join(below));
    }
    libraries(root, programs);
}

/// Copies the libraries of programs of this machine.
pub fn libraries(root: &Path, programs: &[&str]) {
    let arguments: Vec<_> = programs.iter().map(AsRef::as_ref).collect();
    let listed = tool("ldd", "libc-bin", &arguments).succeeded().stdout;
    let libraries: BTreeSet<&str> =
        listed.split_whitespace().filter(|word| word.starts_with('/') && !word.ends_with(':')).collect();
    for library in libraries {
        copy(Path::new(library), &root.join(library.trim_start_matches('/')));
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::copy(from, to).unwrap();
}

/// Makes `/etc` in `root` what it is from transactional-update 5 on: a nested subvolume.
pub fn nest_etc(root: &Path) {
    fs::rename(root.join("etc"), root.join("plain")).unwrap();
    libbtrfsutil::create_subvolume(root.join("etc")).unwrap();
    sh!("cp" of "coreutils", "-aT", root.join("plain"), root.join("etc"));
    fs::remove_dir_all(root.join("plain")).unwrap();
}
