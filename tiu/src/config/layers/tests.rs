//! The files of the configuration, one over the other.

use super::*;
use crate::config::keys::Initrd;
use crate::config::paths::pattern;
use tiu_bundle::trust::ValidAt;
use tiu_system::path::TreePathBuf;

fn load(texts: &[(&TreePath, &str)]) -> Result<Config, ConfigError> {
    let root = tempfile::tempdir().unwrap();
    for (file, text) in texts {
        let path = root.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    Config::load(root.path())
}

#[test]
fn no_file_is_the_default() {
    assert_eq!(load(&[]).unwrap(), Config::default());
    assert_eq!(load(&[(FILES[0], "# nothing\n")]).unwrap(), Config::default());
}

#[test]
fn the_file_in_etc_wins_key_by_key() {
    let config = load(&[
        (FILES[2], "keyring: /usr/share/vendor.pem\ncompatible: vendor\ninitrd: none\n"),
        (FILES[1], "compatible: distribution\n"),
        (FILES[0], "keyring: [/etc/tiu/a.pem, /etc//tiu/b/]\nvalid-at: 2024-01-01T00:00:00Z\n"),
    ])
    .unwrap();
    let keyring: Vec<_> = config.keyring.iter().map(|path| path.to_string()).collect();
    assert_eq!(keyring, ["etc/tiu/a.pem", "etc/tiu/b"]);
    assert_eq!(config.compatible.as_deref(), Some("distribution"));
    assert_eq!(config.initrd, Initrd::None);
    assert_eq!(config.valid_at, ValidAt::Unix(1_704_067_200));
}

#[test]
fn a_list_is_added_to_or_replaced() {
    let defaults = Config::default();
    let load = |texts: &[(&TreePath, &str)]| load(texts).unwrap();
    let added = load(&[
        (FILES[2], "host-paths: /vendor\nkeyring: /usr/share/vendor.pem\ncrl: /usr/share/crl\n"),
        (FILES[1], "add-host-paths: [/distribution, /vendor]\n"),
        (
            FILES[0],
            "etc: {add-always-host: [/etc/mine, /etc/fstab]}\nadd-host-paths: /mine\nadd-keyring: /etc/mine.pem\nadd-crl: /etc/crl\n",
        ),
    ]);
    let shown = |list: &[TreePathBuf]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(shown(&added.host_paths), ["vendor", "distribution", "mine"]);
    assert_eq!(shown(&added.keyring), ["usr/share/vendor.pem", "etc/mine.pem"]);
    assert_eq!(shown(&added.crl), ["usr/share/crl", "etc/crl"]);
    let (mine, fstab) = (pattern("/etc/mine").unwrap(), pattern("/etc/fstab").unwrap());
    // What `keyring` and `crl` name in /etc is the host's, too.
    let own = ["/etc/mine", "/etc/mine.pem", "/etc/crl"].map(|path| pattern(path).unwrap());
    assert_eq!(added.etc_always_host, [&defaults.etc_always_host[..], &own].concat());
    assert!(added.etc_always_host.contains(&fstab));
    // The one that replaces, and a file that does both.
    let replaced = load(&[
        (FILES[2], "host-paths: /vendor\netc: {add-always-host: /etc/vendor}\n"),
        (FILES[0], "host-paths: /mine\netc: {always-host: /etc/fstab, add-always-host: /etc/mine}\n"),
    ]);
    assert_eq!(shown(&replaced.host_paths), ["mine"]);
    assert_eq!(replaced.etc_always_host, [fstab, mine]);
    assert_eq!(replaced.etc_always_image, defaults.etc_always_image);
}

#[test]
fn what_is_added_to_one_list_leaves_the_other() {
    let pattern = |text| pattern(text).unwrap();
    let host = load(&[(FILES[0], "etc: {add-always-host: /etc/os-release}\n")]).unwrap();
    assert!(host.etc_always_host.contains(&pattern("/etc/os-release")));
    assert!(!host.etc_always_image.contains(&pattern("/etc/os-release")));
    let image = load(&[(FILES[0], "etc: {add-always-image: /etc/hostname}\n")]).unwrap();
    assert!(image.etc_always_image.contains(&pattern("/etc/hostname")));
    assert!(!image.etc_always_host.contains(&pattern("/etc/hostname")));
}

#[test]
fn the_error_names_an_unknown_key_and_its_file() {
    let error = load(&[(FILES[0], "keyrings: /x\n")]).unwrap_err();
    assert!(error.to_string().contains("keyrings"), "{error}");
    assert!(error.to_string().contains("etc/tiu/tiu.yaml"), "{error}");
    let error = load(&[(FILES[0], "etc:\n  always-hosts: [/x]\n")]).unwrap_err();
    assert!(error.to_string().contains("always-hosts"), "{error}");
}

#[test]
fn a_relative_or_climbing_path_is_refused() {
    for text in [
        "keyring: a.pem",
        "crl: /a/../b",
        "host-paths: [data]",
        "initrd-path: ./x",
        "host-paths: /",
        "etc: {always-host: /}",
        "etc: {always-host: [x]}",
        "etc: {add-always-host: x}",
        "etc: {add-always-image: [/etc/..]}",
        "add-host-paths: data",
        "add-keyring: a.pem",
        "add-crl: [./a]",
        "etc: {always-image: [/etc/../x]}",
    ] {
        assert!(matches!(load(&[(FILES[0], text)]), Err(ConfigError::Value { .. })), "{text}");
    }
}

#[test]
fn a_wrong_value_is_refused() {
    for text in [
        "valid-at: tomorrow",
        "purpose: none",
        "initrd: maybe",
        "boot: grub3",
        "etc: {change: maybe}",
        "verity: none",
        "reuse: maybe",
        "usb: yes",
        "usb-report: maybe",
        "usb-filesystems: btrfs",
        "update: ' '",
        "- a",
        "keyring: {a: b}",
    ] {
        let error = load(&[(FILES[0], text)]).unwrap_err().to_string();
        assert!(!error.contains("unknown field"), "{text}: {error}");
    }
}
