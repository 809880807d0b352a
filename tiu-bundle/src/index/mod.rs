//! The index: every inode of the image, as composefs-dump(5) text sorted by path bytes.
//!
//! Per line: `PATH SIZE MODE NLINK UID GID RDEV MTIME PAYLOAD CONTENT DIGEST [XATTR...]`. The text
//! is kept in compressed blocks, so an image of many files needs little memory.
//!
//! ```text
//! line, value     one line: its fields and their values; escape: their spelling
//! check           lines in order, each checked against those before it
//! block           a run of lines, compressed; the digests apart
//! blocks, shared  all blocks of an index; equal blocks of two indexes
//! read            the index
//! differ          the entries in which two indexes differ
//! zst             the compressed form in an image
//! write, build    writers: of entries in any order, and in path order
//! ```
//!
//! Guarantees of an [`Index`] that was parsed:
//! - paths are absolute in the dump's notation, canonical (no `.`, `..`, empty component, NUL),
//!   strictly ascending by bytes;
//! - the first is `/`, a directory; every parent is an entry and a directory (so no path leads
//!   through a symbolic link);
//! - hard links point to an earlier entry that is neither link nor directory (of an inode's names
//!   the first in path order carries its metadata), repeat its metadata, and are as many as its
//!   number of links says;
//! - regular files have a digest; every value has the only spelling that this format allows for it.

mod acl;
mod block;
mod blocks;
mod build;
mod check;
mod differ;
mod entry;
mod error;
mod escape;
mod limits;
mod line;
mod parts;
mod read;
mod shared;
mod steps;
#[cfg(test)]
mod tests;
mod value;
mod write;
mod zst;

pub use acl::check_acl;
pub use build::IndexBuilder;
pub use differ::EntryPair;
pub use entry::{Entry, EntryBuf, Kind, Mtime, Xattrs};
pub use error::{AclError, IndexError, LineError};
pub use limits::{
    MAX_DEVICE, MAX_ENTRIES, MAX_ID, MAX_LINE_SIZE, MAX_NAME, MAX_PATH, MAX_TARGET, MAX_TEXT_SIZE,
    MAX_XATTR_LIST, MAX_XATTR_NAME, MAX_XATTR_VALUE, MIN_LINE_SIZE, TIMES, text_limit,
};
pub use read::Index;
pub use write::IndexWriter;
pub use zst::write_zst;

pub use crate::places::{CMS_PATH, INDEX_PATH, STATE_DIR};
