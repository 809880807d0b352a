//! The errors of an index.

use super::Kind;
use crate::content_digest::Digest;
use std::io;
use tiu_system::hints;
use tiu_system::path::PathError;

/// An index that is not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // Fields without documentation are what their names say.
pub enum IndexError {
    /// Reading the compressed index failed.
    #[error("reading the index failed: {0}")]
    Io(#[source] io::Error),
    /// Not a zstd stream, a damaged one, or one that needs too much memory.
    #[error("the index cannot be decompressed, expected zstd: {0}")]
    Zstd(String),
    /// The zstd stream ends too early.
    #[error("the compressed index is truncated: it ends after {text_size} bytes of text")]
    CutStream {
        /// Bytes of text so far.
        text_size: u64,
    },
    /// Something follows the zstd stream.
    #[error("something follows the end of the compressed index")]
    TrailingBytes,
    /// The index has no text.
    #[error("the index is empty: it lacks even the line of the root directory")]
    Empty,
    /// The last line has no newline.
    #[error("the index is truncated: its last line, {line}, does not end in a newline")]
    CutText {
        /// Line number from 1.
        line: u64,
    },
    /// More text than the limit.
    #[error("the index is too large: more than {limit} bytes of text")]
    TooLarge {
        /// Largest size in bytes: see [`text_limit`](super::text_limit).
        limit: u64,
    },
    /// More lines than the manifest says, or than the limit.
    #[error("the index has too many entries: found {found} or more, expected at most {limit}")]
    TooManyEntries {
        /// Number of entries when reading stopped.
        found: u64,
        /// Most entries that are read.
        limit: u64,
    },
    /// A line longer than [`MAX_LINE_SIZE`](super::MAX_LINE_SIZE).
    #[error("line {line} of the index is too long: more than {limit} bytes")]
    LineTooLong {
        /// Line number from 1.
        line: u64,
        /// Longest line in bytes.
        limit: usize,
    },
    /// The text is not the one that was signed.
    #[error("the index is not the one that was signed: its SHA-256 is {found}, the manifest says {expected}")]
    DigestMismatch { found: Digest, expected: Digest },
    /// Not as many entries as the manifest says.
    #[error("the index has {found} entries, the manifest says {expected}")]
    EntryCount { found: u64, expected: u64 },
    /// The first line is not that of the root directory.
    #[error("the first line of the index is {found:?}, expected the root directory, `/`")]
    NoRoot {
        /// The path, lossily as text.
        found: String,
    },
    /// A line is wrong.
    #[error("line {line} of the index ({path}): {problem}")]
    Line {
        /// Line number from 1.
        line: u64,
        /// The path field as it is in the text, cut after 200 characters and made printable.
        path: String,
        problem: LineError,
    },
}

hints! { IndexError {
    Io(_) => None,
    Zstd(_) | CutStream { .. } | DigestMismatch { .. } =>
        "fetch the bundle again; if the error remains, the bundle was packed wrongly: pack it again with `tiu-create pack`",
    TooLarge { .. } | TooManyEntries { .. } | LineTooLong { .. } =>
        "pack an image within the limits of docs/format/index.md: fewer files, or smaller extended attributes",
    _ =>
        "the bundle was packed wrongly; pack it again with `tiu-create pack` and report this message if it remains",
} }

/// A line that is not accepted. Texts are those of the index, or lossily decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // Fields without documentation are what their names say.
pub enum LineError {
    /// Fewer than eleven fields.
    #[error("it has no {0} field")]
    MissingField(&'static str),
    /// Not a decimal number in its shortest form, or too large.
    #[error("{field} is {found:?}, expected a decimal number without leading zeros, at most {max}")]
    BadNumber { field: &'static str, found: String, max: u64 },
    /// Not an octal number with a file type.
    #[error("mode is {0:?}, expected an octal number without leading zeros")]
    BadMode(String),
    /// An unknown file type.
    #[error("mode {0:o} holds no known file type")]
    BadKind(u32),
    /// Not `seconds.nanoseconds`.
    #[error("time is {0:?}, expected SECONDS.NANOSECONDS, each in its shortest form")]
    BadTime(String),
    /// A time that filesystems cannot hold.
    #[error("time is {found}, expected seconds from {first} to {last}")]
    TimeRange { found: i64, first: i64, last: i64 },
    /// A backslash sequence that does not exist, a character that needs one, or one that does not.
    #[error("{field} is {found:?}: not escaped as composefs-dump(5) says, in the shortest form")]
    BadEscape { field: &'static str, found: String },
    /// Not 64 lower-case hex digits.
    #[error("digest is {0:?}, expected 64 lower-case hex digits")]
    BadDigest(String),
    /// A regular file that is not empty has no digest.
    #[error("a regular file of {size} bytes needs a digest")]
    DigestMissing { size: u64 },
    /// The payload of a regular file is not made of its digest.
    #[error("payload is {found:?}, expected {expected:?}, which follows from the digest")]
    BadPayload {
        found: String,
        /// The payload that follows from the digest.
        expected: String,
    },
    /// A field has a value that this kind of entry cannot have.
    #[error("{field} is {found:?}, expected {expected:?} for a {kind}")]
    Unexpected { field: &'static str, found: String, expected: String, kind: Kind },
    /// The path is not one that a tree can have.
    #[error("{0}")]
    Path(PathError),
    /// The path to which a hard link leads is not one that a tree can have.
    #[error("hard link's target: {0}")]
    LinkTarget(PathError),
    /// A NUL byte where Linux allows none.
    #[error("{0} holds a NUL byte")]
    Nul(&'static str),
    /// Longer than Linux can open.
    #[error("{field} is too long: {found} bytes, at most {max}")]
    TooLong {
        field: &'static str,
        /// Length in bytes, unescaped.
        found: usize,
        max: usize,
    },
    /// Paths do not ascend.
    #[error("not sorted: it comes after {previous:?}")]
    NotSorted { previous: String },
    /// The same path as the line before.
    #[error("the same path appears twice")]
    Twice,
    /// The root is not a directory.
    #[error("the root is a {0}, expected a directory")]
    RootNotDir(Kind),
    /// The parent directory is not in the index.
    #[error("its parent directory, {parent:?}, is missing")]
    ParentMissing { parent: String },
    /// The parent is not a directory.
    #[error("its parent, {parent:?}, is a {kind}, expected a directory")]
    ParentNotDir { parent: String, kind: Kind },
    /// The parent is a symbolic link.
    #[error("the path leads through the symbolic link {parent:?}")]
    ThroughSymlink { parent: String },
    /// A symbolic link to nothing.
    #[error("the symbolic link has no target")]
    NoTarget,
    /// A hard link to a path that is missing.
    #[error("it is a hard link to {0:?}, which is missing")]
    LinkTargetMissing(String),
    /// A hard link to a path that sorts after it, or to itself.
    #[error("it is a hard link to {0:?}, which does not come before it")]
    LinkTargetLater(String),
    /// A hard link to a directory.
    #[error("it is a hard link to {0:?}, which is a directory")]
    LinkTargetDir(String),
    /// A hard link to a hard link.
    #[error("it is a hard link to {0:?}, which is a hard link itself")]
    LinkTargetLink(String),
    /// Metadata of a hard link and of its inode are not the same.
    #[error("it is a hard link to {0:?}, but its metadata is not the same")]
    LinkDiffers(String),
    /// Number of links and number of names are not the same.
    #[error("the inode has {names} names, its number of links is {nlink}")]
    LinkCount { names: u32, nlink: u32 },
    /// An extended attribute without `=`.
    #[error("extended attribute {0:?} has no `=`")]
    XattrNoEquals(String),
    /// An extended attribute without a name.
    #[error("an extended attribute has no name")]
    XattrNoName,
    /// Names of extended attributes do not ascend.
    #[error("extended attributes are not sorted: {name:?} comes after {previous:?}")]
    XattrNotSorted { name: String, previous: String },
    /// The same extended attribute twice.
    #[error("extended attribute {0:?} appears twice")]
    XattrTwice(String),
    /// An access list that the kernel refuses.
    #[error("extended attribute {name:?}: {problem}")]
    Acl { name: String, problem: AclError },
}

/// A POSIX ACL that no file can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // Fields without documentation are what their names say.
pub enum AclError {
    /// Not version 2 followed by entries of 8 bytes.
    #[error("its {size} bytes are not a POSIX ACL of version 2")]
    Format { size: usize },
    /// A tag or permissions that do not exist.
    #[error(
        "its ACL has an entry of tag {tag:#x} with permissions {permissions:#o}, which the kernel does not know"
    )]
    Entry { tag: u16, permissions: u16 },
    /// Entries are not in the kernel's order.
    #[error("its ACL has an entry of tag {tag:#x} after one of {previous:#x}, expected ascending tags")]
    Order { tag: u16, previous: u16 },
    /// A number that stands for nobody.
    #[error("its ACL names the {what} {found}, expected at most 4294967294")]
    Number {
        /// `user` or `group`.
        what: &'static str,
        found: u32,
    },
    /// An entry that each such ACL has is missing.
    #[error("its ACL lacks entries of the tags {tags:#x}")]
    Missing {
        /// All missing tags.
        tags: u16,
    },
}

/// Returns at most 200 characters of `bytes`, for an error message that shows them with `{:?}`.
pub(super) fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().take(200).collect()
}
