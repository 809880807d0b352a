//! Indexes that must not be accepted, each with one thing wrong, and the error that names it.

mod fields;
mod stream;
mod tree;

use std::fmt::Write as _;
use tiu_bundle::content_digest::Digest;
use tiu_bundle::index::{
    AclError, Index, IndexError, Kind, LineError, MAX_ENTRIES, MAX_LINE_SIZE, text_limit, write_zst,
};
use tiu_system::Hint;
use tiu_system::path::{PathError, TreePath};

/// Size of the hash tree of a small image.
const TREE: u64 = 4096;

const ROOT: &str = "/ 0 40755 1 0 0 0 0.0 - - -\n";

/// The line of a directory.
fn dir(path: &str) -> String {
    format!("{path} 0 40755 1 0 0 0 0.0 - - -\n")
}

/// The line of an empty regular file.
fn file(path: &str) -> String {
    format!("{path} 0 100644 1 0 0 0 0.0 - - -\n")
}

fn parse(text: impl AsRef<[u8]>) -> Result<Index, IndexError> {
    Index::parse(text.as_ref().to_vec())
}

/// Returns the problem of line `number` in the root and `lines`.
#[track_caller]
fn problem(number: u64, lines: &str) -> LineError {
    match parse(format!("{ROOT}{lines}")) {
        Err(IndexError::Line { line, problem, path }) => {
            assert_eq!(line, number, "{problem} ({path})");
            problem
        }
        other => panic!("expected a bad line, found {other:?}"),
    }
}

fn zst(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    write_zst(text.as_bytes(), 3, &mut out).expect("compression");
    out
}

fn read(zst: &[u8], text: &str) -> Result<Index, IndexError> {
    Index::read_zst(zst, &Digest::compute(text.as_bytes()), text.lines().count() as u64, TREE)
}
