//! Account files, and their merge.

use std::collections::BTreeSet;
use tiu::accounts::{AccountFile, AccountFiles, AccountSides, Limits, Table, UsedNumbers, merge};

/// Words of account files.
pub const WORDS: &[&str] = &[
    "root:x:0:0::/:/bin/sh\n",
    "::",
    ":",
    "\n",
    "+::::::\n",
    "-user",
    "4294967295",
    "0",
    "-1",
    "#",
    "\0",
    "wheel",
];

/// Reads the input as six files with NUL between them: passwd, group and shadow of the host, then
/// of the image.
///
/// Each file is written as it was read. A merge keeps each of the host's users, maps nothing to
/// number 0, and gives that number to no name of the image, except to root where the host has none.
pub fn check(data: &[u8]) -> bool {
    let mut pieces = data.split(|byte| *byte == 0);
    let files = [AccountFile::Passwd, AccountFile::Group, AccountFile::Shadow];
    let mut side = || -> AccountFiles {
        files.iter().filter_map(|file| Some((*file, pieces.next()?.to_vec()))).collect()
    };
    let (host, image) = (side(), side());
    for (file, text) in host.iter().chain(&image) {
        for kind in [*file, AccountFile::Gshadow, AccountFile::Subuid] {
            assert_eq!(Table::parse(kind, text).to_bytes(), *text, "{kind:?} changes when it is written");
        }
    }
    let used = UsedNumbers { uids: [0, 100, 1000].into(), gids: [0, 100, 1000].into() };
    let sides = AccountSides { base: None, host: &host, image: &image, closed: &[] };
    let Ok(merged) = merge(&sides, &used, &Limits::default()) else { return true };
    for (from, to) in merged.uids.iter().chain(&merged.gids) {
        assert!((*from == 0) == (*to == 0), "{from} becomes {to}");
    }
    let (before, after) = (users(&host, None), users(&merged.files, None));
    assert!(before.is_subset(&after), "a user of the host is lost");
    let (before, after) = (users(&host, Some(0)), users(&merged.files, Some(0)));
    let root: BTreeSet<_> = [b"root".to_vec()].into();
    assert!(before == after || before.is_empty() && after == root, "the users with number 0 change");
    true
}

/// Returns the names of the users, or of those with `number`.
fn users(files: &AccountFiles, number: Option<u32>) -> BTreeSet<Vec<u8>> {
    let text = files.get(&AccountFile::Passwd).map_or(&b""[..], Vec::as_slice);
    let table = Table::parse(AccountFile::Passwd, text);
    table
        .entries()
        .filter(|(_, line)| number.is_none() || line.number(2) == number)
        .map(|(_, line)| line.name().to_vec())
        .collect()
}
