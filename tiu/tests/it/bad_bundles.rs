//! Bad bundles on a host: each is refused with an error of its own, and the host stays as it was.
//!
//! Every case has a test of its own in tiu-extract/tests/it/command_line; here the same kinds meet
//! a transaction, on one host for each kind.

use std::fs;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};
use tiu_bundle::BLOCK_SIZE;
use tiu_bundle::index::{EntryBuf, Kind, STATE_DIR, write_zst};
use tiu_bundle::signature::sign;
use tiu_testing::bundles::{Parts, entry, file_entry, image, index_of};
use tiu_testing::host::LoopHost;
use tiu_testing::kit::Kit;
use tiu_testing::pki::{BEGIN, Certificate, END, Identity, openssl_cms, revocation_list};
use tiu_testing::program::json;
use tiu_testing::tree;

const DAY: i64 = 86_400;
/// The init of the small system.
const INIT: &str = "#!/bin/sh\n";
/// Its accounts.
const PASSWD: &str = "root:x:0:0::/root:/bin/sh\n";
/// Enough blocks for two levels of hashes.
const SIZE: usize = 900_000;

fn zst(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    write_zst(text, 1, &mut out).unwrap();
    out
}

/// The index of a root with a file `a` of `content` and the directories that every image has.
fn index(content: &[u8]) -> Vec<u8> {
    let directories = ["etc", "sbin", "usr", "usr/lib", "usr/lib/sysimage", STATE_DIR];
    let directories = directories.map(|path| entry(path, Kind::Dir, 0o755));
    let init = EntryBuf { mode: 0o755, ..file_entry("sbin/init", INIT.as_bytes()) };
    let files = [file_entry("a", content), file_entry("etc/passwd", PASSWD.as_bytes()), init];
    index_of(directories.into_iter().chain(files))
}

/// A bundle of a file `a` of noise, with an index of the test's choice.
fn with_zst(zst: &[u8], text: &[u8]) -> Parts {
    let root = tempfile::tempdir().unwrap();
    tree::file(root.path(), "etc/passwd", PASSWD);
    tree::script(root.path(), "sbin/init", INIT);
    tree::file(root.path(), "a", tree::noise(1, SIZE));
    Parts::new(image(root.path(), Some(zst)), text)
}

fn with_index(text: &[u8]) -> Parts {
    with_zst(&zst(text), text)
}

fn good() -> Parts {
    with_index(&index(&tree::noise(1, SIZE)))
}

/// A host and its kit.
struct Fixture {
    kit: Kit,
    host: LoopHost,
}

impl Fixture {
    fn new() -> Self {
        let kit = Kit::new();
        let host = kit.host();
        Fixture { kit, host }
    }

    fn file(&self, bytes: &[u8]) -> PathBuf {
        let path = self.kit.path("bad.tiu");
        fs::write(&path, bytes).unwrap();
        path
    }

    fn bytes(&self, parts: &Parts) -> Vec<u8> {
        parts.bytes(&self.kit.signer.certificate, &self.kit.signer.key)
    }

    /// Refused before anything is touched.
    #[track_caller]
    fn refused(&self, what: &str, bytes: &[u8], needles: &[&str]) {
        let before = self.host.state();
        let bundle = self.file(bytes);
        for more in [None, Some("--dry-run")] {
            let arguments = [bundle.as_os_str()].into_iter().chain(more.map(AsRef::as_ref));
            self.host.tiu("apply", arguments).refused(needles);
            assert_eq!(self.host.state(), before, "{what}: something was changed");
        }
    }

    /// Refused while the new snapshot is filled, which is then removed.
    #[track_caller]
    fn undone(&self, bytes: &[u8], needles: &[&str]) {
        let before = self.host.outline();
        self.host.tiu("apply", [self.file(bytes)]).refused(needles);
        assert_eq!(self.host.outline(), before, "something was changed");
        let status = json(&self.host.tiu("status", ["--json"]).succeeded());
        assert_eq!((&status["next"], &status["unfinished"]), (&1.into(), &serde_json::json!([])));
    }

