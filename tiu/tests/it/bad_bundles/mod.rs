//! Bad bundles on a host: each is refused with an error of its own, and the host stays as it was.
//!
//! Every case has a test of its own in tiu-extract/tests/it/command_line; here the same kinds meet
//! a transaction, on one host for each kind.

mod images;
mod signers;

use std::fs;
use std::path::PathBuf;
use tiu_bundle::index::{EntryBuf, Kind, write_zst};
use tiu_bundle::signature::sign;
use tiu_testing::bundles::{Parts, entry, file_entry, image, index_of};
use tiu_testing::host::LoopHost;
use tiu_testing::kit::Kit;
use tiu_testing::pki::Identity;
use tiu_testing::program::json;
use tiu_testing::tree;

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
    let directories = ["etc", "sbin", "usr", "usr/lib", "usr/lib/sysimage", "usr/lib/sysimage/tiu"];
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
