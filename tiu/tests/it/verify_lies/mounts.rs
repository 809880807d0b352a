//! Mounts, subvolumes and lines of fstab that hide files.

use super::*;

#[test]
fn a_line_in_fstab() {
    is_found(
        |root| {
            append(root, "etc/fstab", "none /usr/bin none noauto 0 0\n");
            evil(root);
        },
        &["usr/bin/cat: content", "usr/bin: mount"],
    );
}

#[test]
fn a_line_in_fstab_for_all_of_usr_or_boot() {
    is_found(
        |root| {
            append(root, "etc/fstab", "none /boot none noauto 0 0\nnone /usr none noauto 0 0\n");
            evil(root);
        },
        &["usr/bin/cat: content", "usr: mount", "boot: mount"],
    );
}

#[test]
fn a_subvolume_in_place_of_a_directory() {
    is_found(
        |root| {
            fs::rename(root.join("usr/bin"), root.join("usr/old")).unwrap();
            run("btrfs", &["-q", "subvolume", "create"], &root.join("usr/bin"));
            run("cp", &["-a", "-T", root.join("usr/old").to_str().unwrap()], &root.join("usr/bin"));
            fs::remove_dir_all(root.join("usr/old")).unwrap();
            evil(root);
        },
        &["usr/bin: subvolume"],
    );
}

#[test]
fn a_subvolume_of_its_own_for_etc_is_compared() {
    let outcome = is_found(
        |root| {
            tiu_testing::system::nest_etc(root);
            tree::file(root, "etc/new", "x");
            evil(root);
        },
        &["usr/bin/cat: content"],
    );
    assert!(outcome.stdout.contains("changed since the update: /etc/new"), "{}", outcome.stdout);
}

#[test]
fn another_snapshot_s_files_are_mounted_over_the_changed_ones() {
    let (_kit, host) = updated();
    let good = host.scratch().join("good");
    run("cp", &["-a", host.snapshot(2).join("usr/bin").to_str().unwrap()], &good);
    host.edit(2, evil);
    run("mount", &["--bind", good.to_str().unwrap()], &host.snapshot(2).join("usr/bin"));
    verify_finds(&host, &["usr/bin/cat: content"]);
    run("umount", &[], &host.snapshot(2).join("usr/bin"));
}

#[test]
fn another_snapshot_is_mounted_over_the_changed_one() {
    let (kit, host) = updated();
    host.tiu("apply", [kit.bundle(2, |_| {})]).succeeded();
    host.edit(2, evil);
    run("mount", &["--bind", host.snapshot(3).to_str().unwrap()], &host.snapshot(2));
    host.tiu("verify", ["2"]).refused(&["mounted over snapshot 2"]);
    run("umount", &[], &host.snapshot(2));
}
