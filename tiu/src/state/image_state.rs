//! The facts in one snapshot's tree. Each part is read and checked at most once.

use super::error::{StateError, StateProblem};
use super::provenance::Provenance;
use super::record::Record;
use crate::etc::EtcReport;
use crate::host::Host;
use crate::snapshots::nested_subvolumes;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tiu_bundle::index::Index;
use tiu_bundle::policy::{POLICY_PATH, Policy};
use tiu_bundle::trust::Trust;
use tiu_system::fstab::{self, Mount};
use tiu_system::path::TreePathBuf;
use tiu_system::tree::{MAX_TEXT, Tree};

/// The facts in a snapshot's tree.
///
/// The signed manifest is read at once, everything else when it is first asked for.
#[derive(Debug)]
pub struct ImageState {
    number: u32,
    tree: Tree,
    provenance: Option<Provenance>,
    index: OnceLock<Arc<Index>>,
    record: OnceLock<Option<Record>>,
    report: OnceLock<Option<EtcReport>>,
    mounts: OnceLock<Vec<Mount>>,
    nested: OnceLock<Vec<PathBuf>>,
    /// Damaged parts that count as absent, where that is so.
    ignored: Option<Mutex<Vec<String>>>,
}

impl ImageState {
    /// Reads snapshot `number` of `host` as what an update starts from.
    ///
    /// Whatever nobody signed, or does not parse, or cannot be read, counts as absent: an update
    /// must heal a damaged host. [`ignored`](Self::ignored) returns what that was.
    pub fn open_base(host: &Host, number: u32, trust: &Trust) -> Result<Self, StateError> {
        let failed = |source| StateError { number, source };
        let tree = Tree::open(&host.snapshot_path(number)).map_err(|e| failed(e.into()))?;
        Ok(Self::leniently(tree, number, Some(trust)))
    }

    fn leniently(tree: Tree, number: u32, trust: Option<&Trust>) -> Self {
        let mut ignored = Vec::new();
        let provenance = Provenance::read(&tree, trust).unwrap_or_else(|error| {
            ignored.push(error.to_string());
            None
        });
        // Without its index, a manifest says nothing of the tree.
        let index = provenance.as_ref().map(|provenance| provenance.index(&tree));
        let (provenance, index) = match index {
            Some(Ok(index)) => (provenance, OnceLock::from(Arc::new(index))),
            Some(Err(error)) => {
                ignored.push(error.to_string());
                (None, OnceLock::new())
            }
            None => (None, OnceLock::new()),
        };
        let state = ImageState { index, ..Self::new(tree, number, provenance) };
        ImageState { ignored: Some(Mutex::new(ignored)), ..state }
    }

    fn new(tree: Tree, number: u32, provenance: Option<Provenance>) -> Self {
        ImageState {
            number,
            tree,
            provenance,
            index: OnceLock::new(),
            record: OnceLock::new(),
            report: OnceLock::new(),
            mounts: OnceLock::new(),
            nested: OnceLock::new(),
            ignored: None,
        }
    }

    /// Reads snapshot `number` of `host`. The signature is checked against `trust`, if there is
    /// any.
    pub fn open(host: &Host, number: u32, trust: Option<&Trust>) -> Result<Self, StateError> {
        let failed = |source| StateError { number, source };
        let tree = Tree::open(&host.snapshot_path(number)).map_err(|e| failed(e.into()))?;
        Self::from_tree(tree, number, trust)
    }

    /// Reads the system in `tree`, which is snapshot `number`.
    pub fn from_tree(tree: Tree, number: u32, trust: Option<&Trust>) -> Result<Self, StateError> {
        let failed =
            |source: super::provenance::ProvenanceError| StateError { number, source: source.into() };
        let provenance = Provenance::read(&tree, trust).map_err(failed)?;
        Ok(Self::new(tree, number, provenance))
    }

    /// Reads the system in `tree`, which is snapshot `number` and was copied from `base`. Where the
    /// manifest still names the same index, `base`'s index is used instead of being read again.
    ///
    /// Returns the state of a copy of `base`. Parts that count as absent in `base` may be absent in
    /// the copy too.
    pub fn from_copy(base: &Self, tree: Tree, number: u32) -> Result<Self, StateError> {
        if base.ignored.is_some() && base.provenance.is_none() {
            return Ok(Self::leniently(tree, number, None));
        }
        let mut copy = Self::from_tree(tree, number, None)?;
        copy.ignored = base.ignored.as_ref().map(|_| Mutex::default());
        let named = |state: &Self| state.provenance.as_ref().map(|p| p.manifest.tiu.index_digest);
        if let Some(index) = base.index.get()
            && named(base) == named(&copy)
        {
            let _ = copy.index.set(index.clone());
        }
        Ok(copy)
    }

