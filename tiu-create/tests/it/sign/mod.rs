//! `tiu-create sign`: again, in two steps, with encrypted keys and with tokens.

mod secrets;

use crate::place::{Place, program, run};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use tiu_testing::pki::{Certificate, Identity, openssl_cms};
use tiu_testing::program::{RunOutput, outcome, tool};

/// A place with a signed `bundle.tiu` and an unsigned `unsigned.tiu` of the same image.
fn place() -> Place {
    let place = Place::new();
    place.pack("bundle.tiu").succeeded();
    let mut arguments = place.pack_arguments("unsigned.tiu");
    arguments.retain(|argument| !argument.starts_with("--cert") && !argument.starts_with("--key"));
    arguments.push("--unsigned".into());
    let found = run(arguments).succeeded();
    assert!(found.stdout.contains("not signed yet"), "{}", found.stdout);
    place
}

fn sign(place: &Place, arguments: &[&dyn AsRef<OsStr>], bundle: &str) -> RunOutput {
    let mut all: Vec<OsString> = vec!["sign".into(), "--progress=none".into()];
    all.extend(arguments.iter().map(|argument| (*argument).as_ref().to_owned()));
    all.push(place.path(bundle).into());
    run(all)
}

/// The keys of `place` as arguments.
fn own_keys(place: &Place) -> [OsString; 2] {
    let option = |name: &str, file: &str| {
        let mut option = OsString::from(name);
        option.push(place.keys().join(file));
        option
    };
    [option("--cert=", "signer.cert.pem"), option("--key=", "signer.key.pem")]
}

fn signer_of(place: &Place, bundle: &str) -> String {
    place.open(bundle).bundle.signer.subject.clone()
}

/// Another signer below a CA of its own, whose certificate is added to what [`Place::open`] trusts.
fn other_signer(place: &Place) -> (Identity, PathBuf, PathBuf) {
    let root = Certificate::new("Other Root").authority().self_signed();
    let signer = Certificate::new("Other Signer").usages(&["codeSigning"]).issued_by(&root);
    let ca = place.keys().join("ca.cert.pem");
    let both = [fs::read(&ca).expect("the CA"), root.certificate.to_pem().expect("PEM")].concat();
    fs::write(ca, both).expect("a keyring");
    let (cert, key) = signer.write(&place.path(""), "other");
    (signer, cert, key)
}

#[test]
fn an_unsigned_bundle_is_refused_by_clients_and_can_be_signed() {
    let place = place();
    let unsigned = fs::read(place.path("unsigned.tiu")).expect("the bundle");
    let [cert, key] = own_keys(&place);
    sign(&place, &[&cert, &key], "unsigned.tiu").succeeded();
    let signed = place.open("unsigned.tiu");
    assert_eq!(signed.bundle.manifest, place.open("bundle.tiu").bundle.manifest);
    let offset = signed.bundle.layout.cms_offset() as usize;
    let now = fs::read(place.path("unsigned.tiu")).expect("the bundle");
    assert!(now[..offset] == unsigned[..offset], "the image changed");
    let source = std::sync::Arc::new(unsigned);
    let trust = tiu_bundle::trust::Trust::from_paths(&[place.keys().join("ca.cert.pem")]).expect("a keyring");
    let unsigned = Vec::clone(&source);
    let error =
        tiu_bundle::bundle::Bundle::open(std::sync::Arc::new(unsigned), &trust).err().expect("an error");
    assert_eq!(error.to_string(), "the bundle is not signed yet");
    assert_eq!(tiu_system::Hint::hint(&error).as_deref(), Some("sign it with `tiu-create sign`"));
}

#[test]
fn signed_again_by_another() {
    let place = place();
    let before = fs::metadata(place.path("bundle.tiu")).expect("metadata");
    fs::set_permissions(place.path("bundle.tiu"), PermissionsExt::from_mode(0o640)).expect("a mode");
    let (_, cert, key) = other_signer(&place);
    let found = sign(&place, &[&"--cert", &cert, &"--key", &key], "bundle.tiu").succeeded();
    assert!(found.stdout.contains("signed by CN=Other Signer"), "{}", found.stdout);
    assert!(signer_of(&place, "bundle.tiu").starts_with("CN=Other Signer"));
    let after = fs::metadata(place.path("bundle.tiu")).expect("metadata");
    assert_ne!(before.ino(), after.ino(), "it must be replaced, not written to");
    assert_eq!(after.mode() & 0o777, 0o640);
}

