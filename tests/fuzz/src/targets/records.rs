//! JSON files in the state directory of a snapshot.

use std::fs;
use std::path::Path;
use tempfile::TempDir;
use tiu::etc::EtcReport;
use tiu::state::Record;
use tiu_bundle::places::{ETC_REPORT_PATH, RECORD_PATH};
use tiu_system::tree::Tree;

/// Words of the documents.
pub const WORDS: &[&str] = &[
    "\"version\": 1",
    "null",
    "{",
    "}",
    "[",
    "]",
    ",",
    "\"",
    "\\u0000",
    "\\\\x",
    "../",
    "1e999",
    "-1",
    "\"side\": \"host\"",
    "18446744073709551616",
];

/// Reads the record of what was made on the host.
pub fn record(data: &[u8]) -> bool {
    let (_directory, tree) = tree_with(RECORD_PATH, data);
    let Ok(Some(record)) = Record::read(&tree) else { return false };
    record.write(&tree).expect("what was read can be written");
    assert_eq!(Record::read(&tree).expect("what was written can be read"), Some(record));
    true
}

/// Reads the report of the merge of `/etc`.
pub fn etc_report(data: &[u8]) -> bool {
    let (_directory, tree) = tree_with(ETC_REPORT_PATH, data);
    let Ok(Some(report)) = EtcReport::read(&tree) else { return false };
    let mut text = Vec::new();
    report.describe(&mut text).expect("memory can be written");
    // Digests of older reports are not written again, and nothing else changes.
    let again = |report: &EtcReport| {
        report.write(&tree).expect("what was read can be written");
        EtcReport::read(&tree).expect("what was written can be read").expect("it is there")
    };
    let once = again(&report);
    assert_eq!(once.paths.len(), report.paths.len());
    assert_eq!(again(&once), once);
    true
}

/// Returns a tree in memory (or wherever temporary files are) with this file alone.
pub fn tree_with(path: &str, content: &[u8]) -> (TempDir, Tree) {
    let shared = Path::new("/dev/shm");
    let directory = if shared.is_dir() { TempDir::new_in(shared) } else { TempDir::new() }
        .expect("a temporary directory");
    let file = directory.path().join(path);
    fs::create_dir_all(file.parent().expect("a path in the tree")).expect("directories");
    fs::write(&file, content).expect("written");
    let tree = Tree::open(directory.path()).expect("opened");
    (directory, tree)
}
