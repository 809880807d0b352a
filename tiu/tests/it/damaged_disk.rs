//! A disk that no longer returns what was written: an update heals what is the image's, and names
//! what is the host's.

use serde_json::Value;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use tiu_testing::damage::{self, Leaf};
use tiu_testing::host::LoopHost;
use tiu_testing::kit::Kit;
use tiu_testing::program::json;
use tiu_testing::tree;

pub fn apply(host: &LoopHost, bundle: &Path) -> Value {
    json(&host.tiu("apply", ["--json".as_ref(), bundle.as_os_str()]).succeeded())
}

/// Two images that differ in one file.
fn two_images(kit: &Kit) -> [PathBuf; 2] {
    [1, 2].map(|version| kit.bundle(version, |root| tree::file(root, "usr/bin/tool", format!("{version}"))))
}

/// Text that is nowhere else on the disk. Files with it are too large to lie in the metadata.
pub const MARK: &str = "a block of this file will not be what its checksum says";

pub fn large(text: &str) -> Vec<u8> {
    let mut content = text.as_bytes().to_vec();
    content.extend(tree::noise(9, 40_000));
    content
}

/// Changes a byte after each [`MARK`] on the disk, behind the back of the filesystem, and returns
/// the host after a boot.
pub fn with_damaged_blocks(mut host: LoopHost, parent: &Path) -> LoopHost {
    host.shut_down();
    let count = damage::damage_content(&host.disk(), MARK);
    assert!(count > 0, "the content is not on the disk");
    host.copy(parent)
}

#[test]
fn an_unreadable_block_in_the_base_is_written_anew() {
    let kit = Kit::new();
    let host = kit.host();
    let image = |version: u32| {
        kit.bundle(version, |root| {
            tree::file(root, "usr/lib/same", large(MARK));
            tree::file(root, "usr/lib/changed", large(&format!("{MARK}{}", "x".repeat(version as usize))));
            tree::file(root, "usr/lib/fine", large("fine"));
        })
    };
    let [first, second] = [1, 2].map(image);
    apply(&host, &first);
    let scratch = tempfile::tempdir().unwrap();
    let host = with_damaged_blocks(host, scratch.path());
    let broken = host.snapshot(2).join("usr/lib/same");
    assert_eq!(fs::read(&broken).unwrap_err().raw_os_error(), Some(5), "the block is not damaged");

    // Verify names it and compares the rest.
    host.edit(2, |root| fs::write(root.join("usr/lib/extra"), "x").unwrap());
    let verified = host.tiu("verify", ["2"]).refused(&[]);
    assert!(verified.stdout.contains("/usr/lib/same: unreadable"), "{}", verified.stdout);
    assert!(verified.stdout.contains("/usr/lib/changed: unreadable"), "{}", verified.stdout);
    assert!(verified.stdout.contains("/usr/lib/extra: extra"), "{}", verified.stdout);
    host.tiu("status", [""; 0]).succeeded();

    host.tiu("apply", ["--dry-run".as_ref(), second.as_os_str()]).succeeded();
    apply(&host, &second);
    host.tiu("verify", ["3"]).succeeded();
    assert_eq!(fs::read(host.snapshot(3).join("usr/lib/same")).unwrap(), large(MARK));
    // The same image again heals as well.
    host.tiu("apply", ["--force".as_ref(), second.as_os_str()]).succeeded();
}

#[test]
fn an_unreadable_file_of_the_administrator_is_named() {
    let kit = Kit::new();
    let host = kit.host();
    let [first, second] = two_images(&kit);
    apply(&host, &first);
    host.edit(2, |root| tree::file(root, "etc/own", large(MARK)));
    let scratch = tempfile::tempdir().unwrap();
    let host = with_damaged_blocks(host, scratch.path());
    let before = host.snapshots();
    host.tiu("apply", [second.as_os_str()])
        .refused(&["own, which belongs to the host", "restore it from a backup"]);
    assert_eq!(host.snapshots(), before);
    // The other commands go on, and an image's own file can be reset.
    let verified = host.tiu("verify", ["2"]);
    assert!(verified.stdout.contains("/etc/own"), "{}{}", verified.stdout, verified.stderr);
    host.tiu("etc", ["diff"]).succeeded();
    // The hint helps.
    host.edit(2, |root| fs::remove_file(root.join("etc/own")).unwrap());
    apply(&host, &second);
}

/// The directory of the image whose metadata the tests damage: so large that blocks of metadata
/// hold nothing else.
pub const MANY: &str = "usr/share/many";
const FILES: u64 = 600;

/// An image with many small files, symlinks and large attributes in [`MANY`].
pub fn many(kit: &Kit, version: u32) -> PathBuf {
    kit.bundle(version, |root| {
        tree::file(root, "usr/bin/tool", format!("{version}"));
        for i in 0..FILES {
            let path = root.join(MANY).join(format!("{i:03}-{}", "x".repeat(100)));
            tree::file(root, path.strip_prefix(root).unwrap().to_str().unwrap(), tree::noise(i, 500));
            let value = tree::noise(i + 1000, 500);
            rustix::fs::setxattr(&path, "user.large", &value, rustix::fs::XattrFlags::empty()).unwrap();
        }
    })
}

