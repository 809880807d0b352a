//! Everything that a filesystem can hold comes through: the mounted image and the index are
//! compared with the tree.

mod everything;
mod sparse;

use crate::place::{EPOCH, Place};
use everything::{everything, set_mtime};
use rustix::fs::{lgetxattr, llistxattr};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use tiu_bundle::content_digest::digest_reader;
use tiu_bundle::index::{Entry, INDEX_PATH, Kind};
use tiu_system::path::TreePath;

type Xattrs = BTreeMap<Vec<u8>, Vec<u8>>;

fn xattrs(path: &Path) -> Xattrs {
    let mut names = vec![0; 65536];
    let length = llistxattr(path, names.as_mut_slice()).expect("attributes");
    let names = names[..length].split(|b| *b == 0).filter(|name| !name.is_empty());
    names
        .map(|name| {
            let mut value = vec![0; 65536];
            let length = lgetxattr(path, name, value.as_mut_slice()).expect("an attribute");
            (name.to_vec(), value[..length].to_vec())
        })
        .collect()
}

fn entry_xattrs(entry: &Entry) -> Xattrs {
    entry.xattrs.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect()
}

/// All names below `dir`, relative to it, without following links.
fn names(dir: &Path, below: &Path, out: &mut Vec<Vec<u8>>) {
    let relative = below.strip_prefix(dir).expect("below");
    out.push(relative.as_os_str().as_bytes().to_vec());
    if below.symlink_metadata().expect("metadata").is_dir() {
        for entry in fs::read_dir(below).expect("a directory") {
            names(dir, &entry.expect("an entry").path(), out);
        }
    }
}

fn all_names(dir: &Path) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    names(dir, dir, &mut all);
    all.sort();
    all
}

#[test]
fn the_index_says_what_the_tree_holds() {
    let place = Place::new();
    everything(&place.root());
    let packed = place.packed();
    let mut found: Vec<_> = packed.index.iter().map(|entry| entry.path.as_bytes().to_vec()).collect();
    found.retain(|path| !path.starts_with(b"usr/lib/sysimage"));
    assert_eq!(found, all_names(&place.root()));
    let mut first_names = BTreeMap::new();
    for entry in packed.index.iter().filter(|entry| !entry.path.as_bytes().starts_with(b"usr/lib/sysimage")) {
        let path = place.root().join(OsStr::from_bytes(entry.path.as_bytes()));
        let metadata = path.symlink_metadata().expect("metadata");
        let shown = path.display();
        assert_eq!(entry.mode, metadata.mode() & 0o7777, "{shown}");
        assert_eq!((entry.uid, entry.gid), (metadata.uid(), metadata.gid()), "{shown}");
        assert_eq!(entry_xattrs(&entry), xattrs(&path), "{shown}");
        if metadata.mtime() < EPOCH {
            assert_eq!(
                (entry.mtime.sec, i64::from(entry.mtime.nsec)),
                (metadata.mtime(), metadata.mtime_nsec()),
                "{shown}"
            );
        } else {
            assert_eq!((entry.mtime.sec, entry.mtime.nsec), (EPOCH, 0), "{shown}");
        }
        if entry.kind == Kind::Dir {
            assert!(metadata.is_dir(), "{shown}");
            continue;
        }
        assert_eq!(u64::from(entry.nlink), metadata.nlink(), "{shown}");
        assert_eq!(entry.size, metadata.size(), "{shown}");
        // Names come in byte order: the first of each inode is its entry, the others name it.
        match first_names.get(&metadata.ino()) {
            None => {
                assert_eq!(Some(entry.kind), Kind::from_mode(metadata.mode()), "{shown}");
                first_names.insert(metadata.ino(), entry.path.as_bytes().to_vec());
            }
            Some(first) => {
                assert_eq!(entry.kind, Kind::HardLink, "{shown}");
                assert_eq!(entry.link.as_deref().map(TreePath::as_bytes), Some(first.as_slice()), "{shown}");
                continue;
            }
        }
        match entry.kind {
            Kind::File => {
                let content = File::open(&path).expect("a file");
                assert_eq!(entry.digest, Some(digest_reader(content).expect("content").0), "{shown}");
            }
            Kind::Symlink => {
                let target = fs::read_link(&path).expect("a link");
                assert_eq!(entry.target.as_deref(), Some(target.as_os_str().as_bytes()), "{shown}");
            }
            Kind::CharDev | Kind::BlockDev => assert_eq!(entry.rdev, metadata.rdev(), "{shown}"),
            _ => {}
        }
    }
    assert_eq!(packed.index.len() as u64, packed.bundle.manifest.tiu.files);
    assert_eq!(packed.index.content_size(), packed.bundle.manifest.tiu.size);
}

