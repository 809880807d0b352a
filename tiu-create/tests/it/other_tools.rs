//! RAUC, OpenSSL, veritysetup, squashfs-tools and mount understand the bundles that tiu-create
//! makes.

use crate::place::{self, Place};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use tiu_bundle::content_digest::Digest;
use tiu_system::path::TreePath;
use tiu_testing::program::{RunOutput, tool};

struct Made {
    place: Place,
    bundle: PathBuf,
    ca: PathBuf,
}

fn made() -> Made {
    let place = Place::new();
    place.recipe("description: 'A \"small\" test; with = and #'\nbuild: b1\n");
    place.pack("bundle.tiu").succeeded();
    let (bundle, ca) = (place.path("bundle.tiu"), place.keys().join("ca.cert.pem"));
    Made { place, bundle, ca }
}

fn run(program: &str, package: &str, arguments: &[&dyn AsRef<OsStr>]) -> RunOutput {
    let arguments: Vec<&OsStr> = arguments.iter().map(|argument| (*argument).as_ref()).collect();
    tool(program, package, &arguments).succeeded()
}

#[test]
fn rauc_shows_and_extracts_it() {
    let made = made();
    let keyring: OsString = format!("--keyring={}", made.ca.display()).into();
    let shown = run("rauc", "rauc", &[&"info", &keyring, &made.bundle]).stdout;
    for expected in ["testos", "Verity Hash", "b1"] {
        assert!(shown.contains(expected), "no {expected} in {shown}");
    }
    let target = made.place.path("extracted");
    run("rauc", "rauc", &[&"extract", &keyring, &made.bundle, &target]);
    assert_eq!(
        fs::read(target.join("usr/share/partly")).expect("an extracted file"),
        fs::read(made.place.root().join("usr/share/partly")).expect("a file")
    );
}

#[test]
fn openssl_verifies_the_signature() {
    let made = made();
    let opened = made.place.open("bundle.tiu");
    let cms = made.place.path("bundle.cms");
    fs::write(&cms, &opened.bundle.cms).expect("a file");
    let found = run(
        "openssl",
        "openssl",
        &[&"cms", &"-verify", &"-binary", &"-inform", &"DER", &"-in", &cms, &"-CAfile", &made.ca],
    );
    assert_eq!(found.stdout, opened.bundle.manifest.to_text());
}

#[test]
fn veritysetup_verifies_every_block() {
    let made = made();
    let opened = made.place.open("bundle.tiu");
    let (manifest, layout) = (&opened.bundle.manifest, &opened.bundle.layout);
    let salt = format!("--salt={}", Digest(manifest.verity_salt));
    let offset = format!("--hash-offset={}", layout.image_size);
    let blocks = format!("--data-blocks={}", layout.image_size / 4096);
    let root = manifest.verity_hash.to_string();
    let arguments: [&dyn AsRef<OsStr>; 8] =
        [&"verify", &"--no-superblock", &salt, &offset, &blocks, &made.bundle, &made.bundle, &root];
    run("veritysetup", "cryptsetup-bin", &arguments);
    let file = fs::File::options().write(true).open(&made.bundle).expect("the bundle");
    file.write_all_at(b"!", layout.image_size / 2).expect("a flipped byte");
    let arguments: Vec<&OsStr> = arguments.iter().map(|argument| (*argument).as_ref()).collect();
    assert_ne!(tool("veritysetup", "cryptsetup-bin", &arguments).code, Some(0));
}

#[test]
fn unsquashfs_reads_the_image() {
    let made = made();
    let target = made.place.path("unsquashed");
    run("unsquashfs", "squashfs-tools", &[&"-quiet", &"-no-progress", &"-dest", &target, &made.bundle]);
    assert!(
        fs::read(target.join("usr/share/same")).expect("a file")
            == fs::read(made.place.root().join("usr/share/same")).expect("a file")
    );
}

#[test]
fn composefs_like_digests_are_fsveritys() {
    let made = made();
    let opened = made.place.open("bundle.tiu");
    let name = "usr/share/partly";
    let path = made.place.root().join(name);
    let shown = run("fsverity", "fsverity", &[&"digest", &"--compact", &path]).stdout;
    let entry = opened.index.entry(opened.index.find(TreePath::literal(name)).expect("an entry"));
    assert_eq!(entry.digest.map(|digest| digest.to_string()).as_deref(), Some(shown.trim()));
}

#[test]
fn manual_pages() {
    let place = Place::empty();
    place::run([OsStr::new("man"), place.path("man").as_os_str()]).succeeded();
    for page in ["tiu-create.1", "tiu-create-pack.1", "tiu-create-sign.1", "tiu-create-keygen.1"] {
        let text = fs::read_to_string(place.path("man").join(page)).unwrap_or_else(|e| panic!("{page}: {e}"));
        assert!(text.starts_with(".ie") || text.contains(".TH"), "{page} is no manual page");
    }
}
