//! Signatures and signers that a host refuses.

use super::{Fixture, good};
use std::time::{SystemTime, UNIX_EPOCH};
use tiu_testing::bundles::Parts;
use tiu_testing::host::LoopHost;
use tiu_testing::kit::Kit;
use tiu_testing::pki::{BEGIN, Certificate, END, openssl_cms, revocation_list};
use tiu_testing::tree;

const DAY: i64 = 86_400;

#[test]
fn signatures_that_are_none() {
    let fixture = Fixture::new();
    let parts = good();
    let text = parts.manifest.to_text();
    let with = |cms: Vec<u8>, length: Option<u64>| {
        fixture.bytes(&Parts { cms: Some(cms), cms_length: length, ..good() })
    };
    let made = |options: &[&str]| with(openssl_cms(text.as_bytes(), &[&fixture.kit.signer], options), None);
    fixture.refused("length 0", &with(vec![1; 900], Some(0)), &["is 0 bytes long, expected 1 to 65536"]);
    fixture.refused(
        "over 64 KiB",
        &with(vec![1; 900], Some(65_537)),
        &["65537 bytes long, expected 1 to 65536"],
    );
    fixture.refused("garbage", &with(tree::noise(3, 900), None), &["not a CMS in DER"]);
    fixture.refused("detached", &made(&[]), &["the signature is detached"]);
    fixture.refused("no certificate", &made(&["-nodetach", "-nocerts"]), &["encloses no certificate"]);
    fixture.refused("no signed attributes", &made(&["-nodetach", "-noattr"]), &["no signed attributes"]);
    fixture.refused("SHA-1", &made(&["-nodetach", "-md", "sha1"]), &["uses SHA-1, expected SHA-256"]);
    let second = Certificate::new("Second").issued_by(&fixture.kit.authority);
    let two = openssl_cms(text.as_bytes(), &[&fixture.kit.signer, &second], &["-nodetach"]);
    fixture.refused("two signers", &with(two, None), &["has 2 signers, expected exactly one"]);
}

#[test]
fn signers_who_are_not_trusted() {
    let fixture = Fixture::new();
    let authority = &fixture.kit.authority;
    let signer = || Certificate::new("Signer").usages(&["codeSigning"]);
    let evil = Certificate::new("Evil Root").authority().self_signed();
    let neither = "which is neither in the keyring nor enclosed in the bundle; the keyring has CN=Test Root";
    fixture.refused_signer(
        "unknown CA",
        &signer().issued_by(&evil),
        &[],
        &["issued by CN=Evil Root", neither],
    );
    let needles = ["ends in CN=Evil Root, O=tiu test, which is not in the keyring"];
    fixture.refused_signer("enclosed unknown CA", &signer().issued_by(&evil), &[&evil], &needles);
    let between = Certificate::new("Intermediate").authority().issued_by(authority);
    let needles = ["issued by CN=Intermediate", neither, "--intermediate"];
    fixture.refused_signer("missing intermediate", &signer().issued_by(&between), &[], &needles);
    let expired = signer().valid(BEGIN, BEGIN + DAY).issued_by(authority);
    fixture.refused_signer("expired", &expired, &[], &["expired at 2020-01-02T00:00:00Z"]);
    let early = signer().valid(END - DAY, END).issued_by(authority);
    fixture.refused_signer("not yet valid", &early, &[], &["is not valid before 2099-12-31T00:00:00Z"]);
}

/// A host whose configuration has more lines.
fn configured(kit: &Kit, more: &str, fill: impl FnOnce(&std::path::Path)) -> LoopHost {
    let text = format!("compatible: testos\nkeyring: /etc/tiu/keyring.pem\n{more}");
    kit.host_with(512, |root| {
        tree::file(root, "etc/tiu/tiu.yaml", text);
        fill(root);
    })
}

#[test]
fn a_signer_who_was_revoked() {
    let kit = Kit::new();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    let revoked = [&kit.signer.certificate];
    let list = revocation_list(&kit.authority, &revoked, now - DAY, now + DAY).to_pem().unwrap();
    let host = configured(&kit, "crl: /etc/tiu/revoked.crl\n", |root| {
        tree::file(root, "etc/tiu/revoked.crl", list);
    });
    let fixture = Fixture { kit, host };
    fixture.refused("revoked", &fixture.bytes(&good()), &["was revoked by CN=Test Root, O=tiu test"]);
}

#[test]
fn certificates_for_another_purpose_against_each_setting() {
    let usages: [&[&str]; 4] = [&[], &["emailProtection"], &["codeSigning"], &["serverAuth"]];
    for (setting, accepted) in [
        ("codesign-or-none", [true, false, true, false]),
        ("codesign", [false, false, true, false]),
        ("smimesign", [true, true, false, false]),
        ("any", [true; 4]),
    ] {
        let kit = Kit::new();
        let host = configured(&kit, &format!("purpose: {setting}\n"), |_| {});
        let fixture = Fixture { kit, host };
        for (usages, accepted) in usages.into_iter().zip(accepted) {
            let signer = Certificate::new("Signer").usages(usages).issued_by(&fixture.kit.authority);
            let made_for = if usages.is_empty() { "no extended key usage" } else { usages[0] };
            let what = format!("{made_for} where {setting} is asked for");
            if accepted {
                let bundle = fixture.file(&good().bytes(&signer.certificate, &signer.key));
                let plan = fixture.host.tiu("apply", ["--dry-run".as_ref(), bundle.as_os_str()]);
                assert_eq!(plan.code, Some(0), "{what}: {}", plan.stderr);
            } else {
                let message = format!("is made for {made_for}, expected");
                fixture.refused_signer(&what, &signer, &[], &[&message]);
            }
        }
    }
}
