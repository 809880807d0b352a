//! The request and the result of a verification.

use super::generated::InitrdSettings;
use super::scope::NotCompared;
use crate::status::{ImageFacts, SignerFacts};
use serde::Serialize;
use std::collections::BTreeSet;
use tiu_extract::Difference;
use tiu_system::path::{TreePath, TreePathBuf, plain};

/// The extent of the comparison, as far as the caller decides.
#[derive(Clone, Copy, Debug)]
pub struct VerifyRequest<'a> {
    /// The depth.
    pub depth: Depth,
    /// Paths that the host's configuration calls the host's. They count outside of the image's
    /// directories alone.
    pub claimed: &'a [TreePathBuf],
    /// Paths that need not be compared.
    pub accepted: &'a [TreePathBuf],
    /// The statements about the initrd in a configuration that the caller trusts.
    pub initrd: InitrdSettings<'a>,
}

/// The depth of a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Everything, every byte.
    Content,
    /// All that the snapshot's seal does not prove, every byte of it.
    SinceSeal,
    /// All that is known without reading files: names, types, sizes, modes, owners, attributes,
    /// times. A change of content with the same size and the old time is not noticed.
    Metadata,
}

/// The result of a verification. The field names are those of `--json`.
#[derive(Debug, Serialize)]
pub struct Verified {
    /// Number of the snapshot.
    pub snapshot: u32,
    /// The image in the snapshot.
    pub image: ImageFacts,
    /// The signer of the image.
    pub signer: SignerFacts,
    /// The time at which a certificate of the signer expired, if it has since the image was signed.
    pub expired_since: Option<String>,
    /// The number of entries of the index.
    pub entries: usize,
    /// The number of them that were compared.
    pub compared: usize,
    /// The differences of the snapshot from what was signed.
    pub differences: Vec<Difference>,
    /// The differences of `/etc`: changes of the administrator, which are not signed. Times do not
    /// count there.
    pub etc: Vec<EtcDifference>,
    /// Files that were made on the host when the image was applied and are unchanged since. They
    /// are not signed.
    #[serde(with = "plain::list")]
    pub generated: Vec<TreePathBuf>,
    /// Paths that were not compared, and hold something.
    pub not_compared: Vec<NotCompared>,
}

impl Verified {
    /// Returns the paths of `/etc` that were changed since the image was applied, or of which that
    /// is not known.
    pub fn changed_since(&self) -> BTreeSet<&TreePath> {
        let since = self.etc.iter().filter(|difference| difference.merged != Some(true));
        since.map(|difference| &*difference.difference.path).collect()
    }

    /// Returns the number of inodes of the index that are what was signed. Call it if there are no
    /// differences.
    pub fn unchanged(&self) -> usize {
        let etc: BTreeSet<&TreePath> = self
            .etc
            .iter()
            .filter(|difference| difference.difference.what != "extra")
            .map(|difference| &*difference.difference.path)
            .collect();
        self.compared.saturating_sub(etc.len())
    }
}

/// A difference of `/etc` from what was signed.
#[derive(Debug, Serialize)]
pub struct EtcDifference {
    /// The difference.
    #[serde(flatten)]
    pub difference: Difference,
    /// True if the merge left it when the image was applied; false if it was changed since. Null if
    /// the snapshot has no report of the merge.
    pub merged: Option<bool>,
}
