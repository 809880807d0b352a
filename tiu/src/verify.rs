//! Verify: checks whether a snapshot is still what was signed, from the certificate to the last
//! byte.

use crate::config::Config;
use crate::etc::is_etc;
use crate::etc::pristine::{self, PristineError};
use crate::etc::report::ReportError;
use crate::etc::state::{self, InodeFacts, ReadError, States};
use crate::host::{Host, HostError};
use crate::snapshots::{Snapshot, SnapshotError};
use crate::state::provenance::{Provenance, Unsigned};
use crate::state::record::RecordError;
use crate::state::{ImageState, StateError};
use crate::status::{ImageFacts, SignerFacts};
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::Arc;
use tiu_bundle::index::Index;
use tiu_bundle::trust::Trust;
use tiu_extract::{Difference, EngineError, ReadBack, Rules};
use tiu_system::glob::Glob;
use tiu_system::hints;
use tiu_system::path::TreePathBuf;
use tiu_system::progress::{Cancelled, Watch};
use tiu_system::tree::TreeError;

/// The result of a verification. The field names are those of `--json`.
#[derive(Debug, Serialize)]
pub struct Verified {
    /// Number of the snapshot.
    pub snapshot: u32,
    /// The image in the snapshot.
    pub image: ImageFacts,
    /// The signer of the image.
    pub signer: SignerFacts,
    /// The number of entries of the index.
    pub entries: usize,
    /// The differences of the snapshot from what was signed.
    pub differences: Vec<Difference>,
    /// The differences of `/etc`: changes of the administrator, which are not signed. Times do not
    /// count there.
    pub etc: Vec<EtcDifference>,
    /// Files that were made on the host when the image was applied and are unchanged since. They
    /// are not signed.
    pub generated: Vec<String>,
}

/// The depth of a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Everything, every byte.
    Content,
    /// What is known without reading files: names, types, sizes, modes, owners, attributes, times.
    /// A change of content with the same size and the old time is not noticed.
    Metadata,
}

/// A difference of `/etc` from what was signed.
#[derive(Debug, Serialize)]
pub struct EtcDifference {
    /// The difference.
    #[serde(flatten)]
    pub difference: Difference,
    /// Whether the merge left it when the image was applied; otherwise it was changed since. Null
    /// if the snapshot has no report of the merge.
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
    Unsigned { number: u32, source: Arc<Unsigned> },
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
    NoImage(_) => "tiu list shows which snapshots hold images",
    Differs { .. } =>
        "apply the image once more (tiu apply --force BUNDLE), or go back (tiu rollback); then look for \
         who or what changed it",
} }

/// Returns whether the client makes files at `path`. A record that names another path was changed
/// to hide that path from the comparison.
fn may_be_generated(path: &str, config: &Config) -> bool {
    let configured = config.initrd_path.as_ref();
    let configured = configured.map(|path| format!("/{}", path.replace("{kernel}", "*")));
    let places = ["/boot/*", "/usr/lib/modules/*/initr*"].into_iter().chain(configured.as_deref());
    places.filter_map(|place| Glob::stars(place).ok()).any(|place| place.matches_exactly(path.as_bytes()))
}

/// Distinguishes what the merge left in `/etc` from what was changed since. Merged files count too:
/// accounts that became the image's since the merge differ from the merged ones, although not from
/// the image.
fn explained(
    state: &ImageState,
    found: Vec<Difference>,
    rules: &Rules,
    watch: Watch,
) -> Result<Vec<EtcDifference>, VerifyError> {
    let found: Vec<Difference> = found.into_iter().filter(|difference| difference.what != "mtime").collect();
    let report = state.report()?;
    let results =
        || report.into_iter().flat_map(|report| &report.paths).filter(|decided| decided.result.is_some());
    let now = if report.is_some() && (!found.is_empty() || results().next().is_some()) {
        state::states_of_tree(state.tree(), rules, watch)?
    } else {
        States::new()
    };
    let differs: BTreeSet<&[u8]> = found.iter().map(|difference| difference.path.as_bytes()).collect();
    let changed_back: Vec<EtcDifference> = results()
        .map(|decided| (decided.raw_path(), decided))
        .filter(|(path, _)| !differs.contains(&path[..]))
        .filter_map(|(path, decided)| {
            let now = now.get(&path).map(InodeFacts::from);
            let (found, expected) = (now.as_ref(), decided.result.as_ref());
            let shown =
                |facts: Option<&InodeFacts>| facts.map_or("nothing".to_owned(), InodeFacts::to_string);
            (found != expected).then(|| EtcDifference {
                difference: Difference {
                    path: TreePathBuf::new(path).unwrap_or_default(),
                    what: "merged",
                    found: shown(found),
                    expected: shown(expected),
                },
                merged: Some(false),
            })
        })
        .collect();
    let explained = |difference: Difference| EtcDifference {
        merged: report.map(|r| r.explains(difference.path.as_bytes(), now.get(difference.path.as_bytes()))),
        difference,
    };
    Ok(found.into_iter().map(explained).chain(changed_back).collect())
}

