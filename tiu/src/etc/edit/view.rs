//! One snapshot's `/etc` as `tiu etc` looks at it: what is there now, what the image has, what the merge said.

use crate::config::Config;
use crate::etc::report::{Decided, Report};
use crate::etc::settled::{self, Settled};
use crate::etc::state::{self, InodeFacts, States};
use crate::etc::{ETC, EtcError};
use crate::host::Host;
use crate::snapshots::{Snapshot, nested_subvolumes};
use crate::state::provenance::Provenance;
use crate::state::record::Record;
use serde::Serialize;
use std::path::PathBuf;
use tiu_bundle::index::Index;
use tiu_extract::{Rules, Shown};
use tiu_system::progress::{Cancel, Silent};
use tiu_system::tree::Tree;

/// See the module.
pub struct View {
    /// The snapshot's number.
    pub number: u32,
    /// Its tree.
    pub tree: Tree,
    /// Its image's index.
    pub index: Index,
    /// How owners map and what is the host's.
    pub rules: Rules,
    /// Defaults, in the host's numbers.
    pub image: States,
    /// What is there.
    pub host: States,
    /// What the merge said.
    pub report: Option<Report>,
    /// What the administrator said.
    pub settled: Settled,
}

/// A way in which `/etc` differs from the defaults.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Path without a leading slash, escaped like all paths that are shown.
    pub path: String,
    /// `A` added, `M` modified, `D` deleted.
    pub change: char,
    /// Of what is modified: `type`, `content`, `target`, `rdev`, `mode`, `owner`, `xattrs`.
    pub what: Vec<&'static str>,
    /// The default.
    pub default: Option<InodeFacts>,
    /// What is there.
    pub host: Option<InodeFacts>,
}

impl View {
    /// Of a snapshot.
    pub fn of(host: &Host, config: &Config, snapshot: &Snapshot) -> Result<Self, EtcError> {
        Self::in_tree(Tree::open(&host.snapshot_path(snapshot.number))?, config, snapshot.number)
    }

    /// Of the system in `tree`, which is snapshot `number`.
    pub fn in_tree(tree: Tree, config: &Config, number: u32) -> Result<Self, EtcError> {
        let failed = |source| EtcError::Provenance { number, source };
        let origin = Provenance::read(&tree, None).map_err(failed)?.ok_or(EtcError::NoImage(number))?;
        let index = origin.index(&tree).map_err(failed)?;
        let record = Record::read(&tree)?;
        let nested = nested_subvolumes(tree.path())?;
        let nested = nested.into_iter().map(|path: PathBuf| path.into_os_string().into_encoded_bytes());
        let configured = config.host_paths.iter().map(|path| path.clone().into_bytes());
        let rules = Rules {
            host_paths: nested.filter(|path| path != ETC).chain(configured).collect(),
            uids: record.iter().flat_map(|r| &r.uids).map(|(k, v)| (*k, *v)).collect(),
            gids: record.iter().flat_map(|r| &r.gids).map(|(k, v)| (*k, *v)).collect(),
            ..Rules::default()
        };
        let host = state::of_tree(&tree, &rules, &Silent, &Cancel::new())?;
        let image = state::of_index(&index, &rules);
        let report = Report::read(&tree)?;
        let settled = settled::read(&tree, report.as_ref())?;
        Ok(View { number, tree, index, rules, image, host, report, settled })
    }

    /// In what `/etc` differs from the defaults, in path order.
    pub fn changes(&self) -> Vec<Change> {
        let mut paths: Vec<&Vec<u8>> = self.host.keys().chain(self.image.keys()).collect();
        paths.sort();
        paths.dedup();
        let change = |path: &Vec<u8>| {
            let (host, image) = (self.host.get(path), self.image.get(path));
            if state::same(host, image) || host.is_some_and(|host| host.host) {
                return None;
            }
            let (change, what) = match (image, host) {
                (Some(image), Some(host)) => ('M', state::differences(image, host)),
                (None, _) => ('A', Vec::new()),
                (_, None) => ('D', Vec::new()),
            };
            let facts = |inode: Option<&state::Inode>| inode.map(InodeFacts::from);
            Some(Change {
                path: Shown(path).to_string(),
                change,
                what,
                default: facts(image),
                host: facts(host),
            })
        };
        paths.into_iter().filter_map(change).collect()
    }

    /// Conflicts that nobody resolved yet.
    pub fn conflicts(&self) -> Vec<&Decided> {
        let report = self.report.iter();
        report.flat_map(|report| self.settled.unresolved(report, &self.host, &self.image)).collect()
    }
}
