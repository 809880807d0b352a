//! Bundles made by hand, so that exactly one thing can be wrong with each.

use crate::tree;
use openssl::pkey::{PKey, Private};
use openssl::x509::X509;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tiu_bundle::content_digest::{Digest, digest_reader};
use tiu_bundle::hash_tree;
use tiu_bundle::index::{EntryBuf, Index, IndexWriter, Kind, Mtime};
use tiu_bundle::manifest::{Manifest, Meta};
use tiu_bundle::signature;
use tiu_system::path::TreePathBuf;
use tiu_system::progress::Silent;

/// A root tree's squashfs with an index of the test's choice in it.
pub fn image(root: &Path, index_zst: Option<&[u8]>) -> Vec<u8> {
    let work = tempfile::tempdir().unwrap();
    let staging = work.path().join("root");
    let copied = Command::new("cp").arg("-a").arg(root).arg(&staging).status().unwrap();
    assert!(copied.success());
    if let Some(bytes) = index_zst {
        tree::file(&staging, &tiu_bundle::index::INDEX_PATH.to_string(), bytes);
    }
    let out = work.path().join("image");
    let made = Command::new("mksquashfs")
        .arg(&staging)
        .arg(&out)
        .args(["-comp", "zstd", "-Xcompression-level", "1", "-noappend", "-quiet", "-no-progress"])
        .output()
        .expect("mksquashfs does not start: install the package squashfs-tools");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut bytes = fs::read(out).unwrap();
    bytes.resize(bytes.len().next_multiple_of(tiu_bundle::BLOCK_SIZE), 0);
    bytes
}

/// Everything that goes into a bundle; change what the test is about, then write it.
pub struct Parts {
    /// Squashfs, padded.
    pub image: Vec<u8>,
    /// Hash tree of the image.
    pub tree: Vec<u8>,
    /// Parsed manifest; `text` is made of it unless set.
    pub manifest: Manifest,
    /// Manifest text to sign instead of `manifest`.
    pub text: Option<String>,
    /// Bytes that follow the image and the tree instead of a CMS over the text.
    pub cms: Option<Vec<u8>>,
    /// CMS length in the trailer instead of the true one.
    pub cms_length: Option<u64>,
}

impl Parts {
    /// A bundle of `image` whose index text is `index`.
    pub fn new(image: Vec<u8>, index: &[u8]) -> Self {
        let salt = [7; 32];
        let mut hashes = Vec::new();
        let root = hash_tree::build(&image, image.len() as u64, &salt, &mut hashes, &Silent).unwrap();
        let entries = index.iter().filter(|b| **b == b'\n').count() as u64;
        let manifest = Manifest {
            compatible: "testos".into(),
            version: "1".into(),
            description: None,
            build: None,
            verity_hash: root,
            verity_salt: salt,
            verity_size: hashes.len() as u64,
            tiu: Meta {
                format: tiu_bundle::manifest::FORMAT,
                arch: std::env::consts::ARCH.into(),
                os_id: "testos".into(),
                kernel: None,
                files: entries,
                size: 0,
                index_digest: Digest(openssl::sha::sha256(index)),
                created: "2024-01-01T00:00:00Z".into(),
                min_version: None,
            },
        };
        Parts { image, tree: hashes, manifest, text: None, cms: None, cms_length: None }
    }

    /// The file's bytes.
    pub fn bytes(&self, certificate: &X509, key: &PKey<Private>) -> Vec<u8> {
        let text = self.text.clone().unwrap_or_else(|| self.manifest.to_text());
        let cms = match &self.cms {
            Some(cms) => cms.clone(),
            None => signature::sign(text.as_bytes(), certificate, key, &[]).unwrap(),
        };
        let length = self.cms_length.unwrap_or(cms.len() as u64);
        [&self.image[..], &self.tree, &cms, &length.to_be_bytes()].concat()
    }

    /// Writes the file.
    pub fn write(&self, path: &Path, certificate: &X509, key: &PKey<Private>) -> PathBuf {
        fs::write(path, self.bytes(certificate, key)).unwrap();
        path.to_owned()
    }
}

/// An entry of an index: root's, of 2023, empty.
pub fn entry(path: impl AsRef<[u8]>, kind: Kind, mode: u32) -> EntryBuf {
    EntryBuf {
        path: TreePathBuf::new(path.as_ref()).unwrap().into(),
        kind,
        mode,
        nlink: 1,
        uid: 0,
        gid: 0,
        rdev: 0,
        mtime: Mtime { sec: 1_700_000_000, nsec: 0 },
        size: 0,
        target: None,
        link: None,
        digest: None,
        xattrs: vec![],
    }
}

/// The entry of a regular file with `content`.
pub fn file_entry(path: impl AsRef<[u8]>, content: &[u8]) -> EntryBuf {
    let (digest, size) = digest_reader(content).unwrap();
    EntryBuf { size, digest: Some(digest), ..entry(path, Kind::File, 0o644) }
}

/// Index text of a root directory with `entries`.
pub fn index_of(entries: impl IntoIterator<Item = EntryBuf>) -> Vec<u8> {
    let mut writer = IndexWriter::default();
    writer.push(entry("", Kind::Dir, 0o755));
    entries.into_iter().for_each(|entry| writer.push(entry));
    let text = writer.finish();
    Index::parse(text.clone()).expect("a good index");
    text
}

/// Index text of a tree that has only the root and one regular file `a` of `content`; tests bend
/// it.
pub fn tiny_index(content: &[u8]) -> Vec<u8> {
    index_of([file_entry("a", content)])
}
