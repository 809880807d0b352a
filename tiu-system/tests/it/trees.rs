//! Searches in trees, by their numbers.

use super::run;
use std::fs::{self, File};
use std::os::fd::AsFd;
use tiu_system::btrfs::{self, Subvolume, TreeKey};
use tiu_system::ioctl;
use tiu_testing::btrfs::LoopBtrfs;

/// `BTRFS_QUOTA_TREE_OBJECTID` and `BTRFS_QGROUP_RELATION_KEY` of `<linux/btrfs_tree.h>`.
const QUOTA_TREE: u64 = 8;
const RELATION: u8 = 246;

#[test]
fn relations_of_qgroups_are_in_the_tree_of_quotas() {
    let fs = LoopBtrfs::new(256);
    let path = fs.path();
    fs.subvolume("a");
    let open = File::open(&path).unwrap();
    let key = |object, offset| TreeKey { object, kind: RELATION, offset };
    let relations = || {
        let mut found = Vec::new();
        btrfs::visit(open.as_fd(), QUOTA_TREE, key(0, 0), key(u64::MAX, u64::MAX), 0, |item| {
            if item.key.kind == RELATION {
                found.push((item.key.object, item.key.offset));
            }
            Ok(())
        })?;
        std::io::Result::Ok(found)
    };
    let error = relations().unwrap_err();
    assert_eq!(error.raw_os_error(), Some(2), "without quotas there is no tree: {error}");
    run("btrfs", &["quota".as_ref(), "enable".as_ref(), path.as_ref()]);
    assert_eq!(relations().unwrap(), []);
    run("btrfs", &["qgroup".as_ref(), "create".as_ref(), "1/7".as_ref(), path.as_ref()]);
    run("btrfs", &["qgroup".as_ref(), "assign".as_ref(), "0/256".as_ref(), "1/7".as_ref(), path.as_ref()]);
    run("btrfs", &["filesystem".as_ref(), "sync".as_ref(), path.as_ref()]);
    let parent = (1 << 48) | 7;
    assert_eq!(relations().unwrap(), [(256, parent), (parent, 256)], "from both sides");
}

#[test]
fn items_of_many_buffers_come_once_and_in_order() {
    let fs = LoopBtrfs::new(256);
    let dir = fs.subvolume("a");
    let long = "n".repeat(200);
    for i in 0..1000 {
        fs::write(dir.join(format!("{i:04}{long}")), "").unwrap();
    }
    let open = File::open(&dir).unwrap();
    let subvolume = Subvolume::open(open.as_fd()).unwrap().unwrap();
    subvolume.sync().unwrap();
    let all = |tree| {
        let mut keys = Vec::new();
        let mut bytes = 0;
        let first = TreeKey { object: 256, kind: 0, offset: 0 };
        let last = TreeKey { object: u64::MAX, kind: u8::MAX, offset: u64::MAX };
        btrfs::visit(open.as_fd(), tree, first, last, 0, |item| {
            bytes += item.data.len();
            keys.push(item.key);
            Ok(())
        })
        .unwrap();
        (keys, bytes)
    };
    let (keys, bytes) = all(0);
    assert!(bytes > (3 * 128) << 10, "{bytes} bytes do not fill several buffers");
    assert!(keys.is_sorted_by(|a, b| a < b));
    assert_eq!(keys.iter().filter(|key| key.kind == 1).count(), 1001, "an inode each, and the root");
    let facts = subvolume.facts().unwrap();
    assert_eq!(all(facts.tree).0, keys, "by its number");
    assert_eq!(facts, ioctl::subvolume_facts(open.as_fd()).unwrap());
}

#[test]
fn a_snapshot_names_its_origin() {
    let fs = LoopBtrfs::new(256);
    let dir = fs.subvolume("a");
    rustix::fs::syncfs(File::open(&dir).unwrap()).unwrap();
    let copy = fs.snapshot(&dir, "b");
    let facts = |path| {
        let open = File::open(path).unwrap();
        Subvolume::open(open.as_fd()).unwrap().unwrap().facts().unwrap()
    };
    let (origin, copy) = (facts(&dir), facts(&copy));
    assert_eq!(origin.parent_uuid, None);
    assert_eq!(copy.parent_uuid.as_deref(), Some(&origin.uuid[..]));
    let listed = run("btrfs", &["subvolume".as_ref(), "show".as_ref(), dir.as_ref()]);
    assert!(listed.contains(&origin.uuid), "{listed}");
    assert!(origin.created < copy.created, "{origin:?} {copy:?}");
    assert!(copy.created <= copy.generation, "{copy:?}");
}

#[test]
fn a_directory_that_is_not_the_root_of_a_subvolume() {
    let fs = LoopBtrfs::new(256);
    let dir = fs.subvolume("a");
    fs::create_dir(dir.join("b")).unwrap();
    let open = File::open(dir.join("b")).unwrap();
    assert!(Subvolume::open(open.as_fd()).unwrap().is_none());
}

#[test]
fn a_search_needs_root() {
    let fs = LoopBtrfs::new(256);
    let open = File::open(fs.path()).unwrap();
    let result = std::thread::spawn(move || {
        use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};
        let none = CapabilitySet::empty();
        let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
        set_capabilities(None, sets).unwrap();
        let subvolume = Subvolume::open(open.as_fd()).unwrap().unwrap();
        // Without it, the facts are still known.
        assert_eq!(subvolume.facts().unwrap().tree, 5);
        subvolume.changes_since(0).map(|_| ()).unwrap_err().raw_os_error()
    });
    assert_eq!(result.join().unwrap(), Some(1));
}

#[test]
fn a_block_that_cannot_be_read_is_counted() {
    const MARK: &str = "a block of this file will not be what its checksum says";
    let mut fs = LoopBtrfs::new(256);
    let content = [MARK.as_bytes(), &tiu_testing::tree::noise(1, 40_000)].concat();
    fs::write(fs.subvolume("a").join("file"), content).unwrap();
    let errors = |fs: &LoopBtrfs| {
        let open = File::open(fs.path().join("a")).unwrap();
        Subvolume::open(open.as_fd()).unwrap().unwrap().device_errors().unwrap()
    };
    assert_eq!(errors(&fs), [1, 0, 0, 0, 0, 0], "one device without errors");
    fs.unmounted(|disk| assert!(tiu_testing::damage::damage_content(disk, MARK) > 0));
    assert_eq!(errors(&fs), [1, 0, 0, 0, 0, 0], "nobody has read it");
    assert!(fs::read(fs.path().join("a/file")).is_err());
    let found = errors(&fs);
    assert!(found[4] > 0, "no wrong checksum was counted: {found:?}");
    // The counters are written with the next transaction.
    fs::write(fs.path().join("a/other"), "x").unwrap();
    fs.unmounted(|_| ());
    assert_eq!(errors(&fs), found, "they outlast mounts");
}