/// Returns the name under which the index describes an inode; `path` is any of its names.
fn first_name(index: &Index, path: &[u8]) -> Option<Vec<u8>> {
    Some(index.inode_of(&index.entry(index.find(path)?)).path.as_bytes().to_vec())
}

/// Compares every inode of `snapshot` with the signed index, to `depth`.
pub fn verify(
    host: &Host,
    config: &Config,
    trust: Option<&Trust>,
    snapshot: &Snapshot,
    depth: Depth,
    watch: Watch,
) -> Result<Verified, VerifyError> {
    let number = snapshot.number;
    let state = ImageState::open(host, number, trust)?;
    let tree = state.tree();
    let Some(index) = state.index()? else { return Err(VerifyError::NoImage(number)) };
    let Some(Provenance { manifest, signer }) = state.provenance() else {
        return Err(VerifyError::NoImage(number));
    };
    let signer =
        signer.as_ref().map_err(|source| VerifyError::Unsigned { number, source: source.clone() })?;
    let files = state.record()?.map_or(&[][..], |record| &record.files);
    if let Some(file) = files.iter().find(|file| !may_be_generated(&file.path, config)) {
        return Err(VerifyError::Record(RecordError::Unexpected { path: file.path.clone() }));
    }

    let rules = Rules {
        // They are compared with the record below.
        keep: files.iter().filter_map(|file| TreePathBuf::new(file.path.clone()).ok()).collect(),
        ..state.rules(config)?
    };
    let read_back = match depth {
        Depth::Content => ReadBack::All,
        Depth::Metadata => ReadBack::Metadata,
    };
    let found = tiu_extract::check(index, tree.fd(), &rules, read_back, watch)?;
    let (etc, mut differences): (Vec<_>, Vec<_>) = found.into_iter().partition(|d| is_etc(d.path.as_bytes()));
    let etc = explained(&state, etc, &rules, watch)?;
    // If the merge or the administrator replaced a file of `/etc`, its other names no longer are
    // links to it.
    let replaced = etc.iter().filter(|d| d.merged == Some(true) || d.difference.what != "hardlink");
    let parted: BTreeSet<Vec<u8>> =
        replaced.filter_map(|d| first_name(index, d.difference.path.as_bytes())).collect();
    differences.retain(|difference| {
        difference.what != "hardlink"
            || !first_name(index, difference.path.as_bytes()).is_some_and(|name| parted.contains(&name))
    });
    differences.extend(pristine::check(tree, index, &rules, read_back, watch)?);
    let mut generated = Vec::new();
    for file in files {
        let found = match depth {
            Depth::Metadata if tree.stat(&file.path).is_some() => None,
            _ => file.difference(tree)?,
        };
        match found {
            None => generated.push(file.path.clone()),
            Some(found) => differences.push(Difference {
                path: TreePathBuf::new(file.path.clone()).unwrap_or_default(),
                what: "content",
                found,
                expected: file.what.to_string(),
            }),
        }
    }
    differences.sort();
    Ok(Verified {
        snapshot: number,
        image: manifest.into(),
        signer: signer.into(),
        entries: index.len(),
        differences,
        etc,
        generated,
    })
}
