//! Verify: checks whether a snapshot is still what was signed, from the certificate to the last
//! byte.
//!
//! ```text
//! scope      which paths are compared, and who says so
//! owners     the host's numbers of the image's owners, from signed and actual accounts
//! generated  files that were made on the host
//! own_files  the client's own directory
//! labels     SELinux labels of what was made on the host
//! ```
//!
//! The snapshot is the suspect. Its files say what an administrator may want to know; none of them
//! keeps a part of the system from being compared.

mod generated;
mod labels;
mod own_files;
mod owners;
mod scope;

pub use generated::InitrdSettings;
pub use scope::{NotCompared, NotComparedReason};

use crate::etc::pristine::{self, PristineError};
use crate::etc::state::{self, InodeFacts, ReadError, States};
use crate::etc::{EtcReport, REPORT_PATH, ReportError, is_etc};
use crate::host::{Host, HostError};
use crate::snapshots::{Snapshot, SnapshotError, btrfs};
use crate::state::{ImageState, NoSigner, Provenance, RECORD_PATH, Record, RecordError, StateError};
use crate::status::{ImageFacts, SignerFacts};
use scope::Scope;
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::Arc;
use tiu_bundle::index::Index;
use tiu_bundle::trust::Trust;
use tiu_extract::{Difference, EngineError, ReadBack, Rules};
use tiu_system::hints;
use tiu_system::path::{TreePath, TreePathBuf, plain};
use tiu_system::progress::{Cancelled, Watch};
use tiu_system::tree::{Tree, TreeError};

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
    /// All that is known without reading files: names, types, sizes, modes, owners, attributes,
    /// times. A change of content with the same size and the old time is not noticed.
    Metadata,
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