#[test]
fn to_another_file() {
    let place = place();
    let before = fs::read(place.path("bundle.tiu")).expect("the bundle");
    let (_, cert, key) = other_signer(&place);
    let out = place.path("other.tiu");
    sign(&place, &[&"--cert", &cert, &"--key", &key, &"--output", &out], "bundle.tiu").succeeded();
    assert!(fs::read(place.path("bundle.tiu")).expect("the bundle") == before);
    assert!(signer_of(&place, "other.tiu").starts_with("CN=Other Signer"));
}

#[test]
fn with_intermediates() {
    let place = place();
    let root = Certificate::new("Root").authority().self_signed();
    let between = Certificate::new("Between").authority().issued_by(&root);
    let signer = Certificate::new("Signer").issued_by(&between);
    let (cert, key) = signer.write(&place.path(""), "signer");
    let (between, _) = between.write(&place.path(""), "between");
    fs::write(place.keys().join("ca.cert.pem"), root.certificate.to_pem().expect("PEM")).expect("a keyring");
    sign(&place, &[&"--cert", &cert, &"--key", &key, &"--intermediate", &between], "bundle.tiu").succeeded();
    assert_eq!(place.open("bundle.tiu").bundle.signer.chain.len(), 3);
    // In the signer's own file they count too.
    let chain = [fs::read(&cert).expect("PEM"), fs::read(&between).expect("PEM")].concat();
    fs::write(&cert, chain).expect("a chain");
    sign(&place, &[&"--cert", &cert, &"--key", &key], "unsigned.tiu").succeeded();
    assert_eq!(place.open("unsigned.tiu").bundle.signer.chain.len(), 3);
}

#[test]
fn in_two_steps_with_openssl() {
    let place = place();
    let payload = place.path("payload");
    sign(&place, &[&"--write-payload", &payload], "unsigned.tiu").succeeded();
    let cms = place.path("cms");
    // As `sign --help` says.
    let mut arguments: Vec<OsString> = "cms -sign -binary -nodetach -md sha256 -nosmimecap -outform DER"
        .split(' ')
        .map(OsString::from)
        .collect();
    arguments.extend(["-signer".into(), place.keys().join("signer.cert.pem").into_os_string()]);
    arguments.extend(["-inkey".into(), place.keys().join("signer.key.pem").into_os_string()]);
    arguments.extend(["-in".into(), payload.into_os_string(), "-out".into(), cms.clone().into_os_string()]);
    let arguments: Vec<&OsStr> = arguments.iter().map(OsString::as_os_str).collect();
    tool("openssl", "openssl", &arguments).succeeded();
    sign(&place, &[&"--cms", &cms], "unsigned.tiu").succeeded();
    assert!(signer_of(&place, "unsigned.tiu").contains("development"));
}

fn refused_cms(place: &Place, cms: &[u8], needles: &[&str]) {
    let path = place.path("cms");
    fs::write(&path, cms).expect("a CMS");
    let before = fs::read(place.path("bundle.tiu")).expect("the bundle");
    sign(place, &[&"--cms", &path], "bundle.tiu").refused(needles);
    assert!(fs::read(place.path("bundle.tiu")).expect("the bundle") == before, "the bundle changed");
}

fn payload(place: &Place) -> Vec<u8> {
    let path = place.path("payload");
    sign(place, &[&"--write-payload", &path], "bundle.tiu").succeeded();
    fs::read(path).expect("the payload")
}

#[test]
fn a_cms_of_another_manifest() {
    let place = place();
    let (signer, ..) = other_signer(&place);
    let text = String::from_utf8(payload(&place)).expect("text").replace("version=1", "version=2");
    let cms = openssl_cms(text.as_bytes(), &[&signer], &["-nodetach"]);
    refused_cms(&place, &cms, &["another manifest", "version=2", "version=1", "--write-payload"]);
}

#[test]
fn a_cms_with_other_line_ends() {
    let place = place();
    let (signer, ..) = other_signer(&place);
    let text = String::from_utf8(payload(&place)).expect("text").replace('\n', "\r\n");
    let cms = openssl_cms(text.as_bytes(), &[&signer], &["-nodetach"]);
    refused_cms(&place, &cms, &["other line ends", "`-binary`"]);
}