    /// Refused, signed by `signer` and with certificates enclosed.
    #[track_caller]
    fn refused_signer(&self, what: &str, signer: &Identity, enclosed: &[&Identity], needles: &[&str]) {
        let parts = good();
        let enclosed: Vec<_> = enclosed.iter().map(|identity| identity.certificate.clone()).collect();
        let text = parts.manifest.to_text();
        let cms = sign(text.as_bytes(), &signer.certificate, &signer.key, &enclosed).unwrap();
        self.refused(what, &self.bytes(&Parts { cms: Some(cms), ..parts }), needles);
    }
}

#[test]
fn a_good_bundle_is_applied() {
    let fixture = Fixture::new();
    let bundle = fixture.file(&fixture.bytes(&good()));
    fixture.host.tiu("apply", [bundle]).succeeded();
    assert_eq!((fixture.host.snapshots(), fixture.host.default()), (vec![1, 2], 2));
}

#[test]
fn files_that_are_no_bundle() {
    let fixture = Fixture::new();
    let trailer = "the last 8 bytes of the file say that the signature is";
    fixture.refused("empty", b"", &["the file is empty"]);
    fixture.refused("4 bytes", b"hsqs", &["the file is 4 bytes long, too short for a bundle"]);
    fixture.refused("1 KiB of random bytes", &tree::noise(2, 1024), &[trailer]);
    // A signature that ends in a zero byte would give a cut trailer the form of a whole one.
    let parts = good();
    let whole =
        std::iter::repeat_with(|| fixture.bytes(&parts)).find(|bytes| bytes[bytes.len() - 9] != 0).unwrap();
    for cut in 1..=8 {
        fixture.refused(&format!("cut by {cut}"), &whole[..whole.len() - cut], &[trailer]);
    }
}

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

#[test]
fn manifests_that_say_something_wrong() {
    let fixture = Fixture::new();
    let parts = good();
    let text = parts.manifest.to_text();
    let tree = parts.manifest.verity_size;
    let hash = format!("verity-hash={}", parts.manifest.verity_hash);
    let replace = |from: &str, to: &str, needle: &str| {
        assert!(text.contains(from), "{from} is not in the manifest");
        let bad = Parts { text: Some(text.replacen(from, to, 1)), ..good() };
        fixture.refused(to, &fixture.bytes(&bad), &[needle]);
    };
    replace("[update]", "[meta.update]", "no group [update]");
    replace("compatible=testos\n", "", "no [update] compatible");
    replace("[bundle]", "hook=run\n[bundle]", "[update] hook is unknown");
    replace("[bundle]", "[hooks]\n[bundle]", "the group [hooks] is unknown");
    replace("[bundle]", "version=2\n[bundle]", "[update] version appears twice");
    replace(
        "\nformat=1\n",
        "\nformat=2\n",
        "the bundle has format 2, this version of tiu reads formats up to 1",
    );
    replace(&hash, &format!("verity-hash={}", "g".repeat(64)), "expected 64 lower-case hex digits");
    replace(&hash, "verity-hash=00", "(2 characters), expected 64 lower-case hex digits");
    let size = format!("verity-size={tree}");
    replace(&size, "verity-size=0", "verity-size is 0, expected a multiple of 4096");
    replace(&size, "verity-size=4097", "verity-size is 4097, expected a multiple of 4096");
    replace(
        &size,
        &format!("verity-size={}", tree + 4096),
        "the hash tree is 16384 bytes long, expected 12288",
    );
    replace(
        &size,
        &format!("verity-size={}", tree - 4096),
        "the hash tree is 8192 bytes long, expected 12288",
    );
}

