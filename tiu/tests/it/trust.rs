//! The certificates that a host trusts, before and after an update.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tiu_testing::host::LoopHost;
use tiu_testing::kit::Kit;
use tiu_testing::pki::{Certificate, revocation_list};
use tiu_testing::program::{Outcome, json, tool};
use tiu_testing::tree;

/// Writes the kit's root certificate into a system.
fn certificate(kit: &Kit, root: &Path, path: &str) {
    tree::file(root, path, fs::read(kit.keyring()).unwrap());
}

/// A host with this configuration, and nothing else about trust.
fn configured(yaml: &str, fill: impl FnOnce(&Path)) -> LoopHost {
    LoopHost::with(512, |root| {
        tree::file(root, "etc/tiu/tiu.yaml", format!("compatible: testos\n{yaml}"));
        fill(root);
    })
}

/// `tiu apply` with the kit's keyring on the command line.
fn apply_with(host: &LoopHost, kit: &Kit, bundle: &Path) -> Outcome {
    host.tiu("apply", [bundle.as_os_str(), "--keyring".as_ref(), kit.keyring().as_os_str()])
}

/// An update is refused because the trust would be gone, and the dry run says the same and touches
/// nothing.
#[track_caller]
fn loses_trust(host: &LoopHost, arguments: &[&OsStr], needles: &[&str]) {
    let before = host.state();
    let dry = host.tiu("apply", arguments.iter().copied().chain(["--dry-run".as_ref()]));
    let refused = host.tiu("apply", arguments);
    for outcome in [dry, refused] {
        outcome.refused(&[needles, &["the next update would be refused", "--allow-trust-change"]].concat());
    }
    assert!(before == host.state(), "something was touched");
}

#[test]
fn a_certificate_in_etc_that_the_keyring_names_stays_though_the_image_drops_it() {
    let kit = Kit::new();
    for (yaml, path) in [
        ("keyring: /etc/tiu/ca.pem\n", "etc/tiu/ca.pem"),
        ("keyring: /etc/tiu/keyring\n", "etc/tiu/keyring/ca.pem"),
        ("keyring: /etc/tiu/link\n", "etc/pki/vendor.pem"),
    ] {
        let host = configured(yaml, |root| {
            fs::create_dir_all(root.join("etc/tiu")).unwrap();
            symlink("../pki/vendor.pem", root.join("etc/tiu/link")).unwrap();
        });
        let mut host = host;
        apply_with(&host, &kit, &kit.bundle(1, |root| certificate(&kit, root, path))).succeeded();
        host.reboot();
        host.tiu("apply", [kit.bundle(2, |_| {})]).succeeded();
        assert!(host.snapshot(3).join(path).is_file(), "{path}");
        host.reboot();
        host.tiu("apply", [kit.bundle(3, |_| {})]).succeeded();
    }
}

#[test]
fn an_image_that_drops_the_certificate_outside_etc_is_refused_before_it_boots_next() {
    let kit = Kit::new();
    let mut host = configured("keyring: /usr/share/vendor.pem\n", |_| {});
    apply_with(&host, &kit, &kit.bundle(1, |root| certificate(&kit, root, "usr/share/vendor.pem")))
        .succeeded();
    host.reboot();
    let second = kit.bundle(2, |_| {});
    loses_trust(&host, &[second.as_os_str()], &["/usr/share/vendor.pem", "No such file"]);
    assert_eq!((host.snapshots(), host.default()), (vec![1, 2], 2));
    let allowed = [second.as_os_str(), "--allow-trust-change".as_ref(), "--dry-run".as_ref()];
    let dry = host.tiu("apply", allowed).succeeded();
    assert!(
        dry.stdout.contains("warning   the new snapshot will not accept this image again"),
        "{}",
        dry.stdout
    );
    let applied = host.tiu("apply", [second.as_os_str(), "--allow-trust-change".as_ref()]).succeeded();
    assert!(
        applied.stdout.contains("warning: the new snapshot will not accept this image again"),
        "{}",
        applied.stdout
    );
    assert_eq!(host.default(), 3);
}

