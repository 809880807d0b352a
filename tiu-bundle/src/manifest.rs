//! The manifest: RAUC's INI text with our keys under `[meta.tiu]`.

use crate::content_digest::Digest;
use crate::hash_tree::Salt;
use crate::hint::Hint;

/// Highest `format` this version reads and the one it writes.
pub const FORMAT: u32 = 1;

/// What the image is, for whom, and the root hash of its hash tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// `[update] compatible`: the kind of host the image is for; must equal the host's.
    pub compatible: String,
    /// `[update] version`.
    pub version: String,
    /// `[update] description`.
    pub description: Option<String>,
    /// `[update] build`.
    pub build: Option<String>,
    /// `[bundle] verity-hash`: root hash.
    pub verity_hash: Digest,
    /// `[bundle] verity-salt`.
    pub verity_salt: Salt,
    /// `[bundle] verity-size`: bytes of hash tree, a multiple of 4096.
    pub verity_size: u64,
    /// `[meta.tiu]`.
    pub tiu: Meta,
}

/// The keys of `[meta.tiu]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// `format`.
    pub format: u32,
    /// `arch`, as `uname -m`: `x86_64`, `aarch64`.
    pub arch: String,
    /// `os-id`: `ID` of the image's os-release.
    pub os_id: String,
    /// `kernel`: version directory under `/usr/lib/modules`, when the image has a kernel.
    pub kernel: Option<String>,
    /// `files`: number of index entries.
    pub files: u64,
    /// `size`: sum of regular files' sizes in bytes, hard links counted once.
    pub size: u64,
    /// `index-digest`: SHA-256 of the uncompressed index text.
    pub index_digest: Digest,
    /// `created`: RFC 3339, UTC.
    pub created: String,
    /// `min-version`: hosts older than this must not apply the image.
    pub min_version: Option<String>,
}

/// Why a manifest was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Placeholder until the parser is written.
    #[error("{0}")]
    Invalid(String),
}

impl Hint for ManifestError {
    fn hint(&self) -> Option<String> {
        None
    }
}

impl Manifest {
    /// Strict reading: an unknown key outside `[meta.*]`, a key twice, a future format are errors.
    pub fn parse(_text: &[u8]) -> Result<Self, ManifestError> {
        todo!()
    }
    /// The text that is signed; `parse` of it gives `self` again.
    pub fn to_text(&self) -> String {
        todo!()
    }
}
