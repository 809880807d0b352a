//! The six files.

use std::collections::BTreeMap;

/// One of the six files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum File {
    /// passwd(5).
    Passwd,
    /// group(5).
    Group,
    /// shadow(5).
    Shadow,
    /// gshadow(5).
    Gshadow,
    /// subuid(5).
    Subuid,
    /// subgid(5).
    Subgid,
}

impl File {
    /// All of them.
    pub const ALL: [File; 6] =
        [File::Passwd, File::Group, File::Shadow, File::Gshadow, File::Subuid, File::Subgid];

    /// Where it lies, without the leading slash.
    pub fn path(self) -> &'static str {
        match self {
            File::Passwd => "etc/passwd",
            File::Group => "etc/group",
            File::Shadow => "etc/shadow",
            File::Gshadow => "etc/gshadow",
            File::Subuid => "etc/subuid",
            File::Subgid => "etc/subgid",
        }
    }

    /// The file that lies at `path`.
    pub fn at(path: &[u8]) -> Option<File> {
        File::ALL.into_iter().find(|file| file.path().as_bytes() == path)
    }
}

/// Contents of the files that a system has.
pub type Files = BTreeMap<File, Vec<u8>>;
