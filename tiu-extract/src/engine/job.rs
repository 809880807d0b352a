//! The input of a run, and its report.

use super::rules::Rules;
use crate::image::Image;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use tiu_bundle::index::Index;
use tiu_system::progress::Watch;

/// The input of a run.
pub struct Job<'a> {
    /// The tree that the target becomes.
    pub index: &'a Index,
    /// The source of content.
    pub image: &'a dyn Image,
    /// The target directory, opened.
    pub target: BorrowedFd<'a>,
    /// Trees whose content may be shared by reflink.
    pub seeds: &'a [PathBuf],
    /// The knowledge of the engine in addition to the index.
    pub rules: &'a Rules,
    /// Receives progress, and stops the run.
    pub watch: Watch<'a>,
}

/// Counts and bytes: of what a plan will do, or of what a run did.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Summary {
    /// Entries that needed no change.
    pub unchanged: u64,
    /// Files whose whole content is shared with a file of the target or of a seed.
    pub reflinked: u64,
    /// Files of which all or a part was written.
    pub written: u64,
    /// Bytes of new content written.
    pub bytes_written: u64,
    /// Bytes shared by reflink instead of written.
    pub bytes_shared: u64,
    /// Entries of which only the metadata changed.
    pub metadata: u64,
    /// Entries removed.
    pub removed: u64,
    /// Directories, symlinks, devices and hard links made.
    pub made: u64,
}
