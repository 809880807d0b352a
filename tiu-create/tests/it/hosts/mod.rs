//! Refuses to sign an image that hosts would refuse, and to pack files that belong to one host.

mod certificates;
mod files;
mod secrets;

use crate::place::{Place, run};
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tiu_testing::pki::{Certificate, Identity, openssl_cms};
use tiu_testing::program::{RunOutput, json};

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
fn pack_as(place: &Place, signer: &Identity, name: &str, more: &[&str]) -> RunOutput {
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
fn sign_as(place: &Place, signer: &Identity, name: &str, bundle: &str, more: &[&str]) -> RunOutput {
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

fn put_in(place: &Place, cms: &Path, more: &[&str]) -> RunOutput {
    let mut option = OsString::from("--cms=");
    option.push(cms);
    let mut arguments: Vec<OsString> = vec!["sign".into(), "--progress=none".into(), option];
    arguments.extend(more.iter().map(OsString::from));
    arguments.push(place.path("unsigned.tiu").into());
    run(arguments)
}