#[test]
fn a_detached_cms() {
    let place = place();
    let (signer, ..) = other_signer(&place);
    let cms = openssl_cms(&payload(&place), &[&signer], &[]);
    refused_cms(&place, &cms, &["cannot be inserted", "detached", "-nodetach"]);
}

#[test]
fn a_cms_with_two_signers_or_a_weak_digest_or_no_attributes() {
    let place = place();
    let (signer, ..) = other_signer(&place);
    let second = Certificate::new("Second").self_signed();
    let payload = payload(&place);
    refused_cms(&place, &openssl_cms(&payload, &[&signer, &second], &["-nodetach"]), &["2 signers"]);
    refused_cms(&place, &openssl_cms(&payload, &[&signer], &["-nodetach", "-md", "sha1"]), &["SHA-1"]);
    refused_cms(
        &place,
        &openssl_cms(&payload, &[&signer], &["-nodetach", "-noattr"]),
        &["no signed attributes"],
    );
    refused_cms(&place, &openssl_cms(&payload, &[&signer], &["-nodetach", "-nocerts"]), &["no certificate"]);
    refused_cms(&place, b"garbage", &["not a CMS"]);
    refused_cms(&place, b"", &["0 bytes long"]);
}

#[test]
fn a_key_of_another_certificate() {
    let place = place();
    let (_, cert, _) = other_signer(&place);
    let [_, key] = own_keys(&place);
    sign(&place, &[&"--cert", &cert, &key], "bundle.tiu").refused(&["Other Signer", "hint: "]);
    // Found before anything is packed.
    let mut arguments = place.pack_arguments("new.tiu");
    arguments.retain(|argument| !argument.starts_with("--cert"));
    arguments.push(format!("--cert={}", cert.display()));
    run(arguments).refused(&["Other Signer"]);
}

#[test]
fn files_that_are_no_keys_or_certificates() {
    let place = place();
    let [cert, key] = own_keys(&place);
    let junk = place.path("junk");
    fs::write(&junk, "junk").expect("a file");
    sign(&place, &[&cert, &"--key", &junk], "bundle.tiu")
        .refused(&["junk: the private key cannot be read", "PEM"]);
    sign(&place, &[&"--cert", &junk, &key], "bundle.tiu")
        .refused(&["junk: found 0 certificates", "BEGIN CERTIFICATE"]);
    let missing = place.path("missing");
    sign(&place, &[&cert, &"--key", &missing], "bundle.tiu").refused(&["missing", "No such file"]);
}

#[test]
fn a_damaged_image_is_not_signed() {
    let place = place();
    let [cert, key] = own_keys(&place);
    for bundle in ["bundle.tiu", "unsigned.tiu"] {
        let file = fs::File::options().write(true).open(place.path(bundle)).expect("the bundle");
        file.write_all_at(b"!", 100_000).expect("a flipped byte");
        let needles = [bundle, "damaged"];
        sign(&place, &[&cert, &key], bundle).refused(&needles);
        let payload = place.path("payload");
        sign(&place, &[&"--write-payload", &payload], bundle).refused(&needles);
        assert!(!payload.exists());
    }
}

#[test]
fn what_is_no_bundle() {
    let place = place();
    let [cert, key] = own_keys(&place);
    for (content, needle) in [
        (&b""[..], "empty"),
        (b"abcd", "too short"),
        (&[0; 9000], "0 bytes long"),
        (b"[update]\n\0\0\0\0\0\0\0\x09", "no group"),
    ] {
        fs::write(place.path("junk.tiu"), content).expect("a file");
        sign(&place, &[&cert, &key], "junk.tiu").refused(&["junk.tiu", needle, "hint: "]);
    }
    sign(&place, &[&cert, &key], "missing.tiu").refused(&["missing.tiu", "No such file"]);
}

#[test]
fn nothing_or_too_much_to_do() {
    let place = place();
    let [cert, key] = own_keys(&place);
    for arguments in [
        &[][..],
        &[&cert as &dyn AsRef<OsStr>],
        &[&cert, &key, &"--cms=x"],
        &[&"--write-payload=a", &"--cms=x"],
    ] {
        let found = sign(&place, arguments, "bundle.tiu");
        assert_eq!(found.code, Some(2), "{}", found.stderr);
    }
}
