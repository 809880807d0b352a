//! One snapshot's `/etc` as `tiu etc` sees it: what it holds now, what the image has, what the
//! merge decided.

use super::error::EditError;
use super::protected::Protected;
use crate::config::Config;
use crate::etc::settled::{self, Settled};
use crate::etc::state::{self, InodeFacts, States};
use crate::etc::{Decided, EtcReport};
use crate::state::ImageState;
use serde::Serialize;
use tiu_bundle::index::Index;
use tiu_extract::Rules;
use tiu_system::path::TreePathBuf;
use tiu_system::progress::Watch;
use tiu_system::tree::Tree;

/// One snapshot's `/etc`.
pub struct View {
    state: ImageState,
    /// The map of owners, and the host's own paths.
    pub(super) rules: Rules,
    /// The image's defaults, in the host's numbers.
    pub image: States,
    /// The content of the snapshot.
    pub host: States,
    /// Conflicts that the administrator settled.
    pub(super) settled: Settled,
    /// Paths that are always the host's.
    pub(super) protected: Protected,
}

/// A way in which `/etc` differs from the defaults.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EtcChange {
    /// Path in the tree.
    pub path: TreePathBuf,
    /// `A` added, `M` modified, `D` deleted.
    pub change: char,
    /// Of what is modified: `type`, `content`, `target`, `rdev`, `mode`, `owner`, `xattrs`.
    pub what: Vec<&'static str>,
    /// The default.
    pub default: Option<InodeFacts>,
    /// The existing inode.
    pub host: Option<InodeFacts>,
}

impl View {
    /// Reads `/etc` of the snapshot that `state` is of.
    pub fn read(state: ImageState, config: &Config) -> Result<Self, EditError> {
        let Some(index) = state.index()? else { return Err(EditError::NoImage(state.number())) };
        let rules = state.etc_rules(config)?;
        let host = state::states_of_tree(state.tree(), &rules, Watch::silent())?;
        let image = state::states_of_index(index, &rules);
        let settled = settled::read(state.tree(), state.report()?)?;
        let protected = Protected::read(state.tree(), config)?;
        Ok(View { state, rules, image, host, settled, protected })
    }

    /// Returns the snapshot's number.
    pub fn number(&self) -> u32 {
        self.state.number()
    }

    /// Returns the snapshot's tree.
    pub fn tree(&self) -> &Tree {
        self.state.tree()
    }

    /// Returns the image's index.
    pub fn index(&self) -> Result<&Index, EditError> {
        self.state.index()?.ok_or(EditError::NoImage(self.number()))
    }

    /// Returns what the merge decided, if it kept a report.
    pub fn report(&self) -> Result<Option<&EtcReport>, EditError> {
        Ok(self.state.report()?)
    }

    /// Returns the ways in which `/etc` differs from the defaults, in path order.
    pub fn changes(&self) -> Vec<EtcChange> {
        let mut paths: Vec<&TreePathBuf> = self.host.keys().chain(self.image.keys()).collect();
        paths.sort();
        paths.dedup();
        let change = |path: &TreePathBuf| {
            let (host, image) = (self.host.get(path), self.image.get(path));
            if state::same(host, image) || host.is_some_and(|host| host.host) {
                return None;
            }
            let (change, what) = match (image, host) {
                (Some(image), Some(host)) => ('M', state::differences(image, host)),
                (None, _) => ('A', Vec::new()),
                (_, None) => ('D', Vec::new()),
            };
            let facts = |inode: Option<&state::Inode>| inode.map(|inode| InodeFacts::from(inode).public());
            Some(EtcChange { path: path.clone(), change, what, default: facts(image), host: facts(host) })
        };
        paths.into_iter().filter_map(change).collect()
    }

    /// Returns the conflicts that nobody has resolved yet.
    pub fn conflicts(&self) -> Result<Vec<&Decided>, EditError> {
        let report = self.report()?.into_iter();
        Ok(report.flat_map(|report| self.settled.unresolved(report, &self.host, &self.image)).collect())
    }
}