#[test]
fn the_mounted_image_is_what_the_index_says() {
    let place = Place::new();
    everything(&place.root());
    let packed = place.packed();
    let mounted = packed.mount.path();
    let mut expected: Vec<_> = packed
        .index
        .iter()
        .filter(|entry| !entry.path.as_bytes().starts_with(b"usr/all/socket"))
        .map(|entry| entry.path.as_bytes().to_vec())
        .collect();
    expected.push(INDEX_PATH.as_bytes().to_vec());
    expected.sort();
    assert_eq!(all_names(mounted), expected);
    let mut inodes = BTreeMap::new();
    for entry in packed.index.iter().filter(|entry| !entry.path.as_bytes().starts_with(b"usr/all/socket")) {
        let path = mounted.join(OsStr::from_bytes(entry.path.as_bytes()));
        let metadata = path.symlink_metadata().expect("metadata");
        let shown = path.display();
        assert_eq!((metadata.uid(), metadata.gid()), (entry.uid, entry.gid), "{shown}");
        if metadata.is_symlink() {
            // Linux has no modes for links.
        } else {
            assert_eq!(metadata.mode() & 0o7777, entry.mode, "{shown}");
        }
        // Squashfs has unsigned seconds of 32 bits; the index has the rest.
        assert_eq!(metadata.mtime(), entry.mtime.sec.clamp(0, i64::from(u32::MAX)), "{shown}");
        let mut carried = entry_xattrs(&entry);
        carried.retain(|name, _| !name.starts_with(b"system.") && !name.contains(&b'='));
        assert_eq!(xattrs(&path), carried, "{shown}");
        if entry.kind != Kind::Dir {
            assert_eq!(metadata.nlink(), u64::from(entry.nlink), "{shown}");
        }
        match entry.kind {
            Kind::File => {
                assert_eq!(metadata.size(), entry.size, "{shown}");
                let content = File::open(&path).expect("a file");
                assert_eq!(Some(digest_reader(content).expect("content").0), entry.digest, "{shown}");
            }
            Kind::Symlink => {
                let target = fs::read_link(&path).expect("a link");
                assert_eq!(Some(target.as_os_str().as_bytes()), entry.target.as_deref(), "{shown}");
            }
            Kind::CharDev | Kind::BlockDev => assert_eq!(metadata.rdev(), entry.rdev, "{shown}"),
            Kind::HardLink => {
                let target = entry.link.as_deref().expect("a target").as_bytes();
                assert_eq!(inodes.get(target), Some(&metadata.ino()), "{shown}");
            }
            _ => {}
        }
        if entry.kind != Kind::HardLink {
            assert_eq!(Kind::from_mode(metadata.mode()), Some(entry.kind), "{shown}");
            inodes.insert(entry.path.as_bytes().to_vec(), metadata.ino());
        }
    }
}

#[test]
fn the_tree_is_not_changed() {
    let place = Place::new();
    everything(&place.root());
    let state = || {
        let root = place.root();
        let names = all_names(&root);
        names
            .into_iter()
            .map(|path| {
                let m = root.join(OsStr::from_bytes(&path)).symlink_metadata().expect("metadata");
                (path, m.ino(), m.mode(), m.size(), (m.mtime(), m.mtime_nsec()), (m.ctime(), m.ctime_nsec()))
            })
            .collect::<Vec<_>>()
    };
    // Access times that would be renewed by any read, if not for O_NOATIME.
    let probe = place.root().join("usr/all/size-4096");
    set_mtime(&probe, 1_500_000_000, 0);
    let before = (state(), probe.metadata().expect("metadata").atime());
    place.pack("bundle.tiu").succeeded();
    assert_eq!((state(), probe.metadata().expect("metadata").atime()), before);
}

#[test]
fn every_compressor_and_block_size() {
    let place = Place::new();
    for (compressor, more) in [
        ("zstd", "level: 3, block-size: 1048576"),
        ("xz", "level: 0"),
        ("gzip", "level: 1, block-size: 4096"),
        ("lz4", "block-size: 65536"),
    ] {
        place.recipe(&format!("compression: {{compressor: {compressor}, {more}}}\n"));
        let packed = place.packed();
        let original = fs::read(place.root().join("usr/share/partly")).expect("a file");
        let found = fs::read(packed.mount.path().join("usr/share/partly")).expect("a file");
        assert!(found == original, "{compressor}");
    }
}
