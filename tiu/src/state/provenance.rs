//! The origin of a snapshot: its signed manifest and index, and a check that both are still as they
//! were signed.

use std::path::Path;
use std::sync::Arc;
use tiu_bundle::index::{CMS_PATH, INDEX_PATH, Index, IndexError};
use tiu_bundle::manifest::{Manifest, ManifestError};
use tiu_bundle::signature::{self, MAX_CMS_SIZE, SignatureError, Signer};
use tiu_bundle::trust::Trust;
use tiu_system::hints;
use tiu_system::tree::{Tree, TreeError};

/// The manifest of a snapshot, and its signer.
#[derive(Debug)]
pub struct Provenance {
    /// The manifest. It is only as good as `signer` says.
    pub manifest: Manifest,
    /// The signer, if it is one that is trusted.
    pub signer: Result<Signer, Arc<NoSigner>>,
    /// The time at which a certificate of the signer expired, if it has since the image was signed.
    pub expired: Option<String>,
}

/// The reason why nobody can be named as signer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum NoSigner {
    /// There is no certificate to check against.
    #[error("not checked: no keyring is configured")]
    NoKeyring,
    /// The signature is wrong, or not a trusted one.
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

hints! { NoSigner {
    forward Signature;
    NoKeyring => "give --keyring, or set keyring in /etc/tiu/tiu.yaml",
} }

/// A snapshot's own manifest or index cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum ProvenanceError {
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The signed manifest exists, but the index does not.
    #[error("{INDEX_PATH} is missing next to the signed manifest")]
    NoIndex,
    /// The signed manifest cannot be read.
    #[error("{CMS_PATH}: {0}")]
    Signature(SignatureError),
    /// The signed manifest is not one of tiu's.
    #[error("{CMS_PATH}: {0}")]
    Manifest(ManifestError),
    /// The index is not the one that was signed.
    #[error("{INDEX_PATH}: {0}")]
    Index(IndexError),
}

hints! { ProvenanceError {
    forward Tree;
    NoIndex | Signature(_) | Manifest(_) | Index(_) =>
        "the snapshot was changed after it was made: go back to another one (tiu list), or apply its \
         image again",
} }

impl Provenance {
    /// Returns the manifest of the system at `path`, if it has one that can be read. Nobody vouches
    /// for it.
    pub fn unverified(path: &Path) -> Option<Manifest> {
        let tree = Tree::open(path).ok()?;
        Some(Self::read(&tree, None).ok()??.manifest)
    }

    /// Reads the manifest of the system in `tree`. Returns `None` when no image was applied there.
    pub fn read(tree: &Tree, trust: Option<&Trust>) -> Result<Option<Self>, ProvenanceError> {
        let Some(cms) = tree.read(CMS_PATH, MAX_CMS_SIZE)? else { return Ok(None) };
        let checked = match trust {
            Some(trust) => signature::verify_at_rest(&cms, trust).map_err(NoSigner::from),
            None => Err(NoSigner::NoKeyring),
        };
        let (content, signer, expired) = match checked {
            Ok((signed, expired)) => (signed.content, Ok(signed.signer), expired),
            Err(why) => {
                let content = signature::content_unverified(&cms).map_err(ProvenanceError::Signature)?;
                (content, Err(Arc::new(why)), None)
            }
        };
        let manifest = Manifest::parse(&content).map_err(ProvenanceError::Manifest)?;
        Ok(Some(Provenance { manifest, signer, expired }))
    }

    /// Reads the index of the system in `tree`, which must be the one in the manifest.
    pub fn index(&self, tree: &Tree) -> Result<Index, ProvenanceError> {
        let file = tree.file(INDEX_PATH)?.ok_or(ProvenanceError::NoIndex)?;
        let meta = &self.manifest.tiu;
        let verity_size = self.manifest.verity_size;
        Index::read_zst(file, &meta.index_digest, meta.files, verity_size).map_err(ProvenanceError::Index)
    }
}
