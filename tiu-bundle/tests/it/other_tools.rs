//! A bundle is also what RAUC, OpenSSL and veritysetup understand.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tiu_testing::bundles::{Parts, image, tiny_index};
use tiu_testing::pki::Certificate;
use tiu_testing::program::{RunOutput, tool};
use tiu_testing::tree;

/// A bundle of a real squashfs, signed through an intermediate certificate.
struct Made {
    dir: TempDir,
    bundle: PathBuf,
    root: PathBuf,
    parts: Parts,
    cms: Vec<u8>,
}

fn made() -> Made {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let source = dir.path().join("source");
    tree::file(&source, "usr/share/file", tree::noise(1, 700_000));
    tree::file(&source, "etc/os-release", "ID=test\n");
    let mut parts = Parts::new(image(&source, Some(b"index")), &tiny_index(b"content"));
    parts.manifest.description = Some("A = description; with # [signs] \\ and more".into());
    parts.manifest.build = Some("17".into());

    let root = Certificate::new("Root").authority().self_signed();
    let intermediate = Certificate::new("Intermediate").authority().issued_by(&root);
    // These two usages together suit every setting of ours, of RAUC and of `openssl cms`.
    let signer =
        Certificate::new("Signer").usages(&["codeSigning", "emailProtection"]).issued_by(&intermediate);
    let text = parts.manifest.to_checked_text().expect("a good manifest");
    let cms = tiu_bundle::signature::sign(
        text.as_bytes(),
        &signer.certificate,
        &signer.key,
        &[intermediate.certificate],
    )
    .expect("a signature");
    parts.cms = Some(cms.clone());
    let bundle = parts.write(&dir.path().join("bundle.tiu"), &signer.certificate, &signer.key);
    let (root, _) = root.write(dir.path(), "root");
    Made { dir, bundle, root, parts, cms }
}

fn run(program: &str, package: &str, arguments: &[&dyn AsRef<OsStr>]) -> RunOutput {
    let arguments: Vec<&OsStr> = arguments.iter().map(|a| (*a).as_ref()).collect();
    tool(program, package, &arguments).succeeded()
}

fn keyring(made: &Made) -> String {
    format!("--keyring={}", made.root.display())
}

#[test]
fn rauc_info() {
    let made = made();
    let output = run("rauc", "rauc", &[&"info", &"--output-format=json", &keyring(&made), &made.bundle]);
    for expected in [
        r#""compatible" : "testos""#,
        r#""version" : "1""#,
        r#""build" : "17""#,
        r#""description" : "A = description; with # [signs] \\ and more""#,
    ] {
        assert!(squeezed(&output.stdout).contains(&squeezed(expected)), "no {expected} in {}", output.stdout);
    }
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect()
}

#[test]
fn rauc_extract() {
    let made = made();
    let target = made.dir.path().join("extracted");
    run("rauc", "rauc", &[&"extract", &keyring(&made), &made.bundle, &target]);
    let read = |root: &Path| fs::read(root.join("usr/share/file")).expect("the file");
    assert_eq!(read(&target), read(&made.dir.path().join("source")));
}

/// Signing again with `rauc resign` and `rauc replace-signature` needs RAUC 1.9; older ones look
/// for a manifest in the image.
#[test]
fn rauc_extract_signature() {
    let made = made();
    let signature = made.dir.path().join("signature");
    run("rauc", "rauc", &[&"extract-signature", &keyring(&made), &made.bundle, &signature]);
    assert_eq!(fs::read(signature).expect("the signature"), made.cms);
}

#[test]
fn openssl_cms_verify() {
    let made = made();
    let (cms, text) = (made.dir.path().join("cms"), made.dir.path().join("manifest"));
    fs::write(&cms, &made.cms).expect("a file");
    let common: [&dyn AsRef<OsStr>; 10] =
        [&"cms", &"-verify", &"-binary", &"-inform", &"DER", &"-in", &cms, &"-CAfile", &made.root, &"-out"];
    run("openssl", "openssl", &[common.as_slice(), &[&text]].concat());
    assert_eq!(fs::read_to_string(text).expect("the manifest"), made.parts.manifest.to_text());
}

#[test]
fn veritysetup_verify() {
    let made = made();
    let size = made.parts.image.len();
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    run(
        "veritysetup",
        "cryptsetup-bin",
        &[
            &"verify",
            &"--no-superblock",
            &"--format=1",
            &"--hash=sha256",
            &"--data-block-size=4096",
            &"--hash-block-size=4096",
            &format!("--data-blocks={}", size / 4096),
            &format!("--hash-offset={size}"),
            &format!("--salt={}", hex(&made.parts.manifest.verity_salt)),
            &made.bundle,
            &made.bundle,
            &made.parts.manifest.verity_hash.to_string(),
        ],
    );
}

/// The commands of docs/format/bundle-format.md do what they say. (Mounting needs root and is left
/// out.)
#[test]
fn by_hand() {
    let made = made();
    let document = include_str!("../../../docs/format/bundle-format.md");
    let (_, by_hand) = document.split_once("## Verifying a bundle by hand").expect("the section");
    let script =
        by_hand.split("```").nth(1).and_then(|block| block.strip_prefix("sh\n")).expect("the commands");
    let script: String =
        script.lines().filter(|line| !line.contains("/mnt")).map(|line| format!("{line}\n")).collect();
    assert!(script.contains("openssl cms") && script.contains("veritysetup"), "{script}");
    fs::copy(&made.root, made.dir.path().join("ca.cert.pem")).expect("a copy");
    let run = |script: &str| {
        let mut command = std::process::Command::new("bash");
        tiu_testing::program::outcome(
            command.args(["-euo", "pipefail", "-c", script]).current_dir(made.dir.path()),
        )
    };
    let output = run(&script).succeeded();
    assert!(output.stderr.contains("successful"), "{}", output.stderr);
    // And they find what is wrong.
    let mut bytes = fs::read(&made.bundle).expect("the bundle");
    bytes[100_000] ^= 1;
    fs::write(&made.bundle, bytes).expect("the bundle");
    assert_ne!(run(&script).code, Some(0), "a flipped bit was not found");
}
