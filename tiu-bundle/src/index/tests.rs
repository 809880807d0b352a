//! Indexes of many blocks: what is found in them, how two differ, and the memory that they take.

use super::{Entry, EntryBuf, EntryPair, Index, IndexBuilder, IndexError, Kind, Mtime, write_zst};
use crate::content_digest::{Digest, digest_bytes};
use proptest::prelude::*;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tiu_system::path::TreePath;

fn directory(path: &str) -> EntryBuf {
    let mtime = Mtime { sec: 1_600_000_000, nsec: 0 };
    EntryBuf { mtime, ..EntryBuf::empty(path, Kind::Dir) }
}

fn file(path: &str, content: &str) -> EntryBuf {
    let digest = Some(digest_bytes(content.as_bytes()));
    let size = 200 + content.len() as u64;
    EntryBuf { kind: Kind::File, mode: 0o644, size, digest, ..directory(path) }
}

fn index(entries: &BTreeMap<String, EntryBuf>) -> Index {
    let mut builder = IndexBuilder::default();
    entries.values().for_each(|entry| builder.push(entry).expect("a good entry"));
    builder.finish().expect("a good index").0
}

/// A tree of `files` files of which a hundred are in a directory, as those of the benchmark.
fn tree(files: usize, content: impl Fn(usize) -> String) -> BTreeMap<String, EntryBuf> {
    let mut entries = vec![directory(""), directory("usr")];
    for number in 0..files {
        let below = format!("usr/{:04}", number / 100);
        if number % 100 == 0 {
            entries.push(directory(&below));
        }
        entries.push(file(&format!("{below}/file-{number:08}"), &content(number)));
    }
    entries.into_iter().map(|entry| (entry.path.to_string(), entry)).collect()
}

fn text(index: &Index) -> Vec<u8> {
    let mut compressed = Vec::new();
    index.write_zst(1, &mut compressed).unwrap();
    zstd::decode_all(&compressed[..]).unwrap()
}

#[test]
fn everything_is_found_in_many_blocks() {
    let entries = tree(3000, |number| number.to_string());
    let index = index(&entries);
    assert!(index.blocks().list().len() > 5, "{} blocks", index.blocks().list().len());
    assert_eq!(index.len(), entries.len());
    assert_eq!(index.iter().count(), entries.len());
    for (i, (expected, found)) in entries.values().zip(index.iter()).enumerate() {
        assert_eq!(found, *expected);
        assert_eq!(index.entry(i), *expected);
        assert_eq!(index.find(&expected.path), Some(i));
        assert_eq!(index.find(&expected.path.join(TreePath::literal("x"))), None);
    }
    assert_eq!(index.children(TreePath::literal("usr")).len(), 30);
    assert_eq!(index.children(TreePath::literal("usr/0017")).len(), 100);
    assert_eq!(index.find(TreePath::literal("usr/~")), None);
    assert_eq!(
        Index::parse(text(&index)).unwrap().iter().collect::<Vec<_>>(),
        index.iter().collect::<Vec<_>>()
    );
}

#[test]
#[should_panic = "entry 2 of an index of 2 entries"]
fn there_is_no_entry_after_the_last() {
    index(&tree(0, |_| String::new())).entry(2);
}

#[test]
fn the_text_comes_back_byte_for_byte() {
    let mut entries = tree(500, |number| number.to_string());
    let with = |path: &str, entry: EntryBuf| (path.to_owned(), entry);
    let inode = EntryBuf { nlink: 2, ..file("usr/0001/a linked\nfile", "twice") };
    let target = Some(Cow::Owned(b"-".to_vec()));
    let xattrs = vec![(Cow::Borrowed(&b"user.a"[..]), Cow::Borrowed(&b"\x01\x01"[..]))];
    entries.extend([
        with("usr/0002/x", EntryBuf { xattrs, ..file("usr/0002/x", "with attributes") }),
        with("usr/0002/y", EntryBuf { size: 0, digest: Some(digest_bytes(b"")), ..file("usr/0002/y", "") }),
        with("usr/0002/z", EntryBuf { kind: Kind::Symlink, size: 1, target, ..directory("usr/0002/z") }),
        with("usr/0001/a linked\nfile", inode.clone()),
    ]);
    let mut builder = IndexBuilder::default();
    let mut writer = super::IndexWriter::default();
    let link = TreePath::literal("usr/0004/link");
    for (path, entry) in &entries {
        builder.push(entry).unwrap();
        writer.push(entry.clone());
        if path == "usr/0004/file-00000499" {
            builder.link(link, &inode).unwrap();
            let target = Some(inode.path.clone());
            writer.push(EntryBuf {
                path: Cow::Borrowed(link),
                kind: Kind::HardLink,
                link: target,
                ..inode.clone()
            });
        }
    }
    let expected = writer.finish();
    let (index, digest) = builder.finish().unwrap();
    assert_eq!(digest, Digest::compute(&expected));
    assert_eq!(text(&index), expected);
    assert_eq!(index.text_size(), expected.len() as u64);
    let mut compressed = [Vec::new(), Vec::new()];
    index.write_zst(9, &mut compressed[0]).unwrap();
    write_zst(&expected, 9, &mut compressed[1]).unwrap();
    assert_eq!(compressed[0], compressed[1]);
    let read = Index::read_zst(&compressed[0][..], &digest, index.len() as u64, 1 << 30).unwrap();
    let link = read.entry(read.find(link).unwrap());
    assert_eq!((link.kind, link.digest), (Kind::HardLink, inode.digest));
    assert_eq!(*read.inode_of(&link), inode);
    let paths = |numbers: Vec<usize>| numbers.into_iter().map(|i| read.entry(i).path.to_string()).collect();
    let links: Vec<String> = paths(read.hard_link_numbers().collect());
    assert_eq!(links, ["usr/0004/link"]);
    let twice: Vec<String> = paths(read.with_digests(|digest| Some(*digest) == inode.digest).collect());
    assert_eq!(twice, [inode.path.to_string(), "usr/0004/link".to_owned()]);
    assert_eq!(read.with_digests(|_| true).count(), 500 + 3);
}

