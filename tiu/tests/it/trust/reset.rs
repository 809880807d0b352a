//! `tiu etc reset` of files that hold the trust.

use super::{certificate, configured};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tiu_testing::host::LoopHost;
use tiu_testing::kit::Kit;
use tiu_testing::pki::Certificate;
use tiu_testing::tree;

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