/// A snapshot could not be verified, or differs.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
#[non_exhaustive]
pub enum VerifyError {
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    #[error(transparent)]
    Host(#[from] HostError),
    /// The snapshot has no image.
    #[error("snapshot {0} was not made by tiu: nothing in it is signed")]
    NoImage(u32),
    /// No trusted signer signed the image.
    #[error("snapshot {number}: {source}")]
    Unsigned { number: u32, source: Arc<NoSigner> },
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Tree(#[from] TreeError),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    Pristine(#[from] PristineError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Report(#[from] ReportError),
    /// Something else was mounted over the snapshot while it was looked for.
    #[error(
        "something is mounted over snapshot {number}: the subvolume below has id {found}, the listed one {expected}"
    )]
    Mounted { number: u32, found: u64, expected: u64 },
    /// `/etc` was changed since the image was applied, and that is a failure too.
    #[error("{count} path{} in /etc of snapshot {number} changed since the update", if *.count == 1 { "" } else { "s" })]
    EtcChanged {
        number: u32,
        /// The number of paths.
        count: usize,
    },
    /// The snapshot differs from what was signed.
    #[error("snapshot {number} differs in {count} place{} from what was signed", if *.count == 1 { "" } else { "s" })]
    Differs {
        number: u32,
        /// The number of differences.
        count: usize,
    },
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl From<ReadError> for VerifyError {
    fn from(e: ReadError) -> Self {
        match e {
            ReadError::Tree(e) => e.into(),
            ReadError::Engine(e) => e.into(),
        }
    }
}

hints! { VerifyError {
    forward Snapshot, Host, State, Tree, Record, Report, Pristine, Engine, Unsigned.source, Cancelled;
    Mounted { .. } => "unmount it (findmnt -R shows what is mounted), then verify again",
    EtcChanged { .. } => "tiu etc diff shows the changes; without --strict they are not a failure",
    NoImage(_) => "tiu list shows which snapshots hold images",
    Differs { .. } =>
        "apply the image again (tiu apply --force BUNDLE), or go back (tiu rollback); then look for \
         who or what changed it",
} }

/// Distinguishes what the merge left in `/etc` from what was changed since. Merged files count too:
/// accounts that became the image's since the merge differ from the merged ones, although not from
/// the image.
fn explained(
    state: &ImageState,
    report: Option<&EtcReport>,
    found: Vec<Difference>,
    rules: &Rules,
    watch: Watch,
) -> Result<Vec<EtcDifference>, VerifyError> {
    let found: Vec<Difference> = found.into_iter().filter(|difference| difference.what != "mtime").collect();
    let results =
        || report.into_iter().flat_map(|report| &report.paths).filter(|decided| decided.result.is_some());
    let now = if report.is_some() && (!found.is_empty() || results().next().is_some()) {
        state::states_of_tree(state.tree(), rules, watch)?
    } else {
        States::new()
    };
    let differs: BTreeSet<&TreePath> = found.iter().map(|difference| &*difference.path).collect();
    let changed_back: Vec<EtcDifference> = results()
        .filter(|decided| !differs.contains(&*decided.path))
        .filter_map(|decided| {
            let inode = now.get(&decided.path);
            let facts = inode.map(|inode| InodeFacts::from(inode).public());
            let (found, expected) = (facts.as_ref(), decided.result.as_ref());
            let is_same = expected.is_some_and(|expected| expected.describe(inode));
            let shown =
                |facts: Option<&InodeFacts>| facts.map_or("nothing".to_owned(), InodeFacts::to_string);
            (!is_same).then(|| EtcDifference {
                difference: Difference {
                    path: decided.path.clone(),
                    what: "merged",
                    found: shown(found),
                    expected: shown(expected),
                },
                merged: Some(false),
            })
        })
        .collect();
    let explained = |difference: Difference| EtcDifference {
        merged: report.map(|r| r.explains(&difference.path, now.get(&difference.path))),
        difference: without_secret(state.tree(), difference),
    };
    Ok(found.into_iter().map(explained).chain(changed_back).collect())
}

/// Returns a difference of `/etc` without the digest of a file that not everybody can read.
fn without_secret(tree: &Tree, difference: Difference) -> Difference {
    let Difference { path, what, .. } = &difference;
    let mode = tree.stat(path).map_or(0, |stat| stat.st_mode);
    if *what == "content" && mode & 0o004 == 0 {
        Difference { found: "other content".into(), expected: "the image's".into(), ..difference }
    } else {
        difference
    }
}

/// Returns the name under which the index describes an inode; `path` is any of its names.
fn first_name(index: &Index, path: &TreePath) -> Option<TreePathBuf> {
    Some(index.inode_of(&index.entry(index.find(path)?)).path.as_ref().to_owned())
}

/// Returns the snapshot's tree without what is mounted over it or in it.
fn open(host: &Host, snapshot: &Snapshot) -> Result<Tree, VerifyError> {
    let number = snapshot.number;
    let tree = Tree::from_directory(host.open_around_mounts(number)?, &host.snapshot_path(number));
    let path = tree.descriptor_path();
    let found = btrfs("asking for the id of", &path, libbtrfsutil::subvolume_id(&path))?;
    if found != snapshot.id {
        return Err(VerifyError::Mounted { number, found, expected: snapshot.id });
    }
    Ok(tree)
}

/// Compares every inode of `snapshot` with the signed index.
pub fn verify(
    host: &Host,
    trust: Option<&Trust>,
    snapshot: &Snapshot,
    request: &VerifyRequest,
    watch: Watch,
) -> Result<Verified, VerifyError> {
    let VerifyRequest { depth, claimed, accepted, initrd } = *request;
    let number = snapshot.number;
    let state = ImageState::from_tree(open(host, snapshot)?, number, trust)?;
    let tree = state.tree();
    let Some(index) = state.index()? else { return Err(VerifyError::NoImage(number)) };
    let Some(Provenance { manifest, signer, expired }) = state.provenance() else {
        return Err(VerifyError::NoImage(number));
    };
    let signer =
        signer.as_ref().map_err(|source| VerifyError::Unsigned { number, source: source.clone() })?;

    let mut differences = own_files::check(tree)?;
    // What nobody signed and cannot be read says nothing, and was changed.
    let record = Record::read(tree).unwrap_or_else(|e| {
        differences.push(own_files::unusable(RECORD_PATH, e.to_string()));
        None
    });
    let report = EtcReport::read(tree).unwrap_or_else(|e| {
        differences.push(own_files::unusable(REPORT_PATH, e.to_string()));
        None
    });
    let owners = owners::owners(tree, index, record.as_ref());
    differences.extend(owners.differences);
    let scope = Scope::new(&state, index, record.as_ref(), claimed, accepted)?;
    differences.extend(scope.differences);
    let files = generated::sort(tree, manifest, index, initrd, accepted, record.as_ref());
    differences.extend(files.differences);
    let compared = scope.compared.saturating_sub(files.replaced.len());
    let mut not_compared = scope.not_compared;
    not_compared.extend(files.replaced.into_iter().map(|path| NotCompared {
        path,
        reason: NotComparedReason::Made,
        entries: 1,
    }));
    not_compared.sort();

    let own_etc = state.nested()?.iter().any(|path| path.as_os_str() == "etc");
    let rules = Rules {
        host_paths: scope.host_paths,
        subvolumes: own_etc.then(|| TreePath::literal("etc").to_owned()).into_iter().collect(),
        uids: owners.uids,
        gids: owners.gids,
        // They are compared with the record below.
        keep: files.implied.iter().map(|file| file.path.clone()).collect(),
        ..Rules::default()
    };
    let read_back = match depth {
        Depth::Content => ReadBack::All,
        Depth::Metadata => ReadBack::Metadata,
    };
    let found = tiu_extract::check(index, tree.fd(), &rules, read_back, watch)?;
    let (etc, found): (Vec<_>, Vec<_>) = found.into_iter().partition(|d| is_etc(&d.path));
    differences.extend(found);
    let etc = explained(&state, report.as_ref(), etc, &rules, watch)?;
    // If the merge or the administrator replaced a file of `/etc`, its other names no longer are
    // links to it.
    let replaced = etc.iter().filter(|d| d.merged == Some(true) || d.difference.what != "hardlink");
    let parted: BTreeSet<TreePathBuf> =
        replaced.filter_map(|d| first_name(index, &d.difference.path)).collect();
    differences.retain(|difference| {
        difference.what != "hardlink"
            || !first_name(index, &difference.path).is_some_and(|name| parted.contains(&name))
    });
    differences.extend(pristine::check(tree, index, &rules, read_back, watch)?);
    let mut generated = Vec::new();
    for file in files.implied {
        let found = generated::differences(tree, file, depth == Depth::Content)?;
        if found.is_empty() {
            generated.push(file.path.clone());
        }
        differences.extend(found);
    }
    differences.extend(labels::differences(tree, record.as_ref())?);
    differences.sort();
    differences.dedup();
    Ok(Verified {
        snapshot: number,
        image: manifest.into(),
        signer: signer.into(),
        expired_since: expired.clone(),
        entries: index.len(),
        compared,
        differences,
        etc,
        generated,
        not_compared,
    })
}
