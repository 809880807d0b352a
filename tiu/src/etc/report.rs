//! The report: what the merge decided and why, kept in the new snapshot for whoever asks later: `tiu etc`, `tiu status`, `tiu verify`.

use super::decision::{Decision, Merge, Reason, Side, Sides};
use super::escape;
use super::state::{Inode, InodeFacts, States, same};
use crate::accounts::Note;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io::{self, Write};
use tiu_extract::Shown;
use tiu_system::Hint;
use tiu_system::tree::{Tree, TreeError};

pub use tiu_bundle::places::ETC_REPORT_PATH as REPORT_PATH;
/// Largest report that is read, in bytes.
const MAX_SIZE: u64 = 64 << 20;
/// Version of the format.
const VERSION: u32 = 1;

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Format.
    pub version: u32,
    /// Version of the image that the base was made from; none at the first update of a host.
    pub from: Option<String>,
    /// Version of the image.
    pub to: String,
    /// Paths that nobody changed.
    pub unchanged: usize,
    /// All others, in path order.
    pub paths: Vec<Decided>,
    /// What became of users and groups.
    #[serde(default)]
    pub accounts: Vec<Note>,
}

/// One path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// Path without a leading slash; what is not printable text is escaped as `\n`, `\\`, `\xNN`.
    pub path: String,
    /// Whose version it got.
    pub side: Side,
    /// Why.
    pub reason: Reason,
    /// Whether the administrator should look.
    pub conflict: bool,
    /// The base's default.
    pub base: Option<InodeFacts>,
    /// What the host had.
    pub host: Option<InodeFacts>,
    /// What the image has.
    pub image: Option<InodeFacts>,
    /// What was made of all of them, where that is none of them: files that are merged by entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<InodeFacts>,
}

/// A report that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// See [`TreeError`].
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// It is damaged.
    #[error("{REPORT_PATH} is damaged: {0}")]
    Damaged(serde_json::Error),
    /// It was written by a newer tiu.
    #[error("{REPORT_PATH} has format {found}, this tiu reads up to {VERSION}")]
    Future {
        /// Format found.
        found: u32,
    },
}

impl Hint for ReportError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            ReportError::Tree(e) => return e.hint(),
            ReportError::Damaged(_) => {
                "the snapshot was changed after it was made: go back to another one (tiu list), or apply its image again"
                    .into()
            }
            ReportError::Future { .. } => "use the tiu of that snapshot or a newer one".into(),
        })
    }
}

impl Report {
    /// Of a merge.
    pub fn new(merge: &Merge, sides: &Sides, from: Option<&str>, to: &str) -> Self {
        let at = |states: Option<&States>, decision: &Decision| {
            states.and_then(|states| states.get(&decision.path)).map(InodeFacts::from)
        };
        let told: Vec<Decided> = merge
            .decisions
            .iter()
            .filter(|decision| is_told(decision, sides))
            .map(|decision| Decided {
                path: Shown(&decision.path).to_string(),
                side: decision.side,
                reason: decision.reason,
                conflict: decision.conflict,
                base: at(sides.base, decision),
                host: at(Some(sides.host), decision),
                image: at(Some(sides.image), decision),
                result: None,
            })
            .collect();
        Report {
            version: VERSION,
            from: from.map(str::to_owned),
            to: to.to_owned(),
            unchanged: merge.decisions.len() - told.len(),
            paths: told,
            accounts: Vec::new(),
        }
    }

    /// Notes that `result` is what was made of all sides at `path`.
    pub fn set_result(&mut self, path: &str, result: InodeFacts) {
        if let Some(decided) = self.paths.iter_mut().find(|decided| decided.path == path) {
            decided.result = Some(result);
            return;
        }
        // Neither side has it.
        let later = |decided: &Decided| decided.raw_path().as_slice() > path.as_bytes();
        let at = self.paths.iter().position(later).unwrap_or(self.paths.len());
        let decided = Decided {
            path: path.to_owned(),
            side: Side::Image,
            reason: Reason::ByEntry,
            conflict: false,
            base: None,
            host: None,
            image: None,
            result: Some(result),
        };
        self.paths.insert(at, decided);
    }

    /// The report in `tree`; none where no image was applied, or by a tiu that wrote none.
    pub fn read(tree: &Tree) -> Result<Option<Self>, ReportError> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let Some(bytes) = tree.read(REPORT_PATH, MAX_SIZE)? else { return Ok(None) };
        let Version { version } = serde_json::from_slice(&bytes).map_err(ReportError::Damaged)?;
        if version > VERSION {
            return Err(ReportError::Future { found: version });
        }
        serde_json::from_slice(&bytes).map(Some).map_err(ReportError::Damaged)
    }

    /// Writes it into `tree`.
    pub fn write(&self, tree: &Tree) -> Result<(), ReportError> {
        let text = serde_json::to_vec_pretty(self).map_err(ReportError::Damaged)?;
        Ok(tree.write(REPORT_PATH, &text[..])?)
    }

    /// Paths that stayed the host's as a whole.
    pub fn hosts(&self) -> impl Iterator<Item = &Decided> {
        self.paths.iter().filter(|decided| decided.side == Side::Host && decided.reason != Reason::ByEntry)
    }

    /// Conflicts, resolved since or not.
    pub fn conflicts(&self) -> impl Iterator<Item = &Decided> {
        self.paths.iter().filter(|decided| decided.conflict)
    }

    /// Prints one line for each path, and for each thing to know of users and groups.
    pub fn describe(&self, out: &mut dyn Write) -> io::Result<()> {
        self.paths.iter().try_for_each(|decided| writeln!(out, "{decided}"))?;
        self.accounts.iter().try_for_each(|note| writeln!(out, "account   {note}"))
    }

    /// What was decided about `path`; nothing if nobody had changed it.
    pub fn of(&self, path: &[u8]) -> Option<&Decided> {
        let shown = Shown(path).to_string();
        self.paths.iter().find(|decided| decided.path == shown)
    }

    /// Whether a difference of `/etc` from the image is what the merge left there: `now` is what is there.
    pub fn explains(&self, path: &[u8], now: Option<&Inode>) -> bool {
        self.of(path).is_some_and(|decided| match &decided.result {
            Some(_) => decided.result == now.map(InodeFacts::from),
            None => decided.side == Side::Host && decided.host == now.map(InodeFacts::from),
        })
    }
}

impl Decided {
    /// The path as it is.
    pub fn raw_path(&self) -> Vec<u8> {
        escape::unescape(&self.path)
    }
}

impl fmt::Display for Decided {
    /// `VERB PATH (REASON)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match (self.conflict, self.side, &self.host, &self.image) {
            (true, ..) => "conflict",
            _ if self.reason == Reason::ByEntry => "merge",
            (_, Side::Host, Some(_), _) => "keep",
            (_, Side::Host, None, _) => "keep-away",
            (_, Side::Image, _, None) => "drop",
            (_, Side::Image, None, _) => "add",
            (_, Side::Image, ..) => "update",
        };
        write!(f, "{verb:<9} {} ({})", self.path, self.reason)
    }
}

/// Whether there is anything to say about a path: somebody changed it, or the lists decided against one side.
fn is_told(decision: &Decision, sides: &Sides) -> bool {
    let (host, image) = (sides.host.get(&decision.path), sides.image.get(&decision.path));
    let base = sides.base.map_or(image, |base| base.get(&decision.path));
    decision.reason == Reason::ByEntry || !(same(host, image) && same(base, image))
}
