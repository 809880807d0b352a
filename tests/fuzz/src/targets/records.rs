//! JSON files in the state directory of a snapshot.

use std::fs;
use std::path::Path;
use tempfile::TempDir;
use time::OffsetDateTime;
use tiu::etc::EtcReport;
use tiu::host::{Memory, Recalled};
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

/// Reads what a host remembers. An image that is noted never makes the newest one older.
pub fn host_state(data: &[u8]) -> bool {
    let Recalled::Known(memory) = Recalled::parse(data) else { return false };
    let again = |memory: &Memory| {
        let text = serde_json::to_vec_pretty(memory).expect("what was read can be written");
        match Recalled::parse(&text) {
            Recalled::Known(again) => again,
            other => panic!("what was written can be read: {other:?}"),
        }
    };
    let facts = |memory: &Memory| -> Vec<_> {
        let all = memory.newest.iter();
        all.map(|(kind, newest)| (kind.clone(), newest.version.clone(), newest.created, newest.signed))
            .collect()
    };
    assert_eq!(facts(&again(&memory)), facts(&memory));
    let mut raised = memory.clone();
    for (kind, newest) in &memory.newest {
        raised.raise(kind, "", OffsetDateTime::UNIX_EPOCH, None, str::cmp);
        let now = &raised.newest[kind];
        assert!((&now.version, now.created) >= (&newest.version, newest.created), "{kind} became older");
        assert!(now.signed >= newest.signed, "{kind} became older");
    }
    again(&raised);
    true
}

/// Returns a tree in memory (or wherever temporary files are) with this file alone.
pub fn tree_with(path: impl AsRef<Path>, content: &[u8]) -> (TempDir, Tree) {
    let shared = Path::new("/dev/shm");
    let directory = if shared.is_dir() { TempDir::new_in(shared) } else { TempDir::new() }
        .expect("a temporary directory");
    let file = directory.path().join(path);
    fs::create_dir_all(file.parent().expect("a path in the tree")).expect("directories");
    fs::write(&file, content).expect("written");
    let tree = Tree::open(directory.path()).expect("opened");
    (directory, tree)
}
