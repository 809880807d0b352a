//! Hints for errors of the operating system. An error number can have several causes. A hint names
//! all of them, with the command that distinguishes them.
//!
//! ```
//! use std::io;
//! use tiu_system::errno;
//!
//! let error = io::Error::from(io::ErrorKind::QuotaExceeded);
//! assert_eq!(errno::hint(&error), None, "only numbers count");
//! let error = io::Error::from_raw_os_error(122);
//! assert!(errno::hint(&error).is_some_and(|hint| hint.contains("btrfs qgroup show")));
//! assert_eq!(errno::hint_of_output("x: Disk quota exceeded"), errno::hint(&error));
//! ```

use rustix::io::Errno;
use std::io;

/// `EUCLEAN`: what filesystems return for damaged structures.
const DAMAGED: Errno = Errno::UCLEAN;

/// Error numbers, what the C library says for them, and what to do.
const HINTS: [(Errno, &str, &str); 13] = [
    (
        Errno::DQUOT,
        "Disk quota exceeded",
        "a quota of the filesystem is used up, although the disk may have space: `btrfs qgroup show -re /` \
         shows limits; raise one (`btrfs qgroup limit`), or delete snapshots that are no longer needed",
    ),
    (
        Errno::NOSPC,
        "No space left on device",
        "delete snapshots that are no longer needed (tiu list, snapper delete N); if `df` shows free \
         space, btrfs has none for metadata: see `btrfs filesystem usage /`, then `btrfs balance start \
         -dusage=20 /`",
    ),
    (
        Errno::PERM,
        "Operation not permitted",
        "run as root; as root, look for the immutable or append-only flag: `lsattr -d` shows it, `chattr -i -a` \
         removes it",
    ),
    (
        Errno::ACCESS,
        "Permission denied",
        "run as root; as root, check whether a security module forbids it (dmesg, journalctl -t audit)",
    ),
    (
        Errno::TXTBSY,
        "Text file busy",
        "it is an active swap file or a running program: `swapon --show` lists swap files, `swapoff FILE` \
         deactivates one",
    ),
    (
        Errno::ROFS,
        "Read-only file system",
        "mount it writable; if it was, see dmesg: btrfs stops writing on errors",
    ),
    (
        Errno::IO,
        "Input/output error",
        "the disk or its content is damaged: see dmesg, and `btrfs device stats /`; `btrfs scrub start /` \
         finds all damage",
    ),
    (DAMAGED, "Structure needs cleaning", "the filesystem is damaged: see dmesg, and `btrfs scrub start /`"),
    (
        Errno::LOOP,
        "Too many levels of symbolic links",
        "the path has a symlink, which is not followed: check each part of the path",
    ),
    (Errno::NFILE, "Too many open files in system", "raise the limit of open files (sysctl fs.file-max)"),
    (Errno::MFILE, "Too many open files", "raise the limit of open files (ulimit -n)"),
    (Errno::NOMEM, "Cannot allocate memory", "free some memory (free), or end other programs"),
    (Errno::OPNOTSUPP, "Operation not supported", "the filesystem does not support this; use btrfs"),
];

/// Returns what to do about an error of a system call, if there is more to say than the error does.
pub fn hint(error: &io::Error) -> Option<&'static str> {
    let number = Errno::from_io_error(error)?;
    HINTS.iter().find(|(errno, ..)| *errno == number).map(|(_, _, hint)| *hint)
}

/// Returns what to do about an error that a program printed in the words of the C library.
pub fn hint_of_output(text: &str) -> Option<&'static str> {
    HINTS.iter().find(|(_, words, _)| text.contains(words)).map(|(_, _, hint)| *hint)
}

/// Returns true if the error says that the filesystem is full.
pub fn is_full(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::NOSPC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_of_the_system() {
        for (errno, words, _) in HINTS {
            let error = io::Error::from_raw_os_error(errno.raw_os_error());
            assert!(error.to_string().starts_with(words), "{error}");
            assert_eq!(hint(&error), hint_of_output(&error.to_string()), "{error}");
        }
    }

    #[test]
    fn each_story_of_an_errno_has_its_command() {
        for (number, needles) in [
            (Errno::DQUOT, &["quota", "btrfs qgroup show"][..]),
            (Errno::NOSPC, &["metadata", "btrfs filesystem usage", "btrfs balance"]),
            (Errno::PERM, &["root", "lsattr", "chattr"]),
            (Errno::TXTBSY, &["swap", "swapoff"]),
        ] {
            let found = hint(&number.into()).unwrap();
            assert!(needles.iter().all(|needle| found.contains(needle)), "{found}");
        }
        assert_eq!(hint(&Errno::NOENT.into()), None);
        assert_eq!(hint_of_output("all is well"), None);
    }
}
