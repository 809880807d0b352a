//! group and gshadow: new groups are added, members unite. No group gets a password.

use super::file::{AccountFile, AccountFiles};
use super::note::{Note, NoteKind, shown};
use super::numbers::Numbers;
use super::table::{Line, LineKind, Table};
use super::three_tables::{ThreeTables, is_locked, put_result};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashSet};

/// The password is in gshadow.
const SHADOWED: &[u8] = b"x";
/// No password.
const LOCKED: &[u8] = b"!";

/// Merges groups into `files`. `users` are the names of all users of the new system; nobody else
/// becomes a member.
pub(super) fn merge(
    mut group: ThreeTables,
    mut gshadow: ThreeTables,
    gids: &Numbers,
    users: &HashSet<Vec<u8>>,
    files: &mut AccountFiles,
    notes: &mut Vec<Note>,
) {
    note_dropped(&group, notes);
    let with_gshadow = gshadow.there || gshadow.shipped;
    let new = if group.closed { BTreeMap::new() } else { new_members(&group, users, notes) };
    add_members(&mut group, &new);
    if !gshadow.closed {
        add_members(&mut gshadow, &new);
    }
    let existing = |line: &Line, field| -> Vec<u8> {
        let members: Vec<&[u8]> = line.names(field).filter(|name| users.contains(*name)).collect();
        members.join(&b',')
    };
    let mut lines = Vec::new();
    let mut locked = Vec::new();
    for (i, number) in gids.added().filter_map(|i| Some((i, gids.added_number(i)?))) {
        let Some(line) = group.image.line(i) else { continue };
        let (name, number, members) = (line.name(), number.to_string(), existing(line, 3));
        let password = if with_gshadow { SHADOWED } else { LOCKED };
        lines.push([name, password, number.as_bytes(), &members].join(&b':'));
        if gshadow.host.find(name).is_none() {
            let from =
                gshadow.image.find(name).map(|(_, line)| line).filter(|line| line.kind() == LineKind::Entry);
            let password =
                from.map(|line| line.field(1)).filter(|password| is_locked(password)).unwrap_or(LOCKED);
            let administrators = from.map(|line| existing(line, 2)).unwrap_or_default();
            locked.push([name, password, &administrators, &members].join(&b':'));
        }
    }
    group.host.insert(lines);
    if with_gshadow && !gshadow.closed {
        if !gshadow.there {
            let known: HashSet<&[u8]> =
                locked.iter().filter_map(|line| line.split(|c| *c == b':').next()).collect();
            let missing = |line: &&Line| {
                line.kind() == LineKind::Entry && line.field(1) == SHADOWED && !known.contains(line.name())
            };
            let host: Vec<Vec<u8>> = group
                .host
                .readable()
                .filter(missing)
                .map(|line| [line.name(), LOCKED, b"", line.field(3)].join(&b':'))
                .collect();
            gshadow.host.insert(host);
        }
        gshadow.host.insert(locked);
    }
    put_result(group, files);
    put_result(gshadow, files);
}

/// Returns, for each group of the host, the members that only the image has, without those that the
/// administrator removed.
fn new_members(
    group: &ThreeTables,
    users: &HashSet<Vec<u8>>,
    notes: &mut Vec<Note>,
) -> BTreeMap<Vec<u8>, Vec<Vec<u8>>> {
    let mut all: BTreeMap<Vec<u8>, Vec<Vec<u8>>> = BTreeMap::new();
    for (_, line) in group.image.entries() {
        let Some((_, host)) = group.host.find(line.name()).filter(|(_, line)| line.kind() == LineKind::Entry)
        else {
            continue;
        };
        // Of two lines with the same name, the first counts.
        let Entry::Vacant(slot) = all.entry(line.name().to_vec()) else { continue };
        let mut not: HashSet<&[u8]> = members(group.base.as_ref(), line.name());
        not.extend(host.names(3));
        let new: Vec<Vec<u8>> = line
            .names(3)
            .filter(|name| users.contains(*name) && not.insert(*name))
            .map(<[u8]>::to_vec)
            .collect();
        for name in &new {
            let text = format!("{} became a member, as in the image", shown(name));
            notes.push(Note::new(NoteKind::Member, group.file, line.name(), text));
        }
        slot.insert(new);
    }
    all
}

/// Adds members to the host's entries, each once.
fn add_members(tables: &mut ThreeTables, new: &BTreeMap<Vec<u8>, Vec<Vec<u8>>>) {
    for (name, members) in new {
        let Some((i, line)) = tables.host.find(name).filter(|(_, line)| line.kind() == LineKind::Entry)
        else {
            continue;
        };
        let have: HashSet<&[u8]> = line.names(3).collect();
        let missing: Vec<&[u8]> =
            members.iter().map(Vec::as_slice).filter(|name| !have.contains(name)).collect();
        if !missing.is_empty() {
            let glue: &[u8] =
                if line.field(3).is_empty() || line.field(3).ends_with(b",") { b"" } else { b"," };
            let bytes = [line.bytes(), glue, &missing.join(&b',')].concat();
            tables.host.replace(i, bytes);
        }
    }
}

fn members<'a>(base: Option<&'a Table>, group: &[u8]) -> HashSet<&'a [u8]> {
    base.and_then(|base| base.find(group)).map(|(_, line)| line.names(3).collect()).unwrap_or_default()
}

fn note_dropped(group: &ThreeTables, notes: &mut Vec<Note>) {
    let old = group.base.iter().flat_map(|base| base.entries());
    for (_, old) in old.filter(|(_, old)| group.image.find(old.name()).is_none()) {
        if group.host.find(old.name()).is_some() {
            let text = "the image no longer has this group; it stays, because files may belong to it";
            notes.push(Note::new(NoteKind::Dropped, AccountFile::Group, old.name(), text));
        }
    }
}
