//! The plan: the steps that bring a tree to an index. Planning is pure: index, tree and rules in,
//! data out.
//!
//! Steps are kept in lists. [`super::execute()`] carries the lists out in this order:
//!
//! ```text
//! dirs        missing directories, parents first; an inode in the place of one is removed first
//! early       files whose content is shared with one whose path another step replaces: made under a temporary name
//! files       files with new or shared content, symlinks, devices, ...; metadata of inodes that stay
//! remove      inodes that the index lacks, children before their directory
//! late        inodes that take the place of a removed directory
//! copies      files whose content is shared with one that was just written
//! links       further names of inodes
//! dir_meta    owner, mode, attributes and time of directories, children before their parents
//! ```
//!
//! Planning has two halves, because only the first shows which digests are worth computing:
//! [`compare`] finds what is missing, [`sources`] finds existing copies of its content.

mod compare;
mod describe;
mod lost;
mod make;
mod sources;
mod steps;
#[cfg(test)]
mod tests;

pub use lost::LostPath;
pub use make::{plan, plan_changes};
pub(super) use steps::{ContentSource, FileContent, FileStep, Link, MakeDir};
pub use steps::{Plan, UnreadablePath};
