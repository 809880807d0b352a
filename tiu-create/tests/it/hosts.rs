//! Refuses to sign an image that hosts would refuse, and to pack files that belong to one host.

use crate::place::{Place, run};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::symm::Cipher;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use tiu_testing::pki::{BEGIN, Certificate, Identity, openssl_cms};
use tiu_testing::program::{Outcome, json};
use tiu_testing::tree;

const DAY: i64 = 86_400;

/// The options that name the keys of `signer`, which are written as `name`.
fn keys_of(place: &Place, signer: &Identity, name: &str) -> [OsString; 2] {
    let (cert, key) = signer.write(&place.keys(), name);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    [("--cert=", cert), ("--key=", key)].map(|(option, path)| {
        let mut argument = OsString::from(option);
        argument.push(path);
        argument
    })
}

/// Packs with the keys of `signer`, which are written as `name`.
fn pack_as(place: &Place, signer: &Identity, name: &str, more: &[&str]) -> Outcome {
    let mut arguments: Vec<OsString> = place.pack_arguments("out.tiu").iter().map(OsString::from).collect();
    arguments.retain(|argument| {
        let text = argument.to_string_lossy();
        !text.starts_with("--cert") && !text.starts_with("--key=")
    });
    arguments.extend(keys_of(place, signer, name));
    arguments.extend(more.iter().map(OsString::from));
    run(arguments)
}

/// Signs `bundle` with the keys of `signer`.
fn sign_as(place: &Place, signer: &Identity, name: &str, bundle: &str, more: &[&str]) -> Outcome {
    let mut arguments: Vec<OsString> = vec!["sign".into(), "--progress=none".into()];
    arguments.extend(keys_of(place, signer, name));
    arguments.extend(more.iter().map(OsString::from));
    arguments.push(place.path(bundle).into());
    run(arguments)
}

/// A place with an unsigned bundle, and a CA.
fn unsigned() -> (Place, Identity) {
    let place = Place::new();
    let mut arguments = place.pack_arguments("unsigned.tiu");
    arguments.retain(|argument| !argument.starts_with("--cert") && !argument.starts_with("--key="));
    arguments.push("--unsigned".into());
    run(arguments).succeeded();
    (place, Certificate::new("Root").authority().self_signed())
}

/// Neither `pack` nor `sign`, also not with a CMS that openssl made, signs with `signer`, and each
/// says `needles`.
#[track_caller]
fn never_signs(place: &Place, signer: &Identity, needles: &[&str]) {
    let before = fs::read(place.path("unsigned.tiu")).unwrap();
    pack_as(place, signer, "bad", &[]).refused(needles);
    assert!(!place.path("out.tiu").exists());
    sign_as(place, signer, "bad", "unsigned.tiu", &[]).refused(needles);
    let cms = cms_of(place, signer);
    put_in(place, &cms, &[]).refused(needles);
    assert!(fs::read(place.path("unsigned.tiu")).unwrap() == before, "the bundle changed");
    // For who knows better.
    let made =
        json(&sign_as(place, signer, "bad", "unsigned.tiu", &["--allow-unverifiable", "--json"]).succeeded());
    let warning = made["signer_warnings"][0].as_str().unwrap();
    assert!(
        warning.contains("hosts will refuse") && needles.iter().all(|needle| warning.contains(needle)),
        "{made}"
    );
    fs::write(place.path("unsigned.tiu"), before).unwrap();
}

/// A CMS over the manifest of the unsigned bundle, as openssl makes it.
fn cms_of(place: &Place, signer: &Identity) -> PathBuf {
    let payload = place.path("payload");
    let mut option = OsString::from("--write-payload=");
    option.push(&payload);
    run([OsString::from("sign"), "--progress=none".into(), option, place.path("unsigned.tiu").into()])
        .succeeded();
    let path = place.path("cms");
    fs::write(&path, openssl_cms(&fs::read(payload).unwrap(), &[signer], &["-nodetach"])).unwrap();
    path
}

