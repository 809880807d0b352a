//! Brings a directory to exactly the tree of an index: scan, plan, execute, check.
//!
//! ```text
//! scan     walk the target once, in parallel: metadata, and content digests of regular files
//! plan     a pure function of index, scan and rules: what to keep, reflink, write, fix, delete
//! execute  carry the plan out, in parallel
//! check    compare the target with the index again; what was written is read back
//! ```

use crate::image::{Image, ImageError};
use std::collections::HashMap;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use tiu_bundle::Hint;
use tiu_bundle::index::Index;
use tiu_bundle::progress::{Cancel, Progress};

/// What the engine must know beside the index.
pub struct Rules {
    /// Paths (relative, no leading slash) that belong to the host, with all below them: never read, changed or deleted.
    /// Where the index has a directory for one that is missing in the target, the empty directory is made.
    pub host_paths: Vec<Vec<u8>>,
    /// Paths whose target side stays as it is, alone and not what is below (files of `/etc` that the admin changed or added).
    pub keep: Vec<Vec<u8>>,
    /// Numbers of owners: image's uid to host's uid. Absent: same number.
    pub uids: HashMap<u32, u32>,
    /// Image's gid to host's gid.
    pub gids: HashMap<u32, u32>,
}

/// Everything a run needs.
pub struct Job<'a> {
    /// What the tree must become.
    pub index: &'a Index,
    /// Where content comes from.
    pub image: &'a dyn Image,
    /// Descriptor of the target directory.
    pub target: BorrowedFd<'a>,
    /// Trees with content that may be reflinked from.
    pub seeds: &'a [PathBuf],
    /// See [`Rules`].
    pub rules: &'a Rules,
    /// Shown to the user.
    pub progress: &'a dyn Progress,
    /// Stops the run.
    pub cancel: &'a Cancel,
}

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Placeholder until the engine is written.
    #[error("{}: {message}", path.display())]
    Invalid {
        /// Path in the target.
        path: PathBuf,
        /// Why.
        message: String,
    },
    /// See [`ImageError`].
    #[error(transparent)]
    Image(#[from] ImageError),
    /// Cancelled.
    #[error("cancelled")]
    Cancelled,
}

impl Hint for EngineError {
    fn hint(&self) -> Option<String> {
        None
    }
}

/// What a plan will do, and what a run did: counts and bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Summary {
    /// Entries that were already right.
    pub unchanged: u64,
    /// Files whose content was reflinked from elsewhere in the target or a seed.
    pub reflinked: u64,
    /// Files written (wholly or in part).
    pub written: u64,
    /// Bytes of new content written.
    pub bytes_written: u64,
    /// Bytes shared by reflink instead of being written.
    pub bytes_shared: u64,
    /// Entries of which only metadata was changed.
    pub metadata: u64,
    /// Entries removed.
    pub removed: u64,
    /// Directories, symlinks, devices, hard links made.
    pub made: u64,
}

/// A plan: pure data.
pub struct Plan {}

impl Plan {
    /// What will be done.
    pub fn summary(&self) -> Summary {
        todo!()
    }
    /// Bytes that the plan needs on the target's filesystem, metadata included, rounded up.
    pub fn space_needed(&self) -> u64 {
        todo!()
    }
    /// Prints one line for each step, for `--dry-run`.
    pub fn describe(&self, _out: &mut dyn std::io::Write) -> std::io::Result<()> {
        todo!()
    }
}

/// Scans the target and plans.
pub fn plan(_job: &Job) -> Result<Plan, EngineError> {
    todo!()
}

/// Carries out `plan`. An error or a crash leaves the target part-way between its old state and the index; running again completes it.
pub fn execute(_job: &Job, _plan: &Plan) -> Result<Summary, EngineError> {
    todo!()
}

/// One way in which a target differs from an index.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Difference {
    /// Path, lossily as text.
    pub path: String,
    /// `missing`, `extra`, `type`, `content`, `mode`, `owner`, `xattrs`, `target`, `rdev`, `mtime`, `hardlink`.
    pub what: &'static str,
    /// Found.
    pub found: String,
    /// Expected.
    pub expected: String,
}

/// Which content a [`check`] reads.
pub enum ReadBack<'a> {
    /// Every regular file.
    All,
    /// What this plan wrote; metadata of everything.
    WrittenBy(&'a Plan),
}

/// Compares a directory with `index`.
pub fn check(
    _index: &Index,
    _target: BorrowedFd,
    _rules: &Rules,
    _what: ReadBack,
    _progress: &dyn Progress,
    _cancel: &Cancel,
) -> Result<Vec<Difference>, EngineError> {
    todo!()
}
