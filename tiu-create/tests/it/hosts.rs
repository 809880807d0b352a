//! Refuses to sign an image that hosts would refuse, and to pack files that belong to one host.

use crate::place::{Place, run};
use std::ffi::OsString;
use tiu_testing::pki::{Certificate, Identity};
use tiu_testing::program::{Outcome, json};
use tiu_testing::tree;

/// Packs with the keys of `signer`, which are written as `name`.
fn pack_as(place: &Place, signer: &Identity, name: &str, more: &[&str]) -> Outcome {
    signer.write(&place.keys(), name);
    let mut arguments: Vec<OsString> = place.pack_arguments("out.tiu").iter().map(OsString::from).collect();
    arguments.retain(|argument| {
        let text = argument.to_string_lossy();
        !text.starts_with("--cert") && !text.starts_with("--key")
    });
    for (option, kind) in [("--cert=", "cert"), ("--key=", "key")] {
        let mut argument = OsString::from(option);
        argument.push(place.keys().join(format!("{name}.{kind}.pem")));
        arguments.push(argument);
    }
    arguments.extend(more.iter().map(OsString::from));
    run(arguments)
}

#[test]
fn certificates_that_hosts_refuse_do_not_sign() {
    let place = Place::new();
    let root = Certificate::new("Root").authority().self_signed();
    let signer = |name: &str| Certificate::new(name).usages(&["codeSigning"]);
    let long_ago = signer("Expired").valid(1_000_000_000, 1_100_000_000).issued_by(&root);
    pack_as(&place, &long_ago, "expired", &[]).refused(&["hosts", "expired"]);
    let weak = signer("Weak").rsa(1024).issued_by(&root);
    pack_as(&place, &weak, "weak", &[]).refused(&["hosts", "too weak: expected at least RSA with 2048 bits"]);
    let mail = Certificate::new("Mail").usages(&["emailProtection"]).issued_by(&root);
    pack_as(&place, &mail, "mail", &[]).refused(&["hosts", "emailProtection"]);
    let ed25519 = signer("Ed").ed25519().issued_by(&root);
    pack_as(&place, &ed25519, "ed", &[]).refused(&["Ed25519"]);
    assert!(!place.path("out.tiu").exists());
    // For who knows better.
    let made = json(&pack_as(&place, &mail, "mail", &["--allow-unverifiable", "--json"]).succeeded());
    assert!(made["signer_warnings"][0].as_str().unwrap().contains("hosts will refuse"), "{made}");
}

#[test]
fn a_key_of_another_certificate_does_not_sign() {
    let place = Place::new();
    let root = Certificate::new("Root").authority().self_signed();
    let [first, second] =
        ["One", "Two"].map(|name| Certificate::new(name).usages(&["codeSigning"]).issued_by(&root));
    let mixed = Identity { certificate: first.certificate, key: second.key };
    pack_as(&place, &mixed, "mixed", &[]).refused(&["key"]);
}

#[test]
fn a_pin_on_the_command_line_is_refused() {
    let place = Place::new();
    place.pack("bundle.tiu").succeeded();
    let mut cert = OsString::from("--cert=");
    cert.push(place.keys().join("signer.cert.pem"));
    let key = OsString::from("--key=pkcs11:token=release;object=signer?pin-value=secret1234");
    let bundle = place.path("bundle.tiu").into();
    let refused = run([OsString::from("sign"), cert, key, bundle]).refused(&["pin-value", "--pin-file"]);
    assert!(!refused.stderr.contains("secret1234"), "{}", refused.stderr);
}

#[test]
fn what_belongs_to_one_host_is_left_out() {
    let place = Place::new();
    let root = place.root();
    tree::file(&root, "etc/ssh/ssh_host_rsa_key", "secret");
    tree::file(&root, "etc/ssh/sshd_config", "fine");
    tree::file(&root, "etc/machine-id", "0123456789abcdef0123456789abcdef\n");
    tree::file(&root, "var/lib/systemd/random-seed", "seed");
    let mut arguments = place.pack_arguments("out.tiu");
    arguments.push("--json".into());
    let made = json(&run(arguments.clone()).succeeded());
    let left = made["left_out"].as_array().unwrap().iter().find(|left| left["reason"] == "identity").unwrap();
    assert_eq!(left["files"], 3, "{left}");
    let bundle = place.open("out.tiu");
    let has =
        |path: &str| bundle.index.find(tiu_system::path::TreePath::new(path.as_bytes()).unwrap()).is_some();
    assert!(has("etc/ssh/sshd_config"));
    for path in
        ["etc/ssh/ssh_host_rsa_key", "etc/machine-id", "usr/share/factory/var/lib/systemd/random-seed"]
    {
        assert!(!has(path), "{path}");
    }
    arguments.push("--strict".into());
    run(arguments).refused(&["ssh_host_rsa_key"]);
    // An empty machine ID is nobody's, and a read-only /etc needs the file.
    tree::file(&root, "etc/machine-id", "");
    place.pack("empty.tiu").succeeded();
    let path = tiu_system::path::TreePath::literal("etc/machine-id");
    assert!(place.open("empty.tiu").index.find(path).is_some());
}