fn put_in(place: &Place, cms: &Path, more: &[&str]) -> Outcome {
    let mut option = OsString::from("--cms=");
    option.push(cms);
    let mut arguments: Vec<OsString> = vec!["sign".into(), "--progress=none".into(), option];
    arguments.extend(more.iter().map(OsString::from));
    arguments.push(place.path("unsigned.tiu").into());
    run(arguments)
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

/// For code signing.
fn signer(name: &str) -> Certificate {
    Certificate::new(name).usages(&["codeSigning"])
}

#[test]
fn a_certificate_that_is_not_yet_valid_does_not_sign() {
    let (place, root) = unsigned();
    let early = signer("Early").valid(now() + DAY, now() + 400 * DAY).issued_by(&root);
    never_signs(&place, &early, &["the certificate of CN=Early", "is not valid before"]);
}

#[test]
fn an_expired_certificate_does_not_sign() {
    let (place, root) = unsigned();
    let late = signer("Late").valid(now() - 400 * DAY, now() - DAY).issued_by(&root);
    never_signs(&place, &late, &["the certificate of CN=Late", "expired at"]);
}

#[test]
fn a_certification_authority_does_not_sign() {
    let (place, root) = unsigned();
    let between = Certificate::new("Between").signing_authority().issued_by(&root);
    let needle = "is that of a certification authority, which must not sign bundles";
    never_signs(&place, &between, &["CN=Between", needle]);
    let own = Certificate::new("Own").signing_authority().self_signed();
    never_signs(&place, &own, &["CN=Own", needle]);
}

#[test]
fn certificates_signed_with_weak_digests_do_not_sign() {
    let (place, root) = unsigned();
    for (digest, name) in [
        (MessageDigest::sha1(), "ECDSA with SHA-1"),
        (MessageDigest::from_nid(Nid::SHA224).unwrap(), "ECDSA with SHA-224"),
    ] {
        let weak = signer("Weak").digest(digest).issued_by(&root);
        let needle =
            format!("the certificate of CN=Weak, O=tiu test is signed with {name}, expected SHA-256");
        never_signs(&place, &weak, &[&needle]);
    }
}

#[test]
fn a_certificate_with_few_days_left_signs_with_a_warning() {
    let (place, root) = unsigned();
    // An hour more, so that the test can take some time.
    let days = |days: i64| signer("Short").valid(BEGIN, now() + days * DAY + 3600).issued_by(&root);
    let needle = "the certificate of CN=Short, O=tiu test expires in 29 days";
    let shown = pack_as(&place, &days(29), "short", &[]).succeeded();
    assert!(shown.stderr.contains(needle), "{}", shown.stderr);
    let made = json(&sign_as(&place, &days(29), "short", "out.tiu", &["--json"]).succeeded());
    assert!(made["signer_warnings"][0].as_str().unwrap().contains(needle), "{made}");
    let shown = put_in(&place, &cms_of(&place, &days(29)), &[]).succeeded();
    assert!(shown.stderr.contains(needle), "{}", shown.stderr);
    let shown = sign_as(&place, &days(31), "short", "out.tiu", &[]).succeeded();
    assert!(!shown.stderr.contains("expires in"), "{}", shown.stderr);
}

#[test]
fn a_keyring_of_hosts_decides_who_can_sign() {
    let (place, root) = unsigned();
    let stranger = Certificate::new("Stranger").authority().self_signed();
    root.write(&place.path(""), "root");
    stranger.write(&place.path(""), "stranger");
    let keyring = |name: &str| format!("--keyring={}", place.path(&format!("{name}.cert.pem")).display());
    let (ours, theirs) = (keyring("root"), keyring("stranger"));
    let signer = signer("Signer").issued_by(&root);
    let needles = ["hosts would refuse", "CN=Root", "the keyring has CN=Stranger", "--allow-unverifiable"];
    pack_as(&place, &signer, "signer", &[&theirs]).refused(&needles);
    sign_as(&place, &signer, "signer", "unsigned.tiu", &[&theirs]).refused(&needles);
    let cms = cms_of(&place, &signer);
    put_in(&place, &cms, &[&theirs]).refused(&needles);
    pack_as(&place, &signer, "signer", &[&ours]).succeeded();
    pack_as(&place, &signer, "signer", &[&theirs, &ours]).succeeded();
    put_in(&place, &cms, &[&ours]).succeeded();
    // A directory, of which a file is not read.
    let directory = place.path("keyring");
    fs::create_dir(&directory).unwrap();
    fs::copy(place.path("root.cert.pem"), directory.join("root.pem")).unwrap();
    fs::write(directory.join("NOTES"), "").unwrap();
    let shown =
        sign_as(&place, &signer, "signer", "out.tiu", &[&format!("--keyring={}", directory.display())]);
    let shown = shown.succeeded().stderr;
    assert_eq!(shown.matches("keyring has 1 files that are not read").count(), 1, "{shown}");
    assert!(shown.contains(": NOTES"), "{shown}");
}

#[test]
fn certificates_that_hosts_refuse_do_not_sign() {
    let place = Place::new();
    let root = Certificate::new("Root").authority().self_signed();
    let signer = |name: &str| Certificate::new(name).usages(&["codeSigning"]);
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
    let refused =
        run([OsString::from("sign"), cert.clone(), key, bundle]).refused(&["pin-value", "--pin-file"]);
    assert!(!refused.stderr.contains("secret1234"), "{}", refused.stderr);
    // Also where the URI is misspelt, or is something else.
    let bundle = || OsString::from(place.path("bundle.tiu"));
    for key in ["pkcs11;token=release?pin-value=secret1234", " pkcs11:token=release?pin-value=secret1234"] {
        let arguments = ["sign".into(), cert.clone(), format!("--key={key}").into(), bundle()];
        let refused = run(arguments).refused(&["pin-value"]);
        assert!(!refused.stderr.contains("secret1234"), "{}", refused.stderr);
    }
    let uri = "--cert=pkcs11:object=signer?pin-value=secret1234";
    let refused = run(["sign".into(), uri.into(), "--key=none".into(), bundle()]).refused(&["pin-value"]);
    assert!(!refused.stderr.contains("secret1234"), "{}", refused.stderr);
}

#[test]
fn a_passphrase_in_place_of_a_file_is_refused_and_not_repeated() {
    let (place, root) = unsigned();
    let signer = signer("Signer").issued_by(&root);
    let [cert, key] = keys_of(&place, &signer, "signer");
    let encrypted = place.path("encrypted.pem");
    let pem = signer.key.private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), b"secret1234").unwrap();
    fs::write(&encrypted, pem).unwrap();
    let mut option = OsString::from("--key=");
    option.push(&encrypted);
    for (key, secret) in [
        (option, "--passphrase-file=pass:secret1234"),
        ("--key=pkcs11:token=x;object=y".into(), "--pin-file=pass:secret1234"),
    ] {
        let bundle = place.path("unsigned.tiu").into();
        let refused =
            run(["sign".into(), cert.clone(), key, secret.into(), bundle]).refused(&["found a passphrase"]);
        assert!(!refused.stderr.contains("secret1234"), "{}", refused.stderr);
    }
    // A key, and a file with a passphrase, that everybody can read are reported.
    let file = place.path("passphrase");
    fs::write(&file, "secret1234\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let path = place.keys().join("signer.key.pem");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let mut option = OsString::from("--passphrase-file=");
    option.push(&file);
    let bundle = || OsString::from(place.path("unsigned.tiu"));
    let shown = run(["sign".into(), cert, key, option, bundle()]).succeeded().stderr;
    for path in [&path, &file] {
        let needle = format!("everybody on this machine can read {}: `chmod o-rwx", path.display());
        assert_eq!(shown.matches(&needle).count(), 1, "{shown}");
    }
}

