//! The same tree, recipe and SOURCE_DATE_EPOCH produce the same bytes up to the signature.

use crate::place::{EPOCH, Place, program, run};
use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::process::Command;
use tiu_bundle::bundle::cms_offset;
use tiu_bundle::read_at::FileSource;
use tiu_testing::program::outcome;
use tiu_testing::tree::noise;

/// Returns the signed part and everything before it.
fn unsigned_part(place: &Place, name: &str) -> Vec<u8> {
    let file = fs::File::open(place.path(name)).expect("the bundle");
    let offset = cms_offset(&FileSource::new(file).expect("the bundle")).expect("a trailer");
    let mut bytes = fs::read(place.path(name)).expect("the bundle");
    bytes.truncate(offset as usize);
    bytes
}

fn pack_with(place: &Place, out: &str, more: &[&str]) -> Vec<u8> {
    let mut arguments = place.pack_arguments(out);
    arguments.extend(more.iter().map(|argument| (*argument).to_owned()));
    run(arguments).succeeded();
    unsigned_part(place, out)
}

/// Enough files that threads finish in another order every time.
fn fill(place: &Place) {
    for i in 0..300u64 {
        place.file(&format!("usr/data/{}/{i}", i % 7), noise(i, (i * i) as usize));
    }
    place.file("var/lib/state", "x");
    for i in 0..3 {
        fs::hard_link(place.root().join("usr/data/1/1"), place.root().join(format!("usr/data/2/link-{i}")))
            .expect("a hard link");
    }
}

/// Copies a tree last name first: directories list it in another order, and an inode's first name
/// is another one.
fn copy_backwards(from: &Path, to: &Path) {
    let find = outcome(Command::new("find").arg(from).args(["-printf", "%P\\n"])).succeeded();
    let mut names: Vec<_> = find.stdout.lines().map(str::to_owned).collect();
    names.sort();
    names.reverse();
    let mut inodes = HashMap::new();
    for name in &names {
        let (old, new) = (from.join(name), to.join(name));
        let metadata = old.symlink_metadata().expect("metadata");
        fs::create_dir_all(new.parent().expect("a parent")).expect("a directory");
        if metadata.is_dir() {
            fs::create_dir_all(&new).expect("a directory");
        } else if metadata.is_symlink() {
            symlink(fs::read_link(&old).expect("a link"), &new).expect("a link");
        } else if let Some(first) = inodes.insert(metadata.ino(), new.clone()) {
            fs::hard_link(first, &new).expect("a hard link");
        } else {
            fs::copy(&old, &new).expect("a copy");
        }
    }
    // Children before their directories, so that the times stay.
    for name in &names {
        let touch = |old: &Path, new: &Path| {
            outcome(Command::new("touch").arg("--no-dereference").arg("--reference").args([old, new]))
                .succeeded();
        };
        touch(&from.join(name), &to.join(name));
    }
}

#[test]
fn any_number_of_threads() {
    let place = Place::new();
    fill(&place);
    let one = pack_with(&place, "1.tiu", &["--threads=1"]);
    for threads in ["--threads=2", "--threads=4", "--threads=7"] {
        assert!(pack_with(&place, "n.tiu", &[threads]) == one, "{threads} gives other bytes");
    }
}

#[test]
fn any_order_of_the_directory_and_any_inodes() {
    let place = Place::new();
    fill(&place);
    let first = pack_with(&place, "first.tiu", &[]);
    let copy = place.path("copy");
    copy_backwards(&place.root(), &copy);
    fs::rename(place.root(), place.path("old")).expect("a rename");
    fs::rename(&copy, place.root()).expect("a rename");
    assert!(pack_with(&place, "second.tiu", &[]) == first, "the copy gives other bytes");
}

#[test]
fn another_time_of_the_build_gives_the_same_bytes() {
    let place = Place::new();
    let first = pack_with(&place, "first.tiu", &[]);
    // Times later than SOURCE_DATE_EPOCH are what differs between two builds.
    outcome(Command::new("find").arg(place.root()).args(["-exec", "touch", "--no-dereference", "{}", "+"]))
        .succeeded();
    assert!(pack_with(&place, "second.tiu", &[]) == first, "touched files give other bytes");
}

#[test]
fn a_byte_more_gives_another_root_hash_and_salt() {
    let place = Place::new();
    let first = place.packed();
    place.file("usr/share/same", "other");
    let second = place.packed();
    assert_ne!(first.bundle.manifest.verity_hash, second.bundle.manifest.verity_hash);
    assert_ne!(first.bundle.manifest.verity_salt, second.bundle.manifest.verity_salt);
}

#[test]
fn the_time_is_source_date_epoch() {
    let place = Place::new();
    let packed = place.packed();
    assert_eq!(packed.bundle.manifest.tiu.created, "2023-11-14T22:13:20Z");
    let superblock = fs::read(place.path("bundle.tiu")).expect("the bundle");
    let time = superblock.get(8..12).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
    assert_eq!(time.map(i64::from), Some(EPOCH));
    outcome(program().env("SOURCE_DATE_EPOCH", "tomorrow").args(place.pack_arguments("x.tiu"))).refused(&[
        "SOURCE_DATE_EPOCH",
        "tomorrow",
        "date +%s",
    ]);
}
