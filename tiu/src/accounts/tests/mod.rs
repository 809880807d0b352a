//! The merge on paper: each rule, and what holds for any files.

mod groups;
mod lines;
mod random;
mod scale;
mod users;

use super::three_tables::is_locked;
use super::*;
use super::{AccountFile, AccountFiles, AccountSides, NoteKind, UsedNumbers};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::collections::{HashMap, HashSet};

/// Account files from texts: passwd, group, shadow, gshadow, subuid, subgid. An empty text stands
/// for a missing file.
fn files(texts: &[&str]) -> AccountFiles {
    let text =
        |(file, text): (AccountFile, &&str)| (!text.is_empty()).then(|| (file, text.as_bytes().to_vec()));
    AccountFile::ALL.into_iter().zip(texts).filter_map(text).collect()
}

fn used(uids: &[u32], gids: &[u32]) -> UsedNumbers {
    UsedNumbers { uids: uids.iter().copied().collect(), gids: gids.iter().copied().collect() }
}

fn merged(base: Option<&[&str]>, host: &[&str], image: &[&str], used: &UsedNumbers) -> Merged {
    let (base, host, image) = (base.map(files), files(host), files(image));
    let sides = AccountSides { base: base.as_ref(), host: &host, image: &image, closed: &[] };
    merge(&sides, used, &Limits::default()).unwrap()
}

impl Merged {
    fn text(&self, file: AccountFile) -> &str {
        self.files.get(&file).map_or("", |text| std::str::from_utf8(text).unwrap())
    }

    fn about(&self, what: NoteKind) -> Vec<&str> {
        self.notes.iter().filter(|note| note.what == what).map(|note| note.name.as_str()).collect()
    }
}

const ROOT: &str = "root:x:0:0:root:/root:/bin/sh\n";