#[test]
fn what_belongs_to_one_host_is_left_out() {
    let place = Place::new();
    place.recipe("version: 1\n");
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
}

#[test]
fn a_machine_id_of_no_machine_stays() {
    // A read-only /etc needs the file.
    for text in ["", "uninitialized\n", "uninitialized"] {
        let place = Place::new();
        place.recipe("version: 1\n");
        tree::file(&place.root(), "etc/machine-id", text);
        let mut arguments = place.pack_arguments("out.tiu");
        arguments.push("--strict".into());
        run(arguments).succeeded();
        assert_eq!(place.open("out.tiu").text("etc/machine-id"), text);
    }
}

#[test]
fn host_files_of_tiu_and_snapper_are_left_out() {
    let place = Place::new();
    place.recipe("version: 1\n");
    let of_host = ["etc/tiu/tiu.yaml", "etc/tiu/etc-kept", "etc/snapper/configs/root"];
    for path in of_host {
        tree::file(&place.root(), path, "of a host");
    }
    let of_image = ["usr/lib/tiu/tiu.yaml", "etc/snapper/configs/data", "etc/snapper/filters/x.txt"];
    for path in of_image {
        tree::file(&place.root(), path, "of the image");
    }
    let shown = place.pack("out.tiu").succeeded().stderr;
    let paths = place.open("out.tiu").paths();
    for path in of_host {
        assert!(shown.contains(&format!("/{path}")), "{path} is not named: {shown}");
        assert!(!paths.iter().any(|found| found == path), "{path}");
    }
    assert!(of_image.iter().all(|path| paths.iter().any(|found| found == path)), "{paths:?}");
    let mut arguments = place.pack_arguments("strict.tiu");
    arguments.push("--strict".into());
    run(arguments).refused(&[
        "3 files of the tree belong to one host",
        "/etc/snapper/configs/root",
        "/etc/tiu/tiu.yaml",
    ]);
    assert!(!place.path("strict.tiu").exists());
}

