//! Users and groups that sysusers.d(5) of an image asks for and that have no lines in the image's
//! passwd and group. systemd-sysusers(8) makes them from the image's own account files.
//!
//! The program is the running system's, without capabilities and without network. It sees neither
//! the running system nor the target. It sees only a private, empty filesystem in memory, which has
//! no path and vanishes with its last user, however tiu ends. There is nothing to follow or to
//! damage, and the host's passwords are not in it.

use super::file::{AccountFile, AccountFiles};
use crate::namespace::{Profile, confined};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tiu_system::hints;
use tiu_system::path::TreePath;
use tiu_system::program::{RunError, SYSUSERS};
use tiu_system::progress::Cancel;
use tiu_system::tree::{Tree, TreeError};

/// The directory in which packages ask for users and groups.
pub const VENDOR: &TreePath = TreePath::literal("usr/lib/sysusers.d");
/// The directory in which administrators ask for them, and mask files of packages.
pub const LOCAL: &TreePath = TreePath::literal("etc/sysusers.d");
/// The files that the program writes.
const WRITTEN: [AccountFile; 4] =
    [AccountFile::Passwd, AccountFile::Group, AccountFile::Shadow, AccountFile::Gshadow];
/// Largest file that is read back, in bytes.
const LIMIT: u64 = 64 << 20;
/// The number of complaints that are reported.
const SHOWN_LINES: usize = 20;

/// The contents of files of sysusers.d, by name.
pub type SysusersFiles = BTreeMap<Vec<u8>, Vec<u8>>;

/// The users and groups could not be made.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
#[non_exhaustive]
pub enum SysusersError {
    /// The private filesystem failed.
    #[error("a private filesystem for systemd-sysusers: {0}")]
    Place(io::Error),
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The program failed.
    #[error("the users and groups that the image's sysusers.d asks for were not made: {0}")]
    Run(RunError),
}

hints! { SysusersError {
    forward Tree;
    cancelled Run;
    Place(_) => "run tiu as root, with memory left (free)",
    Run(_) => "see what it says about the image's files, and ask the image's maker to correct them; \
        `sysusers: none` in tiu.yaml leaves them to the new system, which reads them at its first boot",
} }

/// Returns the image's account files `files` with what `requests` ask for, and what the program
/// says about lines that it ignored.
pub fn run(
    files: &AccountFiles,
    requests: &SysusersFiles,
    cancel: &Cancel,
) -> Result<(AccountFiles, Vec<String>), SysusersError> {
    let place = private().map_err(|e| SysusersError::Place(e.into()))?;
    let path = PathBuf::from(format!("/proc/self/fd/{}", place.as_raw_fd()));
    for directory in [TreePath::literal("etc"), VENDOR] {
        std::fs::create_dir_all(path.join(directory)).map_err(SysusersError::Place)?;
    }
    let tree = Tree::open(&path)?;
    for (file, text) in files.iter().filter(|(file, _)| WRITTEN.contains(file)) {
        tree.write(file.path(), &text[..])?;
    }
    for (name, text) in requests {
        let to = path.join(VENDOR).join(OsStr::from_bytes(name));
        std::fs::write(to, understood(text)).map_err(SysusersError::Place)?;
    }
    // Its standard input is the filesystem: a name for it that needs no path.
    let made = confined::run(Profile::Sysusers, &SYSUSERS)
        .map_err(SysusersError::Run)?
        .arg("--root=/proc/self/fd/0")
        .stdin(place)
        .limit(Duration::from_secs(60))
        .cancel(cancel)
        .output();
    let complaints = complaints(&made.map_err(SysusersError::Run)?.stderr);
    let mut all = files.clone();
    for file in WRITTEN {
        if let Some(text) = tree.read(file.path(), LIMIT)? {
            all.insert(file, text);
        }
    }
    Ok((all, complaints))
}

/// Returns what the program prints besides what it makes, with paths as the image has them.
fn complaints(said: &str) -> Vec<String> {
    let lines = said.lines().filter(|line| !line.trim().is_empty() && !line.starts_with("Creating "));
    lines.take(SHOWN_LINES).map(|line| line.replace("/proc/self/fd/0/", "/")).collect()
}

/// Makes a filesystem in memory that is not mounted anywhere.
fn private() -> Result<OwnedFd, rustix::io::Errno> {
    let context = rustix::mount::fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    rustix::mount::fsconfig_set_string(&context, "mode", "0700")?;
    rustix::mount::fsconfig_create(&context)?;
    let nothing_special = MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, nothing_special)
}

/// Writes the type `u!` (systemd 257) as `u`: the host's program may be older than the image, and
/// nobody who is added can log in anyway.
fn understood(text: &[u8]) -> Vec<u8> {
    let line = |line: &[u8]| {
        let type_of = line.trim_ascii_start();
        match type_of.strip_prefix(b"u!") {
            Some(rest) if rest.first().is_some_and(u8::is_ascii_whitespace) => [b"u", rest].concat(),
            _ => line.to_vec(),
        }
    };
    text.split(|c| *c == b'\n').map(line).collect::<Vec<_>>().join(&b'\n')
}

/// Returns whether the program reads a file of this name in sysusers.d.
pub fn is_read(name: &[u8]) -> bool {
    name.ends_with(b".conf")
        && Path::new(OsStr::from_bytes(name)).file_name().is_some_and(|n| n.as_bytes() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requested_users_are_added_to_those_of_the_image() {
        let passwd = b"root:x:0:0::/root:/bin/sh\nweb:x:30:30::/:/bin/false\n".to_vec();
        let files = AccountFiles::from([
            (AccountFile::Passwd, passwd),
            (AccountFile::Group, b"root:x:0:\nweb:x:30:\n".to_vec()),
        ]);
        let asked = b"u web 31\nu! db 77 \"Data\" /var/lib/db /bin/bash\ng lock 78\nm web lock\n".to_vec();
        let (made, complaints) =
            run(&files, &SysusersFiles::from([(b"a.conf".to_vec(), asked)]), &Cancel::new()).unwrap();
        assert_eq!(complaints, [] as [&str; 0]);
        let text = |file| String::from_utf8_lossy(&made[&file]).into_owned();
        assert!(
            text(AccountFile::Passwd).contains("web:x:30:30:")
                && text(AccountFile::Passwd).contains("\ndb:x:77:77:Data:")
        );
        assert!(text(AccountFile::Group).contains("lock:x:78:web\n"), "{}", text(AccountFile::Group));
    }

    #[test]
    fn lines_that_cannot_be_read_are_reported_and_the_others_count() {
        let asked = SysusersFiles::from([(b"bad.conf".to_vec(), b"frobnicate web\nu ok 5\n".to_vec())]);
        let (made, complaints) = run(&AccountFiles::new(), &asked, &Cancel::new()).unwrap();
        assert!(made[&AccountFile::Passwd].starts_with(b"ok:x:5:5:"));
        assert_eq!(complaints.len(), 1, "{complaints:?}");
        assert!(complaints[0].starts_with("/usr/lib/sysusers.d/bad.conf:1: "), "{complaints:?}");
    }

    #[test]
    fn a_newer_type_is_written_as_an_older_one() {
        assert_eq!(understood(b"# u!\n u! a\nu!\nu!b\nu a !"), b"# u!\nu a\nu!\nu!b\nu a !");
    }

    #[test]
    fn only_names_that_the_program_reads_count() {
        assert!(is_read(b"a.conf") && !is_read(b"a.conf~") && !is_read(b"README") && !is_read(b"d/a.conf"));
    }
}
