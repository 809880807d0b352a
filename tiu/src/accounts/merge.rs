//! The merge of all six files.

use super::file::{File, Files};
use super::limits::Limits;
use super::note::Note;
use super::numbers::{Numbers, Problem};
use super::table::Table;
use super::three_way::Three;
use super::{groups, ranges, users};
use std::collections::{BTreeSet, HashMap};

/// The three sides.
#[derive(Clone, Copy)]
pub struct Sides<'a> {
    /// Of the image that the base was made from; none where that is not known.
    pub base: Option<&'a Files>,
    /// The host's.
    pub host: &'a Files,
    /// The new image's.
    pub image: &'a Files,
    /// Files that the configuration says are the host's alone: nothing is added to them.
    pub closed: &'a [File],
}

/// Numbers that files of the image belong to, ACL entries included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Of users.
    pub uids: BTreeSet<u32>,
    /// Of groups.
    pub gids: BTreeSet<u32>,
}

/// A merge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// Contents of the files that there will be.
    pub files: Files,
    /// Image's numbers of users that are others on the host, to the host's.
    pub uids: HashMap<u32, u32>,
    /// The same of groups.
    pub gids: HashMap<u32, u32>,
    /// What an administrator should know.
    pub notes: Vec<Note>,
}

/// Merges. Whatever cannot be resolved is in the error, all of it.
pub fn merge(sides: &Sides, used: &Used, limits: &Limits) -> Result<Merged, Vec<Problem>> {
    let mut notes = Vec::new();
    fn table(files: &Files, file: File) -> Table<'_> {
        Table::parse(file, files.get(&file).map_or(&b""[..], Vec::as_slice))
    }
    let three = |file| Three {
        file,
        base: sides.base.map(|base| table(base, file)),
        host: table(sides.host, file),
        image: table(sides.image, file),
        there: sides.host.contains_key(&file),
        shipped: sides.image.contains_key(&file),
        closed: sides.closed.contains(&file),
    };
    let [passwd, group, shadow, gshadow, subuid, subgid] = File::ALL.map(three);
    for three in [&passwd, &group, &shadow, &gshadow, &subuid, &subgid] {
        three.note_broken(&mut notes);
    }
    let mut problems = Vec::new();
    let uids =
        Numbers::assign(&passwd, &used.uids, &BTreeSet::new(), &limits.uids, &mut notes, &mut problems);
    // A group that a new user must have comes, even where the administrator had removed it.
    let needed = uids.added().filter_map(|i| passwd.image.line(i)?.number(3)).collect();
    let gids = Numbers::assign(&group, &used.gids, &needed, &limits.gids, &mut notes, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut files = Files::new();
    let names = users::merge(passwd, shadow, &uids, &gids, &mut files, &mut notes);
    groups::merge(group, gshadow, &gids, &names, &mut files, &mut notes);
    for three in [subuid, subgid] {
        ranges::merge(three, &uids, &names, limits, &mut files, &mut notes);
    }
    Ok(Merged { files, uids: uids.map, gids: gids.map, notes })
}