#[test]
fn images_that_were_changed_where_they_are_opened() {
    let fixture = Fixture::new();
    let good = fixture.bytes(&good());
    let change = |what: &str, needle: &str, change: fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        fixture.refused(what, &bytes, &[needle]);
    };
    change("no multiple of 4096", "expected a multiple of 4096", |bytes| drop(bytes.drain(100..200)));
    change("block in front", "not a squashfs", |bytes| drop(bytes.splice(0..0, [0; BLOCK_SIZE])));
    change("first block", "block 0 of the image is damaged", |bytes| bytes[1000] ^= 1);
    change("highest hash level", "block 0 of hash level 2 is damaged", |bytes| {
        let at = tiu_bundle::bundle::cms_offset(bytes).unwrap() as usize - 3 * BLOCK_SIZE;
        bytes[at + 10] ^= 1;
    });
    change("lowest hash level", "block 1 of hash level 1 is damaged", |bytes| {
        let at = tiu_bundle::bundle::cms_offset(bytes).unwrap() as usize - BLOCK_SIZE;
        bytes[at + 10] ^= 1;
    });
    change("last block", "of the image is damaged", |bytes| {
        let at = tiu_bundle::bundle::cms_offset(bytes).unwrap() as usize - 4 * BLOCK_SIZE;
        bytes[at + 10] ^= 1;
    });
}

#[test]
fn indexes_that_say_what_cannot_be() {
    let fixture = Fixture::new();
    let line = |path: &str, kind: &str| format!("{path} 0 {kind} 1 0 0 0 0.0 - - -\n");
    let dir = |path: &str| line(path, "40755");
    let link = "/a 4 120777 1 0 0 0 0.0 /etc - -\n".to_owned();
    for (what, lines, needle) in [
        ("not sorted", [dir("/b"), dir("/a")], "not sorted"),
        ("names ..", [dir("/.."), dir("/b")], "the path has a component `..`"),
        ("absolute", [dir("//etc"), dir("/b")], "the path has an empty component"),
        ("empty", [dir(""), dir("/b")], "the path does not start with `/`"),
        ("through a symlink", [link, dir("/a/b")], "leads through the symbolic link \"a\""),
        (
            "parent is no directory",
            [line("/a", "100644"), dir("/a/b")],
            "is a regular file, expected a directory",
        ),
        ("twice", [dir("/a"), dir("/a")], "the same path appears twice"),
    ] {
        let text = format!("{}{}", dir("/"), lines.concat());
        fixture.refused(what, &fixture.bytes(&with_index(text.as_bytes())), &[needle]);
    }
    let text = index(&tree::noise(1, SIZE));
    let whole = zst(&text);
    let cut = with_zst(&whole[..whole.len() - 6], &text);
    fixture.refused("cut", &fixture.bytes(&cut), &["the compressed index is truncated"]);
    let other = with_zst(&zst(&index(b"")), &text);
    fixture.refused("another", &fixture.bytes(&other), &["the index is not the one that was signed"]);
    let root = tempfile::tempdir().unwrap();
    tree::file(root.path(), "a", tree::noise(1, SIZE));
    let missing = Parts::new(image(root.path(), None), &text);
    fixture.refused("missing", &fixture.bytes(&missing), &["the image has no index"]);
}

#[test]
fn images_of_no_system() {
    let fixture = Fixture::new();
    let of = |path: &str| {
        let parents = path.split('/').scan(String::new(), |path, name| {
            *path = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
            Some(entry(path.as_str(), Kind::Dir, 0o755))
        });
        fixture.bytes(&with_index(&index_of(parents)))
    };
    let needle = "the image has no directory /usr/lib/sysimage/tiu";
    fixture.refused("no directory for tiu", &of("etc"), &[needle, "tiu-create pack"]);
    fixture.refused("no etc", &of(STATE_DIR), &["the image has no directory /etc", "tiu-create pack"]);
}

#[test]
fn a_flipped_bit_in_the_middle() {
    let fixture = Fixture::new();
    let mut bytes = fixture.bytes(&good());
    bytes[100 * BLOCK_SIZE + 7] ^= 1;
    fixture.undone(&bytes, &["block 100 of the image is damaged: its hash is", "fetch the bundle again"]);
}

#[test]
fn a_content_digest_that_does_not_match() {
    let fixture = Fixture::new();
    let bad = with_index(&index(&tree::noise(2, SIZE)));
    fixture.undone(&fixture.bytes(&bad), &["a: the content that was written has digest", "the index says"]);
}

#[test]
fn a_size_that_does_not_match() {
    let fixture = Fixture::new();
    let bad = with_index(&index(&tree::noise(1, SIZE + 1)));
    let needles = ["a: the image holds 900000 bytes, its index says 900001"];
    fixture.undone(&fixture.bytes(&bad), &needles);
}
