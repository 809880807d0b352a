use super::*;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

fn write(root: &Path, path: &str, text: &str, mode: u32) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// A system with an init, after `change`.
fn system(change: impl FnOnce(&Path)) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "usr/lib/systemd/systemd", "x", 0o755);
    write(dir.path(), "etc/passwd", "root:x:0:0::/root:/bin/sh\n", 0o644);
    change(dir.path());
    dir
}

/// Checks it with an initrd needed at `boot/initrd-VERSION`.
fn checked(kernel: Option<&str>, change: impl FnOnce(&Path)) -> Result<(), NotBootable> {
    let dir = system(change);
    let places = |version: &str| vec![TreePathBuf::new(format!("boot/initrd-{version}")).unwrap()];
    check(&Tree::open(dir.path()).unwrap(), kernel, &NeededInitrd::OneOf(&places))
}

fn debian(root: &Path) {
    write(root, "boot/vmlinuz-6.1", "k", 0o644);
    write(root, "boot/initrd-6.1", "i", 0o644);
    write(root, "usr/lib/modules/6.1/kernel/a.ko.xz", "m", 0o644);
    write(root, "usr/lib/modules/6.1/modules.dep", "m:", 0o644);
}

fn suse(root: &Path) {
    debian(root);
    fs::rename(root.join("boot/vmlinuz-6.1"), root.join("usr/lib/modules/6.1/vmlinuz")).unwrap();
    symlink("../usr/lib/modules/6.1/vmlinuz", root.join("boot/vmlinuz-6.1")).unwrap();
    symlink("/usr/lib/modules/6.1/initrd", root.join("boot/next")).unwrap();
    fs::rename(root.join("boot/initrd-6.1"), root.join("usr/lib/modules/6.1/initrd")).unwrap();
    symlink("next", root.join("boot/initrd-6.1")).unwrap();
}

#[test]
fn layouts_of_distributions_boot() {
    checked(Some("6.1"), debian).unwrap();
    checked(None, debian).unwrap();
    checked(Some("6.1"), suse).unwrap();
    checked(Some("6.1"), |root| write(root, "usr/lib/modules/6.1/linux.efi", "u", 0o644)).unwrap();
    checked(None, |_| {}).unwrap();
}

#[test]
fn an_init_is_an_executable_file_in_the_tree() {
    let without = |change: fn(&Path)| {
        checked(None, |root| {
            fs::remove_file(root.join("usr/lib/systemd/systemd")).unwrap();
            change(root);
        })
    };
    without(|root| {
        write(root, "usr/lib/real/init", "x", 0o755);
        symlink("usr/sbin", root.join("sbin")).unwrap();
        fs::create_dir_all(root.join("usr/sbin")).unwrap();
        symlink("/usr/lib/real/init", root.join("usr/sbin/init")).unwrap();
    })
    .unwrap();
    let refused: [fn(&Path); 5] = [
        |_| {},
        |root| write(root, "sbin/init", "x", 0o644),
        |root| write(root, "sbin/init", "", 0o755),
        |root| fs::create_dir_all(root.join("sbin/init")).unwrap(),
        |root| {
            fs::create_dir_all(root.join("sbin")).unwrap();
            // Exists on this machine, not in the tree.
            symlink("/usr/bin/env", root.join("sbin/init")).unwrap();
        },
    ];
    for change in refused {
        assert!(matches!(without(change), Err(NotBootable::Init { .. })));
    }
}

#[test]
fn a_kernel_without_its_parts_is_refused() {
    let without = |path: &str| {
        checked(Some("6.1"), |root| {
            debian(root);
            fs::remove_file(root.join(path)).unwrap();
        })
    };
    assert!(matches!(without("boot/vmlinuz-6.1"), Err(NotBootable::Kernel { .. })));
    assert!(matches!(without("boot/initrd-6.1"), Err(NotBootable::Initrd { .. })));
    assert!(matches!(without("usr/lib/modules/6.1/modules.dep"), Err(NotBootable::Modules { .. })));
    let empty = checked(Some("6.1"), |root| {
        debian(root);
        write(root, "boot/initrd-6.1", "", 0o644);
    });
    assert!(matches!(empty, Err(NotBootable::Initrd { .. })));
}