/// Damages the first leaf of snapshot `number` that `chosen` accepts, and returns the host after a
/// boot. Leaves with items of other inodes than those in [`MANY`], and it, are not offered.
pub fn with_damaged_leaf(
    mut host: LoopHost,
    parent: &Path,
    number: u32,
    chosen: impl Fn(u64, &Leaf) -> bool,
) -> LoopHost {
    let many = host.snapshot(number).join(MANY);
    let id = libbtrfsutil::subvolume_id(host.snapshot(number)).unwrap();
    let directory = fs::metadata(&many).unwrap().ino();
    let files = fs::read_dir(&many).unwrap().map(|entry| entry.unwrap().metadata().unwrap().ino());
    let known: Vec<u64> = files.chain([directory]).collect();
    host.shut_down();
    let leaves = damage::leaves(&host.disk(), id);
    let leaf = leaves
        .iter()
        .find(|leaf| leaf.inodes().iter().all(|inode| known.contains(inode)) && chosen(directory, leaf))
        .expect("a leaf with nothing else");
    damage::damage(&host.disk(), leaf);
    host.copy(parent)
}

/// Applies an image, damages a leaf of its snapshot, and asserts that the damage shows as `shown`,
/// and that an update makes a snapshot that is what was signed, on a filesystem that is still
/// writable.
fn an_update_heals_metadata(shown: &str, chosen: impl Fn(u64, &Leaf) -> bool) {
    let kit = Kit::new();
    let host = kit.host_with(1024, |_| {});
    apply(&host, &many(&kit, 1));
    host.edit(2, |root| {
        tree::file(root, "etc/own", "own");
        fs::hard_link(root.join("etc/own"), root.join("etc/own-too")).unwrap();
    });
    let scratch = tempfile::tempdir().unwrap();
    let host = with_damaged_leaf(host, scratch.path(), 2, chosen);

    let verified = host.tiu("verify", ["2"]).refused(&[]);
    let named = verified.stdout.lines().any(|line| line.contains(MANY) && line.contains(shown));
    assert!(named, "{}{}", verified.stdout, verified.stderr);
    assert!(!verified.stdout.contains("missing"), "{}", verified.stdout);
    host.tiu("status", [""; 0]).succeeded();

    let second = many(&kit, 2);
    let dry = host.tiu("apply", ["--dry-run".as_ref(), second.as_os_str()]).succeeded();
    assert!(dry.stdout.contains("cannot read"), "{}", dry.stdout);
    let applied = apply(&host, &second);
    assert!(applied["warnings"].to_string().contains("is not a copy"), "{applied}");
    assert!(applied["summary"]["bytes_shared"].as_u64() > Some(0), "{applied}");
    host.tiu("verify", ["3"]).succeeded();
    let new = host.snapshot(3);
    assert_eq!(fs::read(new.join("etc/own")).unwrap(), b"own");
    assert_eq!(fs::metadata(new.join("etc/own")).unwrap().nlink(), 2);
    // The next update has a healthy base, and the damaged snapshot can go.
    let third = kit.bundle(3, |_| {});
    let applied = apply(&host, &third);
    assert!(!applied["warnings"].to_string().contains("cannot read"), "{applied}");
    rustix::fs::syncfs(fs::File::open(host.root()).unwrap()).unwrap();
    host.edit(4, |root| fs::write(root.join("still-writable"), "x").unwrap());
}

#[test]
fn inodes_that_cannot_be_read_are_written_anew() {
    an_update_heals_metadata("unreadable", |directory, leaf| {
        !leaf.inodes().contains(&directory) && leaf.items.iter().any(|(_, kind)| kind == "INODE_ITEM")
    });
}

#[test]
fn a_directory_that_cannot_be_listed_is_written_anew() {
    an_update_heals_metadata("names: ", |directory, leaf| leaf.has(directory, "DIR_INDEX"));
}

#[test]
fn names_that_cannot_be_looked_up_are_written_anew() {
    an_update_heals_metadata("inode: ", |directory, leaf| {
        leaf.has(directory, "DIR_ITEM")
            && !leaf.has(directory, "DIR_INDEX")
            && !leaf.has(directory, "INODE_ITEM")
    });
}

#[test]
fn a_change_of_etc_in_a_copy_of_damaged_metadata_is_refused_until_an_update_heals_it() {
    let kit = Kit::new();
    let host = kit.host_with(1024, |_| {});
    apply(&host, &many(&kit, 1));
    host.edit(2, |root| tree::file(root, "etc/app.conf", "mine\n"));
    let scratch = tempfile::tempdir().unwrap();
    let host = with_damaged_leaf(host, scratch.path(), 2, |directory, leaf| leaf.has(directory, "DIR_INDEX"));
    let needles = ["snapshot 2 cannot be changed safely", MANY, "tiu apply BUNDLE"];
    for options in [&["reset", "--dry-run", "/etc/app.conf"][..], &["reset", "/etc/app.conf"]] {
        host.tiu("etc", options).refused(&needles);
    }
    assert_eq!(host.snapshots(), [1, 2]);
    // The hint helps, and the filesystem is still writable.
    host.tiu("apply", ["--force".as_ref(), many(&kit, 1).as_os_str()]).succeeded();
    host.tiu("etc", ["reset", "/etc/app.conf"]).succeeded();
    assert_eq!(fs::read(host.snapshot(4).join("etc/app.conf")).unwrap(), b"colour=blue\n");
}