#[test]
fn an_image_that_brings_another_certificate_in_its_own_keyring_rotates_the_trust() {
    let (old, new) = (Kit::new(), Kit::new());
    let mut host = configured("keyring: /etc/tiu/ca.pem\n", |root| certificate(&old, root, "etc/tiu/ca.pem"));
    host.tiu("apply", [new.bundle(1, |_| {})]).refused(&["with another key than"]);
    host.tiu("apply", [old.bundle(1, |root| certificate(&new, root, "usr/lib/tiu/keyring/new.pem"))])
        .succeeded();
    host.reboot();
    // Signed with the new key, for which only the image vouches. It has to bring it again.
    loses_trust(&host, &[new.bundle(2, |_| {}).as_os_str()], &["with another key than"]);
    host.tiu("apply", [new.bundle(2, |root| certificate(&new, root, "usr/lib/tiu/keyring/new.pem"))])
        .succeeded();
    host.reboot();
    host.tiu::<&str>("status", []).succeeded();
    host.tiu::<&str>("verify", []).succeeded();
    // What the host distrusts is not trusted, whoever brings it.
    host.edit(3, |root| {
        certificate(&new, root, "etc/tiu/bad.pem");
        let text = "compatible: testos\nkeyring: /etc/tiu/ca.pem\ndistrust: /etc/tiu/bad.pem\n";
        tree::file(root, "etc/tiu/tiu.yaml", text);
    });
    let third = new.bundle(3, |root| certificate(&new, root, "usr/lib/tiu/keyring/new.pem"));
    host.tiu("apply", [&third]).refused(&["is distrusted on this host", "distrust"]);
    host.tiu("apply", [old.bundle(3, |_| {})]).succeeded();
}

#[test]
fn a_damaged_certificate_of_the_image_is_left_out_and_said() {
    let kit = Kit::new();
    let mut host = kit.host();
    host.tiu("apply", [kit.bundle(1, |root| tree::file(root, "usr/lib/tiu/keyring/a.pem", "damaged"))])
        .succeeded();
    host.reboot();
    let applied = host.tiu("apply", [kit.bundle(2, |_| {})]).succeeded();
    assert!(applied.stderr.contains("a certificate of the image is left out"), "{}", applied.stderr);
    assert!(applied.stderr.contains("a.pem is neither a certificate"), "{}", applied.stderr);
}

#[test]
fn a_keyring_on_a_mounted_subvolume_is_found_by_the_new_snapshot() {
    let kit = Kit::new();
    let host = configured("keyring: /etc/tiu/link\n", |root| {
        fs::create_dir_all(root.join("etc/tiu")).unwrap();
        symlink("/var/lib/ca.pem", root.join("etc/tiu/link")).unwrap();
    });
    certificate(&kit, &host.root(), "var/lib/ca.pem");
    host.tiu("apply", [kit.bundle(1, |_| {})]).succeeded();
}

#[test]
fn a_keyring_with_links_leads_within_the_new_snapshot_on_paper_and_on_disk() {
    let kit = Kit::new();
    // The running system of the tests has no such directory: only the snapshot's links lead there.
    let linked = |root: &Path, target: &str| {
        certificate(&kit, root, "usr/share/tiu-test/vendor/ca.pem");
        fs::create_dir_all(root.join("usr/share/keys")).unwrap();
        symlink(target, root.join("usr/share/keys/ca.pem")).unwrap();
    };
    let mut host = configured("keyring: /usr/share/keys\n", |_| {});
    apply_with(&host, &kit, &kit.bundle(1, |root| linked(root, "/usr/share/tiu-test/vendor/ca.pem")))
        .succeeded();
    host.reboot();
    for target in ["/usr/share/tiu-test/none/ca.pem", "ca.pem"] {
        let bundle = kit.bundle(2, |root| linked(root, target));
        loses_trust(&host, &[bundle.as_os_str()], &["/usr/share/keys/ca.pem"]);
    }
    let second = kit.bundle(2, |root| linked(root, "../tiu-test/vendor/ca.pem"));
    host.tiu("apply", [second.as_os_str(), "--dry-run".as_ref()]).succeeded();
    host.tiu("apply", [&second]).succeeded();
}

#[test]
fn a_copy_of_the_image_s_certificate_that_the_next_image_changes() {
    let (kit, other) = (Kit::new(), Kit::new());
    let mut host = configured("keyring: /usr/lib/sysimage/tiu/etc/pki/ca.pem\n", |_| {});
    apply_with(&host, &kit, &kit.bundle(1, |root| certificate(&kit, root, "etc/pki/ca.pem"))).succeeded();
    host.reboot();
    let second = kit.bundle(2, |root| certificate(&other, root, "etc/pki/ca.pem"));
    loses_trust(&host, &[second.as_os_str()], &["with another key than"]);
    host.tiu("apply", [kit.bundle(2, |root| certificate(&kit, root, "etc/pki/ca.pem"))]).succeeded();
}

