//! Verify: whether a snapshot is still what was signed, from the certificate to the last byte.

use crate::config::{Config, matches};
use crate::etc::is_etc;
use crate::etc::pristine::{self, PristineError};
use crate::etc::report::ReportError;
use crate::etc::state::{self, InodeFacts, ReadError, States, inode_of};
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
use tiu_system::hints;
use tiu_system::progress::{Cancel, Cancelled, Progress, Watch};
use tiu_system::tree::TreeError;

/// What was found. The field names are those of `--json`.
#[derive(Debug, Serialize)]
pub struct Verified {
    /// The snapshot.
    pub snapshot: u32,
    /// The image that it holds.
    pub image: ImageFacts,
    /// Who signed it.
    pub signer: SignerFacts,
    /// Inodes in the index.
    pub entries: usize,
    /// Where the snapshot differs from what was signed: none if all is well.
    pub differences: Vec<Difference>,
    /// Where `/etc` differs: changes by the administrator, which nobody signed. Times do not count there.
    pub etc: Vec<EtcDifference>,
    /// What was made on the host when the image was applied, and is unchanged since; nobody signed it either.
    pub generated: Vec<String>,
}

/// How much is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// All: every byte.
    Content,
    /// What is known without reading a file: names, types, sizes, modes, owners, attributes, times. Who changes content and puts size and time
    /// back is not seen.
    Metadata,
}

/// Where `/etc` differs from what was signed.
#[derive(Debug, Serialize)]
pub struct EtcDifference {
    /// How.
    #[serde(flatten)]
    pub difference: Difference,
    /// Whether it is what the merge left there when the image was applied; else it was changed since. Null where the merge kept no report.
    pub merged: Option<bool>,
}

/// Why a snapshot could not be verified.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// See [`SnapshotError`].
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// See [`HostError`].
    #[error(transparent)]
    Host(#[from] HostError),
    /// No image was applied in it.
    #[error("snapshot {0} was not made by tiu: nothing in it is signed")]
    NoImage(u32),
    /// Nobody we trust signed it.
    #[error("snapshot {number}: {source}")]
    Unsigned {
        /// Which.
        number: u32,
        /// Why.
        source: Arc<Unsigned>,
    },
    /// See [`StateError`].
    #[error(transparent)]
    State(#[from] StateError),
    /// See [`TreeError`].
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// See [`RecordError`].
    #[error(transparent)]
    Record(#[from] RecordError),
    /// See [`PristineError`].
    #[error(transparent)]
    Pristine(#[from] PristineError),
    /// See [`EngineError`].
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// See [`ReportError`].
    #[error(transparent)]
    Report(#[from] ReportError),
    /// It is not what was signed.
    #[error("snapshot {number} differs in {count} place{} from what was signed", if *.count == 1 { "" } else { "s" })]
    Differs {
        /// Which.
        number: u32,
        /// How many differences.
        count: usize,
    },
    /// Cancelled.
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

/// Where the client makes things. A record that names something else was changed to hide it from the comparison.
fn may_be_generated(path: &str, config: &Config) -> bool {
    let configured = config.initrd_path.as_ref().map(|path| path.replace("{kernel}", "*"));
    let places = ["boot/*", "usr/lib/modules/*/initr*"];
    places.into_iter().chain(configured.as_deref()).any(|place| matches(place, path.as_bytes()))
}

/// Tells apart what the merge left in `/etc` and what was changed since. What was made of all sides counts, too: accounts that became the
/// image's since the merge differ from what was merged, although not from the image.
fn explained(
    state: &ImageState,
    found: Vec<Difference>,
    rules: &Rules,
    progress: &dyn Progress,
    cancel: &Cancel,
) -> Result<Vec<EtcDifference>, VerifyError> {
    let found: Vec<Difference> = found.into_iter().filter(|difference| difference.what != "mtime").collect();
    let report = state.report()?;
    let results =
        || report.into_iter().flat_map(|report| &report.paths).filter(|decided| decided.result.is_some());
    let now = if report.is_some() && (!found.is_empty() || results().next().is_some()) {
        state::of_tree(state.tree(), rules, progress, cancel)?
    } else {
        States::new()
    };
    let differs: BTreeSet<&[u8]> = found.iter().map(|difference| &difference.raw_path[..]).collect();
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
                    path: decided.path.clone(),
                    raw_path: path,
                    what: "merged",
                    found: shown(found),
                    expected: shown(expected),
                },
                merged: Some(false),
            })
        })
        .collect();
    let explained = |difference: Difference| EtcDifference {
        merged: report.map(|r| r.explains(&difference.raw_path, now.get(&difference.raw_path))),
        difference,
    };
    Ok(found.into_iter().map(explained).chain(changed_back).collect())
}

/// The name of an inode under which the index describes it; `path` is any of its names.
fn first_name(index: &Index, path: &[u8]) -> Option<Vec<u8>> {
    Some(inode_of(index, &index.entry(index.find(path)?)).path.as_bytes().to_vec())
}

/// Compares every inode of `snapshot` with the signed index, to `depth`.
pub fn verify(
    host: &Host,
    config: &Config,
    trust: Option<&Trust>,
    snapshot: &Snapshot,
    depth: Depth,
    progress: &dyn Progress,
    cancel: &Cancel,
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
        // Compared with the record below.
        keep: files.iter().map(|file| file.path.clone().into_bytes()).collect(),
        ..state.rules(config)?
    };
    let read_back = match depth {
        Depth::Content => ReadBack::All,
        Depth::Metadata => ReadBack::Metadata,
    };
    let found = tiu_extract::check(index, tree.fd(), &rules, read_back, Watch::new(progress, cancel))?;
    let (etc, mut differences): (Vec<_>, Vec<_>) = found.into_iter().partition(|d| is_etc(&d.raw_path));
    let etc = explained(&state, etc, &rules, progress, cancel)?;
    // A file of `/etc` that the merge or the administrator replaced leaves the names that it had elsewhere without it.
    let replaced = etc.iter().filter(|d| d.merged == Some(true) || d.difference.what != "hardlink");
    let parted: BTreeSet<Vec<u8>> =
        replaced.filter_map(|d| first_name(index, &d.difference.raw_path)).collect();
    differences.retain(|difference| {
        difference.what != "hardlink"
            || !first_name(index, &difference.raw_path).is_some_and(|name| parted.contains(&name))
    });
    differences.extend(pristine::check(tree, index, &rules, read_back, progress, cancel)?);
    let mut generated = Vec::new();
    for file in files {
        let found = match depth {
            Depth::Metadata if tree.stat(&file.path).is_some() => None,
            _ => file.difference(tree)?,
        };
        match found {
            None => generated.push(file.path.clone()),
            Some(found) => differences.push(Difference {
                path: file.path.clone(),
                raw_path: file.path.clone().into_bytes(),
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
