//! What sysusers.d(5) of an image asks for, made by systemd-sysusers(8) from the image's own account files: users and groups that the
//! image has no lines for in passwd and group.
//!
//! The program sees neither the running system nor the target, only a private, empty filesystem in memory, without a path, that goes
//! with its last user, however tiu ends. So it has nothing to follow or to damage, and the host's passwords are not in it.

use super::{File, Files};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tiu_system::Hint;
use tiu_system::program::{Run, RunError, SYSUSERS};
use tiu_system::progress::Cancel;
use tiu_system::tree::{Tree, TreeError};

/// Where packages ask.
pub const VENDOR: &str = "usr/lib/sysusers.d";
/// Where administrators ask, and mask what packages ask for.
pub const LOCAL: &str = "etc/sysusers.d";
/// Files that the program knows.
const KNOWN: [File; 4] = [File::Passwd, File::Group, File::Shadow, File::Gshadow];
/// Largest file that is read back, in bytes.
const LIMIT: u64 = 64 << 20;

/// Complaints that are told.
const SHOWN_LINES: usize = 20;

/// Files of sysusers.d, by name.
pub type Asked = BTreeMap<Vec<u8>, Vec<u8>>;

/// Why it could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SysusersError {
    /// The private filesystem failed.
    #[error("a private filesystem for systemd-sysusers: {0}")]
    Place(io::Error),
    /// See [`TreeError`].
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The program failed.
    #[error("the users and groups that the image's sysusers.d asks for were not made: {0}")]
    Run(RunError),
}

impl Hint for SysusersError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            SysusersError::Place(_) => "run tiu as root, with memory left (free)".into(),
            SysusersError::Tree(e) => return e.hint(),
            SysusersError::Run(_) => "see what it says of the image's files, and ask the image's maker to correct them; \
                `sysusers: none` in tiu.yaml leaves them to the new system, which reads them at its first boot"
                .into(),
        })
    }
}

/// The image's account files `files`, with what `asked` asks for; and what the program says of lines that it passed over.
pub fn run(files: &Files, asked: &Asked, cancel: &Cancel) -> Result<(Files, Vec<String>), SysusersError> {
    let place = private().map_err(|e| SysusersError::Place(e.into()))?;
    let path = PathBuf::from(format!("/proc/self/fd/{}", place.as_raw_fd()));
    for directory in ["etc", VENDOR] {
        std::fs::create_dir_all(path.join(directory)).map_err(SysusersError::Place)?;
    }
    let tree = Tree::open(&path)?;
    for (file, text) in files.iter().filter(|(file, _)| KNOWN.contains(file)) {
        tree.write(file.path(), &text[..])?;
    }
    for (name, text) in asked {
        let to = path.join(VENDOR).join(OsStr::from_bytes(name));
        std::fs::write(to, understood(text)).map_err(SysusersError::Place)?;
    }
    // Its standard input is the filesystem: a name for it that needs no path.
    let made = Run::new(&SYSUSERS)
        .arg("--root=/proc/self/fd/0")
        .stdin(place)
        .limit(Duration::from_secs(60))
        .cancel(cancel)
        .output();
    let complaints = complaints(&made.map_err(SysusersError::Run)?.stderr);
    let mut all = files.clone();
    for file in KNOWN {
        if let Some(text) = tree.read(file.path(), LIMIT)? {
            all.insert(file, text);
        }
    }
    Ok((all, complaints))
}

/// What the program says beside what it does. The place of its files is nobody's business.
fn complaints(said: &str) -> Vec<String> {
    let lines = said.lines().filter(|line| !line.trim().is_empty() && !line.starts_with("Creating "));
    lines.take(SHOWN_LINES).map(|line| line.replace("/proc/self/fd/0/", "/")).collect()
}

/// A filesystem in memory that is mounted nowhere.
fn private() -> Result<OwnedFd, rustix::io::Errno> {
    let context = rustix::mount::fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    rustix::mount::fsconfig_set_string(&context, "mode", "0700")?;
    rustix::mount::fsconfig_create(&context)?;
    let nothing_special = MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, nothing_special)
}

/// The host's program may be older than the image: the type `u!` (systemd 257) is `u` for it, and nobody who comes can log in anyway.
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

/// Whether a name in sysusers.d is one that the program reads.
pub fn is_read(name: &[u8]) -> bool {
    name.ends_with(b".conf")
        && Path::new(OsStr::from_bytes(name)).file_name().is_some_and(|n| n.as_bytes() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_made_beside_what_is_there() {
        let passwd = b"root:x:0:0::/root:/bin/sh\nweb:x:30:30::/:/bin/false\n".to_vec();
        let files = Files::from([(File::Passwd, passwd), (File::Group, b"root:x:0:\nweb:x:30:\n".to_vec())]);
        let asked = b"u web 31\nu! db 77 \"Data\" /var/lib/db /bin/bash\ng lock 78\nm web lock\n".to_vec();
        let (made, complaints) =
            run(&files, &Asked::from([(b"a.conf".to_vec(), asked)]), &Cancel::new()).unwrap();
        assert_eq!(complaints, [] as [&str; 0]);
        let text = |file| String::from_utf8_lossy(&made[&file]).into_owned();
        assert!(
            text(File::Passwd).contains("web:x:30:30:") && text(File::Passwd).contains("\ndb:x:77:77:Data:")
        );
        assert!(text(File::Group).contains("lock:x:78:web\n"), "{}", text(File::Group));
    }

    #[test]
    fn lines_that_cannot_be_read_are_told_and_the_others_count() {
        let asked = Asked::from([(b"bad.conf".to_vec(), b"frobnicate web\nu ok 5\n".to_vec())]);
        let (made, complaints) = run(&Files::new(), &asked, &Cancel::new()).unwrap();
        assert!(made[&File::Passwd].starts_with(b"ok:x:5:5:"));
        assert_eq!(complaints.len(), 1, "{complaints:?}");
        assert!(complaints[0].starts_with("/usr/lib/sysusers.d/bad.conf:1: "), "{complaints:?}");
    }

    #[test]
    fn a_later_type_is_told_in_words_of_today() {
        assert_eq!(understood(b"# u!\n u! a\nu!\nu!b\nu a !"), b"# u!\nu a\nu!\nu!b\nu a !");
    }

    #[test]
    fn only_names_that_the_program_reads_count() {
        assert!(is_read(b"a.conf") && !is_read(b"a.conf~") && !is_read(b"README") && !is_read(b"d/a.conf"));
    }
}
