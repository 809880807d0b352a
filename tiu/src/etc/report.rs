//! The report: the decisions of the merge and their reasons. The new snapshot keeps it for `tiu
//! etc`, `tiu status` and `tiu verify`.

use super::decision::{Decision, DecisionReason, EtcSides, Merge, Side};
use super::state::{self, Inode, InodeFacts, States, same};
use crate::accounts::Note;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io::{self, Write};
use tiu_system::hints;
use tiu_system::path::{TreePath, TreePathBuf};
use tiu_system::tree::{Tree, TreeError};
use tiu_system::versioned;

pub use tiu_bundle::places::ETC_REPORT_PATH as REPORT_PATH;
/// Largest report that is read, in bytes.
const MAX_SIZE: u64 = 64 << 20;
/// Version of the format.
const VERSION: u32 = 1;

/// The report of a merge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EtcReport {
    /// Version of the format.
    pub version: u32,
    /// Version of the image that the base was made from; null at the first update of a host.
    pub from: Option<String>,
    /// Version of the image.
    pub to: String,
    /// The number of paths that nobody changed.
    pub unchanged: usize,
    /// All other paths, in path order.
    pub paths: Vec<Decided>,
    /// Notes about users and groups.
    #[serde(default)]
    pub accounts: Vec<Note>,
}

/// The decision about a path, as the report has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// Path in the tree. In the report, what is not printable text is escaped as `\n`, `\\`,
    /// `\xNN`.
    pub path: TreePathBuf,
    /// The side whose version it got.
    pub side: Side,
    /// The reason.
    pub reason: DecisionReason,
    /// True if the administrator should compare: the image has another version.
    pub conflict: bool,
    /// The inode in the base's defaults.
    pub base: Option<InodeFacts>,
    /// The host's inode.
    pub host: Option<InodeFacts>,
    /// The image's inode.
    pub image: Option<InodeFacts>,
    /// The merged inode, of files that are merged by entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<InodeFacts>,
}

/// A report that cannot be used.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
#[non_exhaustive]
pub enum ReportError {
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// It is damaged.
    #[error("{REPORT_PATH} is damaged: {0}")]
    Damaged(serde_json::Error),
    /// It was written by a newer tiu.
    #[error("{REPORT_PATH} has format {found}, this tiu reads up to {VERSION}")]
    Future { found: u32 },
}

hints! { ReportError {
    forward Tree;
    Damaged(_) => "the snapshot was changed after it was made: go back to another one (tiu list), \
        or apply its image again",
    Future { .. } => "use the tiu of that snapshot or a newer one",
} }

impl EtcReport {
    /// Makes the report of a merge from version `from` to version `to`.
    pub fn new(merge: &Merge, sides: &EtcSides, from: Option<&str>, to: &str) -> Self {
        let at = |states: Option<&States>, decision: &Decision| {
            states.and_then(|states| states.get(&decision.path)).map(InodeFacts::from)
        };
        let paths: Vec<Decided> = merge
            .decisions
            .iter()
            .filter(|decision| is_reported(decision, sides))
            .map(|decision| Decided {
                path: decision.path.clone(),
                side: decision.side,
                reason: decision.reason,
                conflict: decision.conflict,
                base: at(sides.base, decision),
                host: at(Some(sides.host), decision),
                image: at(Some(sides.image), decision),
                result: None,
            })
            .collect();
        EtcReport {
            version: VERSION,
            from: from.map(str::to_owned),
            to: to.to_owned(),
            unchanged: merge.decisions.len() - paths.len(),
            paths,
            accounts: Vec::new(),
        }
    }

    /// Notes that `result` is the merged inode at `path`.
    pub fn set_result(&mut self, path: &TreePath, result: InodeFacts) {
        if let Some(decided) = self.paths.iter_mut().find(|decided| *decided.path == *path) {
            decided.result = Some(result);
            return;
        }
        // No side has the path.
        let later = |decided: &Decided| *decided.path > *path;
        let at = self.paths.iter().position(later).unwrap_or(self.paths.len());
        let decided = Decided {
            path: path.to_owned(),
            side: Side::Image,
            reason: DecisionReason::ByEntry,
            conflict: false,
            base: None,
            host: None,
            image: None,
            result: Some(result),
        };
        self.paths.insert(at, decided);
    }