#[test]
fn a_revocation_list_outside_etc_that_the_image_drops_or_that_revokes_its_signer() {
    let kit = Kit::new();
    let list =
        |revoked| revocation_list(&kit.authority, revoked, 1_600_000_000, 4_000_000_000).to_pem().unwrap();
    let (empty, full) = (list(&[]), list(&[&kit.signer.certificate]));
    let mut host = configured("keyring: /etc/tiu/ca.pem\ncrl: /usr/share/ca.crl\n", |root| {
        certificate(&kit, root, "etc/tiu/ca.pem");
        tree::file(root, "usr/share/ca.crl", &empty);
    });
    host.tiu("apply", [kit.bundle(1, |root| tree::file(root, "usr/share/ca.crl", &empty))]).succeeded();
    host.reboot();
    loses_trust(&host, &[kit.bundle(2, |_| {}).as_os_str()], &["/usr/share/ca.crl"]);
    let revoking = kit.bundle(2, |root| tree::file(root, "usr/share/ca.crl", &full));
    loses_trust(&host, &[revoking.as_os_str()], &["revoked"]);
}

/// `tiu etc reset` with these arguments is refused because the trust would be gone, also as a dry
/// run, and touches nothing.
#[track_caller]
fn reset_loses_trust(host: &LoopHost, arguments: &[&str], needles: &[&str]) {
    let before = host.state();
    let all = |more: &'static [&'static str]| ["reset"].iter().chain(arguments).chain(more).copied();
    for more in [&["--dry-run"][..], &[]] {
        host.tiu("etc", all(more))
            .refused(&[needles, &["the next update would be refused", "--allow-trust-change"]].concat());
    }
    assert!(before == host.state(), "something was touched");
}

#[test]
fn a_reset_of_the_keyring_or_the_configuration_that_the_next_update_needs() {
    let kit = Kit::new();
    let mut host = kit.host();
    host.tiu("apply", [kit.bundle(1, |_| {})]).succeeded();
    host.reboot();
    for place in ["running", "snapshot"] {
        for path in ["/etc/tiu/keyring.pem", "/etc/tiu/tiu.yaml"] {
            let named = if path.ends_with("pem") { "keyring.pem" } else { "no certificate is trusted" };
            reset_loses_trust(&host, &["--in", place, path], &[named]);
        }
    }
    // All of it without what the trust needs is what a reset of directories is.
    assert_eq!(host.tiu("etc", ["reset", "/etc/tiu"]).code, Some(77));
    host.edit(2, |root| tree::file(root, "etc/app.conf", "the administrator's"));
    host.tiu("etc", ["reset", "/etc"]).succeeded();
    for path in ["etc/tiu/keyring.pem", "etc/tiu/tiu.yaml"] {
        assert!(host.snapshot(host.default()).join(path).is_file(), "{path}");
    }
    host.reboot();
    let allowed = ["reset", "--allow-trust-change", "/etc/tiu/keyring.pem"];
    let done = host.tiu("etc", allowed).succeeded();
    assert!(done.stderr.contains("the host will not accept this image again"), "{}", done.stderr);
    assert!(!host.snapshot(host.default()).join("etc/tiu/keyring.pem").exists());
}

#[test]
fn a_reset_of_a_keyring_directory_to_the_image_s_version() {
    let (kit, other) = (Kit::new(), Kit::new());
    let mut host = configured("keyring: /etc/pki/trust\n", |root| {
        certificate(&kit, root, "etc/pki/trust/ca.pem");
    });
    let image = |root: &Path| {
        certificate(&other, root, "etc/pki/trust/other.pem");
        tree::file(root, "etc/pki/README", "of the image");
    };
    host.tiu("apply", [kit.bundle(1, image)]).succeeded();
    host.reboot();
    reset_loses_trust(&host, &["/etc/pki/trust"], &["with another key than"]);
    reset_loses_trust(&host, &["/etc/pki/README", "/etc/pki/trust/ca.pem"], &[]);
    // A directory above it leaves what `keyring` names.
    host.edit(2, |root| tree::file(root, "etc/pki/README", "the administrator's"));
    host.tiu("etc", ["reset", "/etc/pki"]).succeeded();
    assert!(host.snapshot(host.default()).join("etc/pki/trust/ca.pem").is_file());
    host.reboot();
    // With the certificate in the image's own keyring, it can go.
    let both = kit.bundle(2, |root| {
        image(root);
        certificate(&kit, root, "usr/lib/tiu/keyring/ca.pem");
    });
    host.tiu("apply", [both]).succeeded();
    host.reboot();
    host.tiu("etc", ["reset", "/etc/pki/trust"]).succeeded();
    assert!(!host.snapshot(host.default()).join("etc/pki/trust/ca.pem").exists());
}

