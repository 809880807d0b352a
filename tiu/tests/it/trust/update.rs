//! Updates that keep, rotate or lose the trust that the next update needs.

use super::{apply_with, certificate, configured, loses_trust};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use tiu_testing::kit::Kit;
use tiu_testing::pki::revocation_list;
use tiu_testing::tree;

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
