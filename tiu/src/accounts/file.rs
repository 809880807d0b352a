//! The six files that name users and groups.

use std::collections::BTreeMap;
use tiu_system::path::TreePath;

/// One of the six account files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccountFile {
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

impl AccountFile {
    /// All six, in the order in which they are merged.
    pub const ALL: [AccountFile; 6] = [
        AccountFile::Passwd,
        AccountFile::Group,
        AccountFile::Shadow,
        AccountFile::Gshadow,
        AccountFile::Subuid,
        AccountFile::Subgid,
    ];

    /// Returns the path of the file in a tree.
    pub fn path(self) -> &'static TreePath {
        TreePath::literal(match self {
            AccountFile::Passwd => "etc/passwd",
            AccountFile::Group => "etc/group",
            AccountFile::Shadow => "etc/shadow",
            AccountFile::Gshadow => "etc/gshadow",
            AccountFile::Subuid => "etc/subuid",
            AccountFile::Subgid => "etc/subgid",
        })
    }

    /// Returns the account file at `path`.
    pub fn from_path(path: &TreePath) -> Option<AccountFile> {
        AccountFile::ALL.into_iter().find(|file| file.path() == path)
    }
}

/// The contents of the files that a system has.
pub type AccountFiles = BTreeMap<AccountFile, Vec<u8>>;