#[test]
fn a_kernel_that_no_manifest_names_needs_an_initrd_too() {
    let error = checked(None, |root| write(root, "boot/vmlinuz-6.1", "k", 0o644)).unwrap_err();
    assert!(matches!(&error, NotBootable::Initrd { version, .. } if version == "6.1"), "{error}");
    let error = checked(None, |root| write(root, "usr/lib/modules/6.2/vmlinuz", "k", 0o644)).unwrap_err();
    assert!(matches!(&error, NotBootable::Initrd { version, .. } if version == "6.2"), "{error}");
}

#[test]
fn without_an_initrd_on_purpose_a_kernel_is_enough() {
    let dir = system(|root| {
        write(root, "boot/vmlinuz-6.1", "k", 0o644);
        fs::create_dir_all(root.join("usr/lib/modules/6.1/kernel")).unwrap();
    });
    check(&Tree::open(dir.path()).unwrap(), Some("6.1"), &NeededInitrd::None).unwrap();
}

#[test]
fn an_account_has_the_number_0() {
    for good in ["root:x:0:0::/root:/bin/sh\n", "a:x:1:1:::\ntoor::0:0::/:\n"] {
        check_accounts(good.as_bytes()).unwrap();
    }
    for bad in [
        "",
        "\n",
        "root:x:1:0::/:\n",
        "#root:x:0:0::/:\n",
        ":x:0:0::/:\n",
        "root:0:1",
        "root:x:00x:0:::",
        "+root:x:0:0:::",
        "root:x:0",
        "root:x:0:",
        "root:x:0:staff:::",
    ] {
        assert!(matches!(check_accounts(bad.as_bytes()), Err(NotBootable::Root)), "{bad}");
    }
}

#[test]
fn an_fstab_that_cannot_be_parsed_is_refused() {
    let error =
        checked(None, |root| write(root, "etc/fstab", "UUID=1 / btrfs\ngarbage\n", 0o644)).unwrap_err();
    assert!(error.to_string().starts_with("/etc/fstab: line 2: "), "{error}");
}

#[test]
fn links_lead_within_the_system_and_end() {
    let dir = system(|root| {
        symlink("loop", root.join("loop")).unwrap();
        symlink("../../../usr/lib/systemd", root.join("up")).unwrap();
        symlink("usr/./lib//systemd/", root.join("dots")).unwrap();
    });
    let tree = Tree::open(dir.path()).unwrap();
    let resolved =
        |path: &str| resolve(&tree, TreePath::new(path).unwrap()).map(|(path, _)| path.to_string());
    assert_eq!(resolved("up/systemd").as_deref(), Some("usr/lib/systemd/systemd"));
    assert_eq!(resolved("dots/systemd").as_deref(), Some("usr/lib/systemd/systemd"));
    for path in ["loop", "usr/lib/systemd/systemd/below", "none"] {
        assert_eq!(resolved(path), None, "{path}");
    }
}

#[test]
fn a_kernel_without_a_version_needs_an_initrd() {
    let with = |initrd: &str| {
        checked(None, |root| {
            write(root, "boot/vmlinuz", "k", 0o644);
            write(root, initrd, "i", 0o644);
        })
    };
    let error = with("boot/other").unwrap_err();
    assert!(error.to_string().starts_with("it has no initrd for kernel /boot/vmlinuz"), "{error}");
    for initrd in ["boot/initrd", "boot/initrd.img", "boot/initramfs.img"] {
        with(initrd).unwrap();
    }
}

#[test]
fn the_name_of_a_kernel_alone_is_not_a_kernel() {
    let changes: [fn(&Path); 3] = [
        |root| write(root, "boot/vmlinuz-6.1", "", 0o644),
        |root| {
            fs::create_dir(root.join("boot")).unwrap();
            symlink("../usr/lib/modules/6.1/vmlinuz", root.join("boot/vmlinuz-6.1")).unwrap();
        },
        |root| write(root, "boot/Image", "", 0o644),
    ];
    for change in changes {
        let error = checked(None, change).unwrap_err();
        assert!(matches!(&error, NotBootable::Kernel { .. }), "{error}");
    }
    // A whole kernel besides is enough, and so is nothing of that name.
    checked(None, |root| {
        debian(root);
        symlink("vmlinuz-5.9", root.join("boot/vmlinuz.old")).unwrap();
        symlink("none", root.join("boot/vmlinuz-5.9")).unwrap();
    })
    .unwrap();
    checked(None, |root| fs::create_dir_all(root.join("boot/image-data")).unwrap()).unwrap();
}