    /// Returns the snapshot's number.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Returns the snapshot's tree.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Returns the manifest and its signer, or `None` when no image was applied in the snapshot.
    pub fn provenance(&self) -> Option<&Provenance> {
        self.provenance.as_ref()
    }

    /// Returns the index that the manifest names, or `None` when no image was applied.
    pub fn index(&self) -> Result<Option<&Index>, StateError> {
        match &self.provenance {
            Some(provenance) => {
                let read = || Ok(Arc::new(provenance.index(&self.tree)?));
                Ok(Some(self.once(&self.index, read)?.as_ref()))
            }
            None => Ok(None),
        }
    }

    /// Returns the index like [`index`](Self::index), to be kept beyond `self`.
    pub fn shared_index(&self) -> Result<Option<Arc<Index>>, StateError> {
        self.index()?;
        Ok(self.index.get().cloned())
    }

    /// Returns the snapshot's tree, and drops the rest.
    pub fn into_tree(self) -> Tree {
        self.tree
    }

    /// Returns what was made on the host when the image was applied.
    pub fn record(&self) -> Result<Option<&Record>, StateError> {
        Ok(self.once(&self.record, || self.or_absent(Record::read(&self.tree)))?.as_ref())
    }

    /// Returns the persistent directories that the image of this system declared.
    ///
    /// If the record of them is damaged or was removed, those of the image's own policy count, if
    /// it is legible. Where no image was applied there are none.
    pub fn persistent(&self) -> Result<Vec<TreePathBuf>, StateError> {
        if let Some(record) = self.record()? {
            return Ok(record.persistent.clone());
        }
        if self.provenance.is_none() && self.ignored().is_empty() {
            return Ok(Vec::new());
        }
        let text = self.tree.read_text(POLICY_PATH, MAX_TEXT).ok().flatten().unwrap_or_default();
        Ok(Policy::parse(&text).unwrap_or_default().persistent().to_vec())
    }

    /// Returns the damaged parts that count as absent, as far as they were asked for.
    pub fn ignored(&self) -> Vec<String> {
        let lock = |list: &Mutex<Vec<String>>| list.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.ignored.as_ref().map(lock).unwrap_or_default()
    }

    /// Returns what was read. Where a damaged part counts as absent, notes it and returns `None`.
    fn or_absent<T, E>(&self, read: Result<Option<T>, E>) -> Result<Option<T>, StateProblem>
    where
        E: std::error::Error + Into<StateProblem>,
    {
        match (read, &self.ignored) {
            (Err(error), Some(list)) => {
                list.lock().unwrap_or_else(PoisonError::into_inner).push(error.to_string());
                Ok(None)
            }
            (read, _) => read.map_err(E::into),
        }
    }

    /// Returns what became of `/etc` when the image was applied.
    pub fn report(&self) -> Result<Option<&EtcReport>, StateError> {
        Ok(self.once(&self.report, || self.or_absent(EtcReport::read(&self.tree)))?.as_ref())
    }

    /// Returns what the system's fstab mounts.
    pub fn mounts(&self) -> Result<&[Mount], StateError> {
        let read = || {
            let text = self.tree.read_text("etc/fstab", MAX_TEXT)?;
            Ok(fstab::parse(&text.unwrap_or_default()))
        };
        Ok(self.once(&self.mounts, read)?)
    }

    /// Returns the subvolumes inside the snapshot, relative to it, parents first.
    pub fn nested(&self) -> Result<&[PathBuf], StateError> {
        Ok(self.once(&self.nested, || Ok(nested_subvolumes(&self.tree.descriptor_path())?))?)
    }

    fn once<'a, T>(
        &self,
        cell: &'a OnceLock<T>,
        read: impl FnOnce() -> Result<T, StateProblem>,
    ) -> Result<&'a T, StateError> {
        if let Some(value) = cell.get() {
            return Ok(value);
        }
        let value = read().map_err(|source| StateError { number: self.number, source })?;
        Ok(cell.get_or_init(|| value))
    }
}
