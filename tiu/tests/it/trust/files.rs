//! Files of the configuration that cannot be read or reached.

use super::loses_trust;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use tiu_testing::host::LoopHost;
use tiu_testing::kit::Kit;
use tiu_testing::tree;

#[test]
fn a_configuration_of_the_image_with_keys_of_a_later_tiu_is_none_of_ours() {
    let kit = Kit::new();
    let host = kit.host();
    let later = |root: &Path| {
        tree::file(root, "usr/lib/tiu/tiu.yaml", "channel: https://example.com\nvalid-at: now\n")
    };
    host.tiu("apply", [kit.bundle(1, later)]).succeeded();
    let broken = |root: &Path| tree::file(root, "usr/lib/tiu/tiu.yaml", "keyring: [\n");
    loses_trust(&host, &[kit.bundle(2, broken).as_os_str()], &["usr/lib/tiu/tiu.yaml"]);
    let relative = |root: &Path| tree::file(root, "usr/lib/tiu/tiu.yaml", "crl: x\n");
    loses_trust(&host, &[kit.bundle(2, relative).as_os_str()], &["crl"]);
}

#[test]
fn a_file_of_the_configuration_that_cannot_be_reached_is_not_one_that_is_absent() {
    let kit = Kit::new();
    type Damage = (&'static str, &'static str, fn(&Path));
    let damage: [Damage; 6] = [
        ("etc/tiu/tiu.yaml", "leads to real, which does not exist", |path| symlink("real", path).unwrap()),
        ("etc/tiu/tiu.yaml", "symbolic link", |path| symlink("tiu.yaml", path).unwrap()),
        ("etc/tiu/tiu.yaml", "not a regular file", |path| fs::create_dir(path).unwrap()),
        ("etc/tiu", "Not a directory", |path| fs::write(path, "").unwrap()),
        ("etc/tiu", "which does not exist", |path| symlink("/nowhere", path).unwrap()),
        ("etc/tiu/keyring.pem", "which does not exist", |path| symlink("real.pem", path).unwrap()),
    ];
    let bundle = kit.bundle(1, |_| {});
    for (path, expected, damage) in damage {
        let host = kit.host();
        host.edit(1, |root| {
            let path = root.join(path);
            if path.is_dir() {
                fs::remove_dir_all(&path).unwrap()
            } else {
                fs::remove_file(&path).unwrap()
            }
            damage(&path);
        });
        let named = path.rsplit('/').next().unwrap();
        host.tiu("apply", [&bundle]).refused(&[expected, named]);
        // A keyring is not needed to go back.
        if path.ends_with("keyring.pem") {
            let status = host.tiu::<&str>("status", []).succeeded();
            assert!(status.stderr.contains("signatures are not checked: "), "{}", status.stderr);
            assert_eq!(host.tiu::<&str>("cleanup", []).code, Some(77));
        }
        assert_eq!(host.snapshots(), [1]);
    }
}

#[test]
fn an_os_release_of_the_base_that_cannot_be_read_stops_no_update() {
    let kit = Kit::new();
    let damage: [fn(&Path); 3] = [
        |path| symlink("nowhere", path).unwrap(),
        |path| fs::create_dir(path).unwrap(),
        |path| symlink("os-release", path).unwrap(),
    ];
    for damage in damage {
        let mut host = kit.host();
        host.tiu("apply", [kit.bundle(1, |_| {})]).succeeded();
        host.reboot();
        host.edit(2, |root| {
            let path = root.join("usr/lib/os-release");
            fs::remove_file(&path).unwrap();
            damage(&path);
        });
        let applied = host.tiu("apply", [kit.bundle(2, |_| {})]).succeeded();
        assert!(applied.stdout.contains("snapshot 2: its os-release cannot be read"), "{}", applied.stdout);
        assert!(host.snapshot(3).join("usr/lib/os-release").is_file());
    }
}

#[test]
fn a_configuration_of_snapper_that_cannot_be_reached_is_not_one_that_is_missing() {
    for (target, expected) in
        [("nowhere", "leads to nowhere, which does not exist"), (".", "not a regular file")]
    {
        let host = LoopHost::with(512, |root| {
            let path = root.join("etc/snapper/configs/root");
            fs::remove_file(&path).unwrap();
            symlink(target, path).unwrap();
        });
        host.tiu::<&str>("status", []).refused(&["etc/snapper/configs", expected]);
    }
}
