//! What a run is given, and what it reports.

use super::rules::Rules;
use crate::image::Image;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use tiu_bundle::index::Index;
use tiu_system::progress::{Cancel, Progress};

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

/// What a plan will do, and what a run did: counts and bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Summary {
    /// Entries that were already right.
    pub unchanged: u64,
    /// Files whose content was shared wholly with a file of the target or of a seed.
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
