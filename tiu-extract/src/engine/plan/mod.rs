//! The plan: which steps bring a tree to an index. Pure: index, tree and rules in, data out.
//!
//! Steps are kept in lists, and the lists are carried out in this order (see [`super::execute()`]):
//!
//! ```text
//! dirs        directories that are missing, parents first; what stands in their place goes before
//! early       files whose content is shared with one whose path another step replaces: made under a temporary name
//! files       files with new or shared content, symlinks, devices, ...; metadata of inodes that stay
//! remove      what the index lacks, children before their directory
//! late        what takes the place of a directory that was removed
//! copies      files whose content is shared with one that was just written
//! links       further names of inodes
//! dir_meta    owner, mode, attributes and time of directories, children before their parents
//! ```
//!
//! Planning has two halves, because which digests are worth computing is known only after the first: [`compare`] finds what is missing,
//! [`sources`] finds where its content already lies.

mod compare;
mod describe;
mod make;
mod sources;
mod steps;
#[cfg(test)]
mod tests;

pub use make::plan;
pub use steps::Plan;
pub(super) use steps::{Content, FileStep, Link, MakeDir, Source};