#[test]
fn a_reset_of_the_keyring_after_the_signer_s_certificate_expired() {
    let kit = Kit::new();
    let mut host = kit.host();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    let short = Certificate::new("Short").usages(&["codeSigning"]).valid(now - 86400, now + 10);
    short.issued_by(&kit.authority).write(&kit.path(""), "signer");
    host.tiu("apply", [kit.bundle(1, |_| {})]).succeeded();
    host.reboot();
    let left = u64::try_from(now + 12).unwrap();
    let wait = left.saturating_sub(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs());
    std::thread::sleep(Duration::from_secs(wait));
    reset_loses_trust(&host, &["/etc/tiu/keyring.pem"], &["keyring.pem"]);
}

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
fn an_image_whose_signer_s_certificate_expired_since_is_not_distrusted_at_rest() {
    let kit = Kit::new();
    let host = kit.host();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    let short = Certificate::new("Short").usages(&["codeSigning"]).valid(now - 86400, now + 15);
    short.issued_by(&kit.authority).write(&kit.path(""), "signer");
    host.tiu("apply", [kit.bundle(1, |_| {})]).succeeded();
    let left = u64::try_from(now + 17).unwrap();
    let wait = left.saturating_sub(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs());
    std::thread::sleep(Duration::from_secs(wait));
    let status = host.tiu::<&str>("status", []).succeeded();
    assert!(
        status.stdout.contains("as signed by CN=Short, O=tiu test, expired since 20"),
        "{}",
        status.stdout
    );
    assert!(!status.stdout.contains("NOT TRUSTED"), "{}", status.stdout);
    let verified = host.tiu("verify", ["2"]).succeeded();
    assert!(verified.stdout.contains("expired since 20"), "{}", verified.stdout);
    let verified = json(&host.tiu("verify", ["2", "--json"]).succeeded());
    assert!(verified["expired_since"].is_string());
    // It still is what an image must not be older than.
    kit.signer.write(&kit.path(""), "signer");
    host.tiu("apply", [kit.bundle(0, |_| {})]).refused(&["the host has 1: that is a downgrade"]);
}

#[test]
fn where_the_signing_time_counts_an_earlier_signature_is_a_downgrade() {
    let kit = Kit::new();
    let host = kit.host_with(512, |root| {
        let path = root.join("etc/tiu/tiu.yaml");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, text + "valid-at: signing-time\n").unwrap();
    });
    let second = kit.bundle(2, |_| {});
    std::thread::sleep(Duration::from_millis(1100));
    host.tiu("apply", [kit.bundle(1, |_| {})]).succeeded();
    host.tiu("apply", [&second]).refused(&["the image was signed at", "that is a downgrade"]);
    host.tiu("apply", [second.as_os_str(), "--allow-downgrade".as_ref()]).succeeded();
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

#[test]
fn the_trust_of_what_boots_next_counts_where_that_does_not_run_yet() {
    let kit = Kit::new();
    let host = configured("", |_| {});
    apply_with(&host, &kit, &kit.bundle(1, |root| certificate(&kit, root, "etc/tiu/ca.pem"))).succeeded();
    host.edit(2, |root| {
        tree::file(root, "etc/tiu/tiu.yaml", "compatible: testos\nkeyring: /etc/tiu/ca.pem\n");
    });
    let (second, keyring) = (kit.bundle(2, |_| {}), kit.keyring());
    // The merge takes the certificate away: no configuration named it when it was made.
    loses_trust(&host, &[second.as_os_str(), "--keyring".as_ref(), keyring.as_os_str()], &["ca.pem"]);
    assert_eq!(host.default(), 2);
}

#[test]
fn the_moment_of_validity_is_configured_in_each_of_its_forms() {
    let kit = Kit::new();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    let short = Certificate::new("Short").usages(&["codeSigning"]).valid(now - 600, now + 600);
    short.issued_by(&kit.authority).write(&kit.path(""), "signer");
    let bundle = kit.bundle(1, |_| {});
    let host = kit.host();
    let dry_run = |moment: &str| {
        host.edit(1, |root| {
            kit.configure(root);
            let path = root.join("etc/tiu/tiu.yaml");
            let text = fs::read_to_string(&path).unwrap();
            fs::write(path, format!("{text}valid-at: {moment}\n")).unwrap();
        });
        host.tiu("apply", ["--dry-run".as_ref(), bundle.as_os_str()])
    };
    let utc = |time: i64| {
        let form = ["-u".into(), format!("-d@{time}"), "+%Y-%m-%dT%H:%M:%SZ".into()];
        let arguments: Vec<&OsStr> = form.iter().map(AsRef::as_ref).collect();
        tool("date", "coreutils", &arguments).succeeded().stdout.trim().to_owned()
    };
    for moment in ["now".to_owned(), "signing-time".into(), utc(now), now.to_string(), format!("\"{now}\"")] {
        dry_run(&moment).succeeded();
    }
    for moment in [utc(now - 86_400), (now - 86_400).to_string()] {
        dry_run(&moment).refused(&["is valid from"]);
    }
    for moment in ["yesterday", "2026-01-31", "1.5", "Now", "\"\""] {
        dry_run(moment).refused(&["tiu.yaml", "valid-at", "signing-time"]);
    }
}