    /// Reads the report in `tree`. Returns `None` if no image was applied, or if the tiu that
    /// applied it wrote no report.
    pub fn read(tree: &Tree) -> Result<Option<Self>, ReportError> {
        let Some(bytes) = tree.read(REPORT_PATH, MAX_SIZE)? else { return Ok(None) };
        let report = versioned::from_json(&bytes, VERSION)
            .map_err(|e| e.map(ReportError::Damaged, |found| ReportError::Future { found }))?;
        Ok(Some(report))
    }

    /// Writes the report into `tree`, of which `/etc` is complete. Only root can read it. It has no
    /// digests of files that not everybody can read.
    pub fn write(&self, tree: &Tree) -> Result<(), ReportError> {
        let mut report = self.clone();
        report.paths.iter_mut().for_each(|decided| decided.hide_secrets(tree));
        let text = serde_json::to_vec_pretty(&report).map_err(ReportError::Damaged)?;
        Ok(tree.write_private(REPORT_PATH, &text[..])?)
    }

    /// Returns the paths that stayed the host's as a whole.
    pub fn hosts(&self) -> impl Iterator<Item = &Decided> {
        self.paths
            .iter()
            .filter(|decided| decided.side == Side::Host && decided.reason != DecisionReason::ByEntry)
    }

    /// Returns the conflicts, including those that were resolved since.
    pub fn conflicts(&self) -> impl Iterator<Item = &Decided> {
        self.paths.iter().filter(|decided| decided.conflict)
    }

    /// Prints a line for each path and for each note about users and groups.
    pub fn describe(&self, out: &mut dyn Write) -> io::Result<()> {
        self.paths.iter().try_for_each(|decided| writeln!(out, "{decided}"))?;
        self.accounts.iter().try_for_each(|note| writeln!(out, "account   {note}"))
    }

    /// Returns the decision about `path`, or `None` if nobody had changed it.
    pub fn decided(&self, path: &TreePath) -> Option<&Decided> {
        self.paths.iter().find(|decided| *decided.path == *path)
    }

    /// Returns whether the merge left the inode `now` at `path`, where `/etc` differs from the
    /// image.
    pub fn explains(&self, path: &TreePath, now: Option<&Inode>) -> bool {
        self.decided(path).is_some_and(|decided| match &decided.result {
            Some(result) => result.describe(now),
            None => {
                decided.side == Side::Host
                    && match &decided.host {
                        Some(host) => host.describe(now),
                        None => now.is_none(),
                    }
            }
        })
    }
}

impl Decided {
    /// Removes what tells the content of a file that not everybody can read on some side, or reach.
    fn hide_secrets(&mut self, tree: &Tree) {
        // Directories of mode 0700 keep others away from files of any mode.
        let is_closed = |parent: &TreePath| tree.stat(parent).is_none_or(|stat| stat.st_mode & 0o001 == 0);
        let parents = self.path.ancestors().skip(1).filter(|parent| !parent.is_root());
        let closed = parents.into_iter().any(is_closed);
        let sides = [&mut self.base, &mut self.host, &mut self.image, &mut self.result];
        let is_secret = |facts: &InodeFacts| facts.clone().public().digest.is_none();
        if !closed && !sides.iter().any(|side| side.as_ref().is_some_and(is_secret)) {
            return;
        }
        let stat = tree.stat(&self.path);
        let modified = stat.map(|stat| state::time(stat.st_mtime, stat.st_mtime_nsec as u32));
        for facts in sides.into_iter().flatten() {
            facts.hide(modified.clone());
        }
    }
}

impl fmt::Display for Decided {
    /// `VERB PATH (REASON)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match (self.conflict, self.side, &self.host, &self.image) {
            (true, ..) => "conflict",
            _ if self.reason == DecisionReason::ByEntry => "merge",
            (_, Side::Host, Some(_), _) => "keep",
            (_, Side::Host, None, _) => "keep-away",
            (_, Side::Image, _, None) => "drop",
            (_, Side::Image, None, _) => "add",
            (_, Side::Image, ..) => "update",
        };
        write!(f, "{verb:<9} {} ({})", self.path, self.reason)
    }
}

/// Returns whether the report has a path: somebody changed it, or the lists decided against a side.
fn is_reported(decision: &Decision, sides: &EtcSides) -> bool {
    let (host, image) = (sides.host.get(&decision.path), sides.image.get(&decision.path));
    let base = sides.base.map_or(image, |base| base.get(&decision.path));
    decision.reason == DecisionReason::ByEntry || !(same(host, image) && same(base, image))
}
