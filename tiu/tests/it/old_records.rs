//! Documents in a snapshot that earlier versions wrote: they are read, and written again with the
//! same bytes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use tempfile::TempDir;
use tiu::etc::{EtcReport, ReportError};
use tiu::state::{RECORD_PATH, Record, RecordError};
use tiu_bundle::places::ETC_REPORT_PATH;
use tiu_system::path::{TreePath, TreePathBuf};
use tiu_system::tree::{Tree, TreeError};

/// A record of files that were made on a host: plain names, and names that other documents would
/// escape.
const RECORD: &str = r#"{
  "version": 1,
  "files": [
    {
      "path": "boot/initrd-6.1",
      "digest": "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
    },
    {
      "path": "boot/odd\\x41\\n name",
      "target": "initrd-6.1"
    }
  ],
  "uids": {
    "104": 105
  },
  "gids": {},
  "persistent": [
    "data",
    "srv2/a\\b"
  ],
  "initrd": {
    "path": "boot/initrd-6.1",
    "judged": true
  }
}"#;

/// A merge of `/etc`: a plain name, and one with a newline, a backslash, a control character and a
/// byte that is not UTF-8.
const REPORT: &str = r#"{
  "version": 1,
  "from": "1",
  "to": "2",
  "unchanged": 7,
  "paths": [
    {
      "path": "etc/app.conf",
      "side": "host",
      "reason": "both-changed",
      "conflict": true,
      "base": null,
      "host": {
        "type": "regular file",
        "mode": "0644",
        "uid": 0,
        "gid": 0,
        "digest": "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
      },
      "image": null
    },
    {
      "path": "etc/odd\\n\\\\x41\\x1b\\xff é",
      "side": "image",
      "reason": "image-changed",
      "conflict": false,
      "base": null,
      "host": null,
      "image": {
        "type": "symbolic link",
        "uid": 0,
        "gid": 0,
        "target": "app.conf"
      }
    }
  ],
  "accounts": []
}"#;

/// Returns a tree in which `path` has `text`.
fn tree_with(path: &TreePath, text: &str) -> (TempDir, Tree) {
    let dir = TempDir::new().unwrap();
    for directory in ["etc", "usr/lib/sysimage/tiu"] {
        fs::create_dir_all(dir.path().join(directory)).unwrap();
    }
    // The files in a directory that others cannot enter have no digest in the report.
    fs::set_permissions(dir.path().join("etc"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(dir.path().join(path), text).unwrap();
    let tree = Tree::open(dir.path()).unwrap();
    (dir, tree)
}

fn text_of(tree: &Tree, path: &TreePath) -> Result<String, TreeError> {
    Ok(tree.read_text(path, 1 << 20)?.unwrap())
}

fn path(bytes: &[u8]) -> TreePathBuf {
    TreePathBuf::new(bytes).unwrap()
}

fn record_of(text: &str) -> Result<Option<Record>, RecordError> {
    Record::read(&tree_with(RECORD_PATH, text).1)
}

fn report_of(text: &str) -> Result<Option<EtcReport>, ReportError> {
    EtcReport::read(&tree_with(ETC_REPORT_PATH, text).1)
}

#[test]
fn a_record_is_read_and_written_as_it_was() {
    let (_dir, tree) = tree_with(RECORD_PATH, RECORD);
    let record = Record::read(&tree).unwrap().unwrap();
    let files: Vec<&TreePath> = record.files.iter().map(|file| &*file.path).collect();
    assert_eq!(files, [&*path(b"boot/initrd-6.1"), &*path(br"boot/odd\x41\n name")]);
    assert_eq!(record.persistent, [path(b"data"), path(br"srv2/a\b")]);
    assert_eq!(record.initrd.as_ref().unwrap().path, path(b"boot/initrd-6.1"));
    record.write(&tree).unwrap();
    assert_eq!(text_of(&tree, RECORD_PATH).unwrap(), RECORD);
}

#[test]
fn the_first_record_had_neither_persistent_paths_nor_an_initrd() {
    let record = record_of(r#"{"version": 1, "files": [], "uids": {}, "gids": {}}"#).unwrap().unwrap();
    assert!(record.persistent.is_empty() && record.initrd.is_none());
}

#[test]
fn a_report_is_read_and_written_as_it_was() {
    let (_dir, tree) = tree_with(ETC_REPORT_PATH, REPORT);
    let report = EtcReport::read(&tree).unwrap().unwrap();
    let odd = path(b"etc/odd\n\\x41\x1b\xff \xc3\xa9");
    assert!(report.decided(&path(b"etc/app.conf")).unwrap().conflict);
    assert!(!report.decided(&odd).unwrap().conflict);
    report.write(&tree).unwrap();
    assert_eq!(text_of(&tree, ETC_REPORT_PATH).unwrap(), REPORT);
}

#[test]
fn the_first_report_had_no_accounts() {
    let text = r#"{"version": 1, "from": null, "to": "1", "unchanged": 0, "paths": []}"#;
    assert!(report_of(text).unwrap().unwrap().accounts.is_empty());
}

#[test]
fn text_that_is_not_an_escape_stands_for_itself() {
    for (text, bytes) in [(r"etc/\\x+1", &br"etc/\x+1"[..]), (r"etc/\\xzz\\", br"etc/\xzz\")] {
        let report = report_of(&REPORT.replace("etc/app.conf", text)).unwrap().unwrap();
        assert_eq!(*report.paths[0].path, *path(bytes), "{text}");
    }
}

#[test]
fn a_document_with_an_illegal_path_is_damaged() {
    for bad in
        ["/etc/app.conf", "etc/../app.conf", "etc//app.conf", "etc/app.conf/", r"etc/\\x00", r"etc/\u0000"]
    {
        let found = report_of(&REPORT.replace("etc/app.conf", bad));
        assert!(matches!(found, Err(ReportError::Damaged(_))), "{bad}: {found:?}");
    }
    // In the list of files, of persistent paths, and of the initrd.
    for (good, place) in [("boot/odd\\\\x41\\\\n name", 1), ("data", 1), ("boot/initrd-6.1", 2)] {
        let pieces: Vec<&str> = RECORD.split(&format!("\"{good}\"")).collect();
        assert_eq!(pieces.len(), place + 1, "{good}");
        let (head, tail) = (pieces[..place].join(&format!("\"{good}\"")), pieces[place]);
        for bad in ["/boot/x", "../x", "boot//x", "boot/x/", "./x", r"boot/\u0000"] {
            let found = record_of(&format!("{head}\"{bad}\"{tail}"));
            assert!(matches!(found, Err(RecordError::Damaged(_))), "{good} {bad}: {found:?}");
        }
    }
}