#[test]
fn entries_out_of_order_are_refused_as_they_come() {
    let mut builder = IndexBuilder::default();
    builder.push(&directory("")).unwrap();
    builder.push(&directory("b")).unwrap();
    let error = builder.push(&directory("a")).unwrap_err();
    assert!(matches!(error, IndexError::Line { line: 3, .. }), "{error}");
}

#[test]
fn of_a_text_that_nobody_signed_only_that_is_said() {
    let wrong = b"/ 0 40755 1 0 0 0 0.0 - - -\nnonsense\n";
    let mut compressed = Vec::new();
    write_zst(wrong, 1, &mut compressed).unwrap();
    let read = |expected: &Digest| Index::read_zst(&compressed[..], expected, 2, 4096).unwrap_err();
    assert!(matches!(read(&Digest([0; 32])), IndexError::DigestMismatch { .. }));
    assert!(matches!(read(&Digest::compute(wrong)), IndexError::Line { line: 2, .. }));
}

/// Returns the bytes that the blocks of `indexes` take; a block that several have counts once.
fn held(indexes: &[&Index]) -> usize {
    let blocks = indexes.iter().flat_map(|index| index.blocks().list());
    let all: BTreeMap<_, _> = blocks.map(|block| (Arc::as_ptr(&block.block), block.block.held())).collect();
    let lists = indexes.iter().map(|index| size_of_val(index.blocks().list())).sum::<usize>();
    all.values().sum::<usize>() + lists
}

#[test]
fn a_name_takes_less_than_48_bytes() {
    let index = index(&tree(20_000, |number| number.to_string()));
    let each = held(&[&index]) as f64 / index.len() as f64;
    // The digest alone has 32.
    assert!((32.0..48.0).contains(&each), "{each:.1} bytes for each name");
    assert!(index.text_size() / index.len() as u64 > 180);
}

#[test]
fn of_two_images_what_is_equal_is_in_memory_once() {
    let of_version = |version: usize| {
        move |number: usize| {
            if number % 1000 == 7 { format!("{number} of version {version}") } else { number.to_string() }
        }
    };
    let [older, newer] = [1, 2].map(|version| index(&tree(20_000, of_version(version))));
    let (alone, both) = (held(&[&older]), held(&[&older, &newer]));
    assert!(both - alone < alone / 3, "{alone} bytes alone, {both} both");
    let same = index(&tree(20_000, of_version(1)));
    assert!(held(&[&older, &same]) - alone < alone / 50);
    assert_eq!(older.differing(&same).count(), 0);
    let differing: Vec<EntryPair> = older.differing(&newer).collect();
    assert_eq!(differing.len(), 20);
    for (number, (old, new)) in differing.into_iter().enumerate() {
        let name = format!("file-{:08}", number * 1000 + 7);
        for entry in [old, new] {
            assert_eq!(entry.unwrap().path.file_name(), Some(name.as_bytes()));
        }
    }
}

/// The pairs as they follow from the entries of both.
fn naive<'a>(
    older: &'a BTreeMap<String, EntryBuf>,
    newer: &'a BTreeMap<String, EntryBuf>,
) -> Vec<(Option<&'a Entry<'a>>, Option<&'a Entry<'a>>)> {
    let paths: BTreeSet<&String> = older.keys().chain(newer.keys()).collect();
    let pairs = paths.into_iter().map(|path| (older.get(path), newer.get(path)));
    pairs.filter(|(old, new)| old != new).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn the_differing_entries_are_all_and_only_those(
        files in 1usize..1500,
        changes in prop::collection::vec((0usize..1500, 0u8..3), 0..40),
    ) {
        let older = tree(files, |number| number.to_string());
        let mut newer = older.clone();
        for (number, change) in changes {
            let number = number % files;
            let path = format!("usr/{:04}/file-{number:08}", number / 100);
            match change {
                0 => drop(newer.remove(&path)),
                1 => drop(newer.insert(path.clone(), file(&path, &format!("{number} changed")))),
                _ => {
                    let path = format!("usr/{:04}/file-{number:08} \\ new", number / 100);
                    newer.insert(path.clone(), file(&path, "new"));
                }
            }
        }
        let (a, b) = (index(&older), index(&newer));
        let found: Vec<EntryPair> = a.differing(&b).collect();
        let found: Vec<_> = found.iter().map(|(old, new)| (old.as_ref(), new.as_ref())).collect();
        prop_assert_eq!(found, naive(&older, &newer));
        prop_assert_eq!(b.differing(&a).count(), naive(&older, &newer).len());
    }
}
