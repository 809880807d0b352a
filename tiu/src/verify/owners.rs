//! The host's numbers for the image's owners, computed again from the accounts that were signed and
//! those that the snapshot has, by name and by the rules of the merge.
//!
//! The record in the snapshot also has these numbers. It is not signed, so it is not believed.

use crate::accounts::sysusers::{VENDOR, is_read};
use crate::accounts::{self, AccountFile, AccountFiles, AccountSides, Limits};
use crate::etc::owner_numbers;
use crate::state::{RECORD_PATH, Record};
use std::collections::HashMap;
use tiu_bundle::content_digest::digest_bytes;
use tiu_bundle::index::{Index, STATE_DIR};
use tiu_extract::Difference;
use tiu_system::path::TreePath;
use tiu_system::tree::{MAX_TEXT, Tree};

/// The host's numbers of owners.
#[derive(Default)]
pub(super) struct OwnerNumbers {
    /// Of users, by the image's.
    pub uids: HashMap<u32, u32>,
    /// Of groups, by the image's.
    pub gids: HashMap<u32, u32>,
    /// The reasons why they are not those of the merge.
    pub differences: Vec<Difference>,
}

/// Computes the numbers for the snapshot in `tree`.
pub(super) fn owners(tree: &Tree, index: &Index, record: Option<&Record>) -> OwnerNumbers {
    let mut owners = OwnerNumbers::default();
    let signed = signed_files(tree, index, &mut owners.differences);
    let mut host = AccountFiles::new();
    for file in [AccountFile::Passwd, AccountFile::Group] {
        match tree.read(file.path(), MAX_TEXT) {
            Ok(text) => host.extend(text.map(|text| (file, text))),
            Err(e) => owners.differences.push(unusable(file.path(), e.source.to_string())),
        }
    }
    let limits = tree.read("etc/login.defs", MAX_TEXT).ok().flatten().unwrap_or_default();
    let limits = Limits::parse(&limits);
    let merged = |image: &AccountFiles| {
        // Where the image's side is also the base's, no name is added: the host has each already,
        // or does without it.
        let sides = AccountSides { base: Some(image), host: &host, image, closed: &[] };
        accounts::merge(&sides, &owner_numbers(index), &limits)
    };
    match merged(&signed) {
        Ok(merged) => (owners.uids, owners.gids) = (merged.uids, merged.gids),
        Err(problems) => {
            for problem in problems {
                owners.differences.push(unusable(AccountFile::Passwd.path(), problem.to_string()));
            }
        }
    }
    let Some(record) = record else { return owners };
    // Whether names that sysusers.d asks for were merged depends on the host of that time, which
    // only the record knows.
    if let Ok(asked) = merged(&with_sysusers(signed, tree, index)) {
        let recorded =
            |map: &std::collections::BTreeMap<u32, u32>, (from, to): &(u32, u32)| map.get(from) == Some(to);
        let add = |map: &mut HashMap<u32, u32>, (from, to): (u32, u32)| {
            map.entry(from).or_insert(to);
        };
        let uids = asked.uids.into_iter().filter(|pair| recorded(&record.uids, pair));
        uids.for_each(|pair| add(&mut owners.uids, pair));
        let gids = asked.gids.into_iter().filter(|pair| recorded(&record.gids, pair));
        gids.for_each(|pair| add(&mut owners.gids, pair));
    }
    for (what, map) in [("uids", &record.uids), ("gids", &record.gids)] {
        for (from, to) in map.iter().filter(|(from, to)| (**from == 0) != (**to == 0)) {
            let found = format!("{what}: {from} becomes {to}");
            let expected = "0 stays 0, and nothing becomes 0".to_owned();
            let path = RECORD_PATH.to_owned();
            owners.differences.push(Difference { path, what: "owner", found, expected });
        }
    }
    owners
}

fn unusable(path: &TreePath, found: String) -> Difference {
    let expected = "accounts that tell the owners of the image's files".to_owned();
    Difference { path: path.to_owned(), what: "accounts", found, expected }
}

/// Returns passwd and group as they were signed: from the copy of the image's `/etc`, where that is
/// what the index says. The copy itself is compared elsewhere.
fn signed_files(tree: &Tree, index: &Index, differences: &mut Vec<Difference>) -> AccountFiles {
    let mut files = AccountFiles::new();
    for file in [AccountFile::Passwd, AccountFile::Group] {
        let Some(i) = index.find(file.path()) else { continue };
        let digest = index.inode_of(&index.entry(i)).digest;
        let copy = STATE_DIR.join(file.path());
        let text = tree.read(&copy, MAX_TEXT).ok().flatten();
        match text.filter(|text| Some(digest_bytes(text)) == digest) {
            Some(text) => files.extend([(file, text)]),
            None => differences.push(unusable(file.path(), "the signed ones are not in the snapshot".into())),
        }
    }
    files
}

/// Adds the names to which the image's sysusers.d gives a number, as lines of passwd and group.
fn with_sysusers(mut files: AccountFiles, tree: &Tree, index: &Index) -> AccountFiles {
    let mut text = String::new();
    for entry in crate::etc::entries_at(index, VENDOR) {
        if entry.path.strip_prefix(VENDOR).is_some_and(|name| is_read(name.as_bytes()))
            && let Ok(Some(bytes)) = tree.read(&*entry.path, MAX_TEXT)
            && Some(digest_bytes(&bytes)) == index.inode_of(&entry).digest
        {
            text += &String::from_utf8_lossy(&bytes);
            text.push('\n');
        }
    }
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().take(3).collect();
        let [kind @ ("u" | "u!" | "g"), name, id] = words[..] else { continue };
        let (uid, gid) = id.split_once(':').unwrap_or((id, id));
        let mut add = |file: AccountFile, line: String| {
            let text = files.entry(file).or_default();
            let has = text
                .split(|c| *c == b'\n')
                .any(|line| line.split(|c| *c == b':').next() == Some(name.as_bytes()));
            if !has {
                text.extend_from_slice(line.as_bytes());
            }
        };
        if kind != "g" && uid.parse::<u32>().is_ok() {
            add(AccountFile::Passwd, format!("{name}:x:{uid}:{gid}::/:/usr/sbin/nologin\n"));
        }
        if gid.parse::<u32>().is_ok() {
            add(AccountFile::Group, format!("{name}:x:{gid}:\n"));
        }
    }
    files
}
