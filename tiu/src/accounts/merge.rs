//! The merge of all six files.

use super::file::{AccountFile, AccountFiles};
use super::limits::Limits;
use super::note::Note;
use super::numbers::{Numbers, Problem};
use super::table::Table;
use super::three_tables::ThreeTables;
use super::{groups, ranges, users};
use std::collections::{BTreeSet, HashMap};

/// The account files of the three sides.
#[derive(Clone, Copy)]
pub struct AccountSides<'a> {
    /// Those of the image that the base was made from, if that is known.
    pub base: Option<&'a AccountFiles>,
    /// The host's.
    pub host: &'a AccountFiles,
    /// The new image's.
    pub image: &'a AccountFiles,
    /// Files to which nothing is added: the configuration says that they are the host's alone.
    pub closed: &'a [AccountFile],
}

/// The numbers of users and groups to which files of the image belong, including those in ACL
/// entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsedNumbers {
    /// Numbers of users.
    pub uids: BTreeSet<u32>,
    /// Numbers of groups.
    pub gids: BTreeSet<u32>,
}

/// The result of a merge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// The contents of the files in the new system.
    pub files: AccountFiles,
    /// Maps the image's numbers of users to the host's where these differ.
    pub uids: HashMap<u32, u32>,
    /// Maps the image's numbers of groups to the host's where these differ.
    pub gids: HashMap<u32, u32>,
    /// Notes for the administrator.
    pub notes: Vec<Note>,
}

/// Merges the account files. Returns all problems if there is one that only the administrator can
/// resolve.
pub fn merge(sides: &AccountSides, used: &UsedNumbers, limits: &Limits) -> Result<Merged, Vec<Problem>> {
    let mut notes = Vec::new();
    fn table(files: &AccountFiles, file: AccountFile) -> Table<'_> {
        Table::parse(file, files.get(&file).map_or(&b""[..], Vec::as_slice))
    }
    let tables = |file| ThreeTables {
        file,
        base: sides.base.map(|base| table(base, file)),
        host: table(sides.host, file),
        image: table(sides.image, file),
        there: sides.host.contains_key(&file),
        shipped: sides.image.contains_key(&file),
        closed: sides.closed.contains(&file),
    };
    let [passwd, group, shadow, gshadow, subuid, subgid] = AccountFile::ALL.map(tables);
    for tables in [&passwd, &group, &shadow, &gshadow, &subuid, &subgid] {
        tables.note_broken(&mut notes);
    }
    let mut problems = Vec::new();
    let uids =
        Numbers::assign(&passwd, &used.uids, &BTreeSet::new(), &limits.uids, &mut notes, &mut problems);
    // The group that a new user needs is added, even if the administrator removed it.
    let needed = uids.added().filter_map(|i| passwd.image.line(i)?.number(3)).collect();
    let gids = Numbers::assign(&group, &used.gids, &needed, &limits.gids, &mut notes, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut files = AccountFiles::new();
    let names = users::merge(passwd, shadow, &uids, &gids, &mut files, &mut notes);
    groups::merge(group, gshadow, &gids, &names, &mut files, &mut notes);
    for tables in [subuid, subgid] {
        ranges::merge(tables, &uids, &names, limits, &mut files, &mut notes);
    }
    Ok(Merged { files, uids: uids.map, gids: gids.map, notes })
}