#[test]
fn what_the_recipe_calls_the_images_is_packed() {
    let place = Place::new();
    for path in ["etc/ssh/ssh_host_rsa_key", "etc/tiu/tiu.yaml", "etc/machine-id"] {
        tree::file(&place.root(), path, "0123456789abcdef0123456789abcdef\n");
    }
    place.recipe("etc:\n  always-image: [/etc/tiu/tiu.yaml, '/etc/ssh/ssh_host_*']\n");
    let shown = place.pack("out.tiu").succeeded().stderr;
    let paths = place.open("out.tiu").paths();
    for path in ["etc/ssh/ssh_host_rsa_key", "etc/tiu/tiu.yaml"] {
        assert!(paths.iter().any(|found| found == path) && !shown.contains(path), "{path}: {shown}");
    }
    assert!(
        !paths.iter().any(|found| found == "etc/machine-id") && shown.contains("/etc/machine-id"),
        "{shown}"
    );
}

#[test]
fn a_version_that_many_images_share_is_reported_and_with_strict_refused() {
    let place = Place::new();
    let release = |text: &str| tree::file(&place.root(), "usr/lib/os-release", text);
    let strict = || {
        let mut arguments = place.pack_arguments("strict.tiu");
        arguments.push("--strict".into());
        arguments
    };
    release("ID=debian\nVERSION_ID=12\n");
    let shown = place.pack("out.tiu").succeeded().stderr;
    assert!(shown.contains("version 12 is VERSION_ID of os-release, which many images share"), "{shown}");
    let ways = ["`version: ", "--image-version", "IMAGE_VERSION", "`version-from: VERSION_ID`"];
    run(strict()).refused(&["version 12 is VERSION_ID of os-release"]).refused(&ways);
    assert!(!place.path("strict.tiu").exists());
    // Each way out works, and none is reported.
    let quiet = |arguments: Vec<String>| {
        let shown = run(arguments).succeeded().stderr;
        assert!(!shown.contains("VERSION_ID"), "{shown}");
    };
    quiet([strict(), vec!["--image-version=12.1".into()]].concat());
    release("ID=debian\nVERSION_ID=12\nIMAGE_VERSION=7\n");
    quiet(strict());
    release("ID=debian\nVERSION_ID=12\n");
    place.recipe("version: '12'\n");
    quiet(strict());
    place.recipe("version-from: VERSION_ID\n");
    quiet(strict());
}
