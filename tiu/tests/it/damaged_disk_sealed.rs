//! A disk that no longer returns what was written, under updates that rely on what the filesystem
//! proves: damage is healed by the first update after something has read it, and no damage stops
//! updates for good.

use super::damaged_disk::{MANY, MARK, apply, large, many, with_damaged_blocks, with_damaged_leaf};
use super::sealed::rely_on_proofs;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};
use tiu_testing::damage::Leaf;
use tiu_testing::host::LoopHost;
use tiu_testing::kit::Kit;
use tiu_testing::tree;

/// An image of which only one small file differs from version to version.
fn image(kit: &Kit, version: u32) -> PathBuf {
    kit.bundle(version, |root| {
        tree::file(root, "usr/lib/same", large(MARK));
        // Else its time would differ.
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000);
        fs::File::open(root.join("usr/lib/same")).unwrap().set_modified(time).unwrap();
        tree::file(root, "usr/bin/tool", format!("{version}"));
    })
}

#[test]
fn damage_that_a_run_meets_after_it_has_planned() {
    let kit = Kit::new();
    let host = kit.host_with(1024, rely_on_proofs);
    let image = |version: u32| kit.bundle(version, |root| tree::file(root, "usr/lib/same", large(MARK)));
    apply(&host, &image(1));
    let scratch = tempfile::tempdir().unwrap();
    let host = with_damaged_blocks(host, scratch.path());
    // Only the time of the file differs, so the plan does not read it. The check does, because
    // programs of the image ran.
    std::thread::sleep(Duration::from_millis(20));
    let applied = apply(&host, &image(2));
    assert!(applied["warnings"].to_string().contains("a first attempt failed"), "{applied}");
    assert_eq!(host.snapshots(), [1, 2, 3]);
    host.tiu("verify", ["3"]).succeeded();
}

#[test]
fn damage_of_content_that_something_has_read() {
    let kit = Kit::new();
    let host = kit.host_with(1024, rely_on_proofs);
    let [first, second, third] = [1, 2, 3].map(|version| image(&kit, version));
    apply(&host, &first);
    let scratch = tempfile::tempdir().unwrap();
    let host = with_damaged_blocks(host, scratch.path());
    // Nobody has read it, so nobody knows.
    apply(&host, &second);
    let same = host.snapshot(3).join("usr/lib/same");
    assert_eq!(fs::read(&same).unwrap_err().raw_os_error(), Some(5), "the block is not damaged");
    // From now on btrfs has counted an error.
    let applied = apply(&host, &third);
    assert!(applied["warnings"].to_string().contains("cannot read"), "{applied}");
    host.tiu("verify", ["4"]).succeeded();
    assert_eq!(fs::read(host.snapshot(4).join("usr/lib/same")).unwrap(), large(MARK));
}

#[test]
fn damage_of_content_heals_on_request() {
    let kit = Kit::new();
    let host = kit.host_with(1024, rely_on_proofs);
    apply(&host, &image(&kit, 1));
    let scratch = tempfile::tempdir().unwrap();
    let host = with_damaged_blocks(host, scratch.path());
    host.tiu("apply", ["--full".as_ref(), image(&kit, 2).as_os_str()]).succeeded();
    host.tiu("verify", ["3"]).succeeded();
}

/// Asserts that a host with the damaged leaf has a snapshot that is what was signed after two
/// updates at most, of which the first may end with a filesystem that is read-only until the next
/// boot.
fn metadata_heals(chosen: impl Fn(u64, &Leaf) -> bool) {
    let kit = Kit::new();
    let host = kit.host_with(1024, rely_on_proofs);
    apply(&host, &many(&kit, 1));
    let scratch = tempfile::tempdir().unwrap();
    let mut host = with_damaged_leaf(host, scratch.path(), 2, chosen);
    let new_name = |version: u32| {
        kit.bundle(version, |root| {
            tree::file(root, "usr/bin/tool", format!("{version}"));
            for i in 0..600 {
                let path = format!("{MANY}/{i:03}-{}", "x".repeat(100));
                tree::file(root, &path, tree::noise(i, 500));
                let value = tree::noise(i + 1000, 500);
                let name = root.join(&path);
                rustix::fs::setxattr(&name, "user.large", &value, rustix::fs::XattrFlags::empty()).unwrap();
            }
            tree::file(root, &format!("{MANY}/{version}"), "new");
        })
    };
    let first = host.tiu("apply", [new_name(2)]);
    if first.code != Some(0) {
        assert_eq!(host.default(), 2, "{first:?}");
        host = booted_again(host, scratch.path());
    }
    // Whatever reads the tree meets the damage, if it is still there.
    let _ = host.tiu("verify", [host.default().to_string()]);
    let applied = apply(&host, &new_name(3));
    host.tiu("verify", [host.default().to_string()]).succeeded();
    assert_eq!(applied["snapshot"], host.default());
    rustix::fs::syncfs(fs::File::open(host.root()).unwrap()).unwrap();
    host.edit(host.default(), |root| fs::write(root.join("still-writable"), "x").unwrap());
}

fn booted_again(mut host: LoopHost, parent: &std::path::Path) -> LoopHost {
    host.shut_down();
    host.copy(parent)
}

#[test]
fn inodes_that_cannot_be_read() {
    metadata_heals(|directory, leaf| {
        !leaf.inodes().contains(&directory) && leaf.items.iter().any(|(_, kind)| kind == "INODE_ITEM")
    });
}

#[test]
fn a_directory_that_cannot_be_listed() {
    metadata_heals(|directory, leaf| leaf.has(directory, "DIR_INDEX"));
}

#[test]
fn names_that_cannot_be_looked_up() {
    metadata_heals(|directory, leaf| {
        leaf.has(directory, "DIR_ITEM")
            && !leaf.has(directory, "DIR_INDEX")
            && !leaf.has(directory, "INODE_ITEM")
    });
}
