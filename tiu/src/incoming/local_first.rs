//! A remote image whose small files are read from the host where the host has them.
//!
//! Preflight reads a few files of the image that seldom change: os-release, accounts, the policy.
//! Each would be a request of its own. The digest decides, so that the host's copy is the image's
//! content or is not used.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use tiu_bundle::content_digest::{Digest, digest_bytes};
use tiu_bundle::index::{Index, Kind};
use tiu_bundle::read_at::{FetchCost, Reads};
use tiu_extract::{Image, ImageError};
use tiu_system::path::{TreePath, TreePathBuf};
use tiu_system::tree::Tree;

/// The largest file in bytes that is compared with the host's.
const LARGEST: u64 = 64 * 1024;
/// The directories with files that preflight reads.
const DIRECTORIES: [&str; 4] = ["etc", "usr/lib/sysusers.d", "usr/lib/tiu", "usr/share/factory/etc"];
/// Further files that preflight reads.
const FILES: [&str; 1] = ["usr/lib/os-release"];

/// A remote image whose small files come from a tree that may have them.
pub struct LocalFirst {
    image: Box<dyn Image>,
    tree: Tree,
    /// The digests of the small files.
    small: BTreeMap<TreePathBuf, Digest>,
}

impl LocalFirst {
    /// Returns `image`, or if it is remote an image that looks into `tree` first.
    pub fn over(image: Box<dyn Image>, index: &Index, tree: Tree) -> Box<dyn Image> {
        if !image.is_remote() {
            return image;
        }
        let mut small = BTreeMap::new();
        for entry in index.iter().filter(|entry| entry.kind == Kind::File && entry.size <= LARGEST) {
            let near =
                DIRECTORIES.iter().any(|directory| entry.path.starts_with(TreePath::literal(directory)));
            let known = near || FILES.iter().any(|file| *entry.path == *TreePath::literal(file));
            if let Some(digest) = entry.digest.filter(|_| known) {
                small.insert(entry.path.as_ref().to_owned(), digest);
            }
        }
        Box::new(LocalFirst { image, tree, small })
    }

    /// Returns the content of `path`, if the tree has it.
    fn local(&self, path: &TreePath) -> Option<Vec<u8>> {
        let digest = self.small.get(path)?;
        // What the host cannot read comes from the image.
        let content = self.tree.read(path, LARGEST).ok().flatten()?;
        (digest_bytes(&content) == *digest).then_some(content)
    }
}

impl Image for LocalFirst {
    fn open(&self, path: &TreePath) -> Result<Box<dyn Read + Send + '_>, ImageError> {
        match self.local(path) {
            Some(content) => Ok(Box::new(Cursor::new(content))),
            None => self.image.open(path),
        }
    }

    fn position(&self, path: &TreePath) -> u64 {
        self.image.position(path)
    }

    fn is_remote(&self) -> bool {
        true
    }

    fn announce(&self, paths: &[TreePathBuf], reads: Reads) {
        self.image.announce(paths, reads);
    }

    fn cost(&self, paths: &[TreePathBuf]) -> Option<FetchCost> {
        self.image.cost(paths)
    }
}
