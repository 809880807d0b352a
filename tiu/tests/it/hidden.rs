//! A path of the host that would hide a part of the image: the update is refused.

use crate::second_update::{host, refuses};
use std::fs;
use std::path::Path;
use tiu_testing::kit::Kit;
use tiu_testing::program::{json, tool};
use tiu_testing::tree;

/// Adds a line to a file of the host.
fn add(root: &Path, path: &str, line: &str) {
    let text = fs::read_to_string(root.join(path)).unwrap();
    tree::file(root, path, format!("{text}{line}\n"));
}

#[test]
fn a_boot_partition_would_keep_the_old_kernel() {
    let kit = Kit::new();
    let host = host(&kit, |root| add(root, "etc/fstab", "/dev/sda2 /boot ext4 defaults 0 2"));
    let bundle = kit.bundle(2, |root| tree::file(root, "boot/vmlinuz-6.1.2-test", "kernel"));
    refuses(&host, &bundle, &["partial", "/boot/vmlinuz-6.1.2-test", "fstab", "remove the line"]);
}

#[test]
fn host_paths_and_lines_of_fstab_over_programs_are_refused() {
    let kit = Kit::new();
    let bundle = kit.bundle(2, |_| {});
    let configured = host(&kit, |root| add(root, "etc/tiu/tiu.yaml", "host-paths: /lib/modules"));
    refuses(
        &configured,
        &bundle,
        &["host-paths of tiu.yaml names /lib/modules", "/usr/lib/modules/6.1.2-test"],
    );
    drop(configured);
    let noauto = host(&kit, |root| add(root, "etc/fstab", "none /usr/share none noauto"));
    refuses(&noauto, &bundle, &["a line of /etc/fstab mounts something at /usr/share"]);
}

#[test]
fn a_subvolume_or_a_mount_over_programs_is_refused() {
    let kit = Kit::new();
    let bundle = kit.bundle(2, |_| {});
    let nested = host(&kit, |root| {
        fs::remove_dir_all(root.join("usr/share")).unwrap();
        let path = root.join("usr/share");
        tool("btrfs", "btrfs-progs", &["subvolume".as_ref(), "create".as_ref(), path.as_os_str()])
            .succeeded();
    });
    refuses(&nested, &bundle, &["a subvolume inside the snapshot is at /usr/share"]);
    drop(nested);
    let mounted = host(&kit, |_| {});
    let path = mounted.root().join("usr/share");
    let arguments = ["-t", "tmpfs", "tmpfs"].map(AsRef::as_ref);
    tool("mount", "mount", &[&arguments[..], &[path.as_os_str()]].concat()).succeeded();
    refuses(&mounted, &bundle, &["something is mounted at /usr/share", "unmount it"]);
}

#[test]
fn modules_of_the_host_s_grub_stay_and_the_image_s_are_reported() {
    let kit = Kit::new();
    let host = host(&kit, |root| {
        tree::file(root, "boot/grub2/x86_64-efi/ext2.mod", "host");
        add(root, "etc/fstab", "UUID=0 /boot/grub2/x86_64-efi btrfs subvol=@/boot/grub2/x86_64-efi 0 0");
    });
    let bundle = kit.bundle(2, |root| tree::file(root, "boot/grub2/x86_64-efi/ext2.mod", "image"));
    let applied = json(&host.tiu("apply", ["--json".as_ref(), bundle.as_os_str()]).succeeded());
    assert_eq!(applied["not_installed"][0]["path"], "boot/grub2/x86_64-efi");
    let module = host.snapshot(3).join("boot/grub2/x86_64-efi/ext2.mod");
    assert_eq!(fs::read_to_string(module).unwrap(), "host");
}

#[test]
fn a_mount_point_behind_a_link_is_the_host_s() {
    let kit = Kit::new();
    let host = host(&kit, |root| {
        tree::file(root, "usr/lib/firmware/mine/a", "mine");
        add(root, "etc/fstab", "UUID=0 /lib/firmware/mine btrfs subvol=@/firmware,noauto 0 0");
    });
    host.tiu("apply", [kit.bundle(2, |_| {})]).succeeded();
    assert_eq!(fs::read_to_string(host.snapshot(3).join("usr/lib/firmware/mine/a")).unwrap(), "mine");
    host.tiu("verify", ["3", "--accept", "/lib/firmware/mine", "--accept", "/usr/lib/firmware"]).succeeded();
}

#[test]
fn a_directory_that_is_bound_to_itself_is_not_mounted_elsewhere() {
    let kit = Kit::new();
    let bundle = kit.bundle(2, |_| {});
    for (directory, line) in [("data", "/data /data none bind 0 0"), ("etc", "/etc /etc none bind 0 0")] {
        let host = host(&kit, |root| {
            fs::create_dir_all(root.join(directory)).unwrap();
            let path = root.join(directory).join("ours");
            tool("btrfs", "btrfs-progs", &["subvolume".as_ref(), "create".as_ref(), path.as_os_str()])
                .succeeded();
            tree::file(&path, "key", "x");
            add(root, "etc/fstab", line);
        });
        let error = format!("/{directory}/ours of the host is a subvolume inside the snapshot");
        refuses(&host, &bundle, &[&error]);
    }
}
