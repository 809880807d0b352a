//! The client's own directory in a snapshot: which names it has, and what they are. The index has
//! the directory and not its content.

use rustix::fs::{AtFlags, Dir, FileType};
use tiu_bundle::places::{CMS_PATH, ETC_REPORT_PATH, INDEX_PATH, PRISTINE_ETC_PATH, RECORD_PATH, STATE_DIR};
use tiu_extract::{Difference, Shown};
use tiu_system::path::{TreePath, TreePathBuf};
use tiu_system::tree::{Tree, TreeError};

/// Files of the directory. The copy of `/etc` is a directory in it.
const FILES: [&TreePath; 4] = [INDEX_PATH, CMS_PATH, ETC_REPORT_PATH, RECORD_PATH];

/// Returns what differs in the directory from what the client leaves there, apart from content.
pub(super) fn check(tree: &Tree) -> Result<Vec<Difference>, TreeError> {
    let directory = tree.directory(STATE_DIR)?;
    let failed = |e: rustix::io::Errno| TreeError { path: tree.path().join(STATE_DIR), source: e.into() };
    let mut found = Vec::new();
    for entry in Dir::read_from(&directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let path = [STATE_DIR.as_bytes(), b"/", name.to_bytes()].concat();
        let Ok(path) = TreePathBuf::new(path) else { continue };
        let stat = rustix::fs::statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        let mut add = |what, found_: String, expected: &str| {
            found.push(Difference { path: path.clone(), what, found: found_, expected: expected.to_owned() });
        };
        if &*path == PRISTINE_ETC_PATH {
            continue;
        }
        if !FILES.contains(&&*path) {
            add("extra", kind_name(kind).to_owned(), "nothing");
            continue;
        }
        if kind != FileType::RegularFile {
            add("type", kind_name(kind).to_owned(), "regular file");
            continue;
        }
        if (stat.st_uid, stat.st_gid) != (0, 0) {
            add("owner", format!("{}:{}", stat.st_uid, stat.st_gid), "0:0");
        }
        if stat.st_mode & 0o7777 & !0o644 != 0 {
            add("mode", format!("{:04o}", stat.st_mode & 0o7777), "at most 0644");
        }
        if stat.st_nlink != 1 {
            add("hardlink", format!("{} names", stat.st_nlink), "1 name");
        }
    }
    Ok(found)
}

fn kind_name(kind: FileType) -> &'static str {
    match kind {
        FileType::RegularFile => "regular file",
        FileType::Directory => "directory",
        FileType::Symlink => "symbolic link",
        FileType::Fifo => "fifo",
        FileType::Socket => "socket",
        FileType::CharacterDevice => "character device",
        FileType::BlockDevice => "block device",
        FileType::Unknown => "something unknown",
    }
}

/// Returns the difference of a file of the directory that is not usable.
pub(super) fn unusable(path: &TreePath, found: String) -> Difference {
    let (path, expected) = (path.to_owned(), "a document of tiu's".to_owned());
    Difference { path, what: "content", found: Shown(found.as_bytes()).to_string(), expected }
}
