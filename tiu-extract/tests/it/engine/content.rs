//! Content: sizes at every edge, holes, and what is shared instead of written.

use super::model::{MemoryImage, Model, NodeKind};
use super::run::{Options, apply, apply_image, apply_with};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use tiu_extract::{EngineError, Reflink, Rules};
use tiu_testing::btrfs::LoopBtrfs;
use tiu_testing::tree::noise;

/// Bytes of `path` that no other file shares.
fn exclusive(path: &Path) -> u64 {
    assert!(Command::new("sync").arg("-f").arg(path).status().unwrap().success());
    let output = Command::new("btrfs").args(["filesystem", "du", "--raw", "-s"]).arg(path).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().nth(1).unwrap().split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn apply_pieces(model: &Model, dir: &Path, piece: usize) {
    let image = MemoryImage { piece, ..model.image() };
    apply_image(model, &image, dir, &Options::default()).unwrap();
}

#[test]
fn every_size_from_every_size() {
    let sizes =
        [0, 1, 2047, 2048, 2049, 4095, 4096, 4097, 8192, 12_287, 262_143, 262_144, 262_145, 1_000_000];
    let fs = LoopBtrfs::new(512);
    let dir = fs.subvolume("t");
    let mut model = Model::new();
    for from in sizes {
        for to in sizes {
            model.file(format!("{from}-{to}"), noise(1, from));
        }
    }
    apply_pieces(&model, &dir, 5000);
    model.assert_is(&dir);
    for from in sizes {
        for to in sizes {
            // The same beginning, one changed byte in the middle, another end.
            let mut content = noise(1, to);
            if to > 2 {
                content[to / 2] ^= 1;
            }
            model.get(&format!("{from}-{to}")).what = NodeKind::File(content);
        }
    }
    apply_pieces(&model, &dir, 777);
    model.assert_is(&dir);
}

#[test]
fn blocks_that_stay_are_shared_with_the_snapshot() {
    let fs = LoopBtrfs::new(512);
    let base = fs.subvolume("base");
    let mut model = Model::new();
    let mut content = noise(1, 4_000_001);
    model.file("file", &content);
    model.file("same", noise(2, 4_000_000));
    apply(&model, &base);
    let target = fs.snapshot(&base, "target");
    content[2_000_000] ^= 1;
    model.get("file").what = NodeKind::File(content.clone());
    let outcome = apply(&model, &target);
    model.assert_is(&target);
    assert_eq!(outcome.summary.bytes_written, 4096);
    assert_eq!(outcome.summary.bytes_shared, 4_000_001 - 4096);
    assert_eq!(exclusive(&target.join("file")), 4096);
    assert_eq!(exclusive(&target.join("same")), 0);

    // Longer, and with a changed end: the last block, which is not whole, cannot be shared.
    let target = fs.snapshot(&base, "longer");
    content.extend_from_slice(&noise(3, 10_000));
    model.get("file").what = NodeKind::File(content);
    let outcome = apply(&model, &target);
    model.assert_is(&target);
    assert_eq!(outcome.summary.bytes_shared, 3_997_696 - 4096);
    assert_eq!(exclusive(&target.join("file")), 4096 + 16_384);
}

#[test]
fn renamed_files_are_shared() {
    let fs = LoopBtrfs::new(512);
    let base = fs.subvolume("base");
    let mut before = Model::new();
    let mut after = Model::new();
    for i in 0..20u32 {
        before.file(format!("usr/lib/modules/6.1.0-1/kernel/{i}.ko"), noise(i.into(), 100_000));
        after.file(format!("usr/lib/modules/6.1.0-2/kernel/{i}.ko"), noise(i.into(), 100_000));
    }
    apply(&before, &base);
    let target = fs.snapshot(&base, "target");
    let outcome = apply(&after, &target);
    after.assert_is(&target);
    assert_eq!(outcome.read, Vec::<String>::new());
    assert_eq!(outcome.summary.reflinked, 20);
    assert_eq!(exclusive(&target.join("usr/lib/modules/6.1.0-2/kernel/7.ko")), 0);
}

#[test]
fn content_moves_in_a_circle() {
    let fs = LoopBtrfs::new(512);
    let dir = fs.subvolume("t");
    let mut before = Model::new();
    let mut after = Model::new();
    for i in 0..10u32 {
        before.file(format!("log.{i}"), noise(i.into(), 50_000));
        after.file(format!("log.{}", (i + 1) % 10), noise(i.into(), 50_000));
    }
    apply(&before, &dir);
    let outcome = apply(&after, &dir);
    after.assert_is(&dir);
    assert_eq!(outcome.read, Vec::<String>::new());
    assert_eq!(outcome.summary.reflinked, 10);
}

#[test]
fn a_directory_becomes_a_symlink_and_its_files_move() {
    let fs = LoopBtrfs::new(512);
    let dir = fs.subvolume("t");
    let mut before = Model::new();
    let mut after = Model::new();
    before.file("lib/libc.so", noise(1, 50_000));
    after.file("usr/lib/libc.so", noise(1, 50_000));
    after.add("lib", NodeKind::Symlink(b"usr/lib".to_vec()));
    apply(&before, &dir);
    let outcome = apply(&after, &dir);
    after.assert_is(&dir);
    assert_eq!(outcome.summary.reflinked, 1);
    apply(&before, &dir);
    before.assert_is(&dir);
}

#[test]
fn a_directory_becomes_a_file_with_the_content_of_one_in_it() {
    let fs = LoopBtrfs::new(512);
    let dir = fs.subvolume("t");
    let mut before = Model::new();
    let mut after = Model::new();
    before.file("a/a", noise(1, 50_000));
    after.file("a", noise(1, 50_000));
    apply(&before, &dir);
    apply(&after, &dir);
    after.assert_is(&dir);
    apply(&before, &dir);
    before.assert_is(&dir);
}

#[test]
fn equal_files_of_the_image_are_written_once() {
    let fs = LoopBtrfs::new(512);
    let dir = fs.subvolume("t");
    let mut model = Model::new();
    for name in ["a", "b", "d/c"] {
        model.file(name, noise(1, 100_000));
    }
    model.get("b").mode = 0o600;
    let outcome = apply(&model, &dir);
    model.assert_is(&dir);
    assert_eq!(outcome.read, ["a"]);
    assert_eq!(exclusive(&dir.join("d/c")), 0);
}

#[test]
fn seeds_give_files_and_blocks() {
    let fs = LoopBtrfs::new(512);
    let seed = fs.subvolume("seed");
    let other = fs.subvolume("other");
    let mut old = Model::new();
    old.file("same", noise(1, 100_000));
    old.file("moved", noise(2, 100_000));
    let mut changed = noise(3, 100_000);
    old.file("changed", &changed);
    apply(&old, &seed);
    let mut second = Model::new();
    second.file("elsewhere", noise(5, 70_000));
    apply(&second, &other);
    let mut model = Model::new();
    model.file("same", noise(1, 100_000));
    model.file("new/place", noise(2, 100_000));
    changed[50_000] ^= 1;
    model.file("changed", &changed);
    model.file("new/from other", noise(5, 70_000));
    model.file("new/fresh", noise(6, 70_000));
    let dir = fs.subvolume("t");
    let options = Options { seeds: vec![seed, other], ..Options::default() };
    let outcome = apply_with(&model, &dir, &options).unwrap();
    model.assert_is(&dir);
    assert_eq!(outcome.read, ["changed", "new/fresh"]);
    assert_eq!(outcome.summary.bytes_written, 70_000 + 4096);
    assert_eq!(exclusive(&dir.join("same")), 0);
    assert_eq!(exclusive(&dir.join("changed")), 4096);
}

#[test]
fn a_seed_that_is_not_there() {
    let fs = LoopBtrfs::new(512);
    let mut model = Model::new();
    model.file("file", noise(1, 10_000));
    let options = Options { seeds: vec![fs.path().join("none")], ..Options::default() };
    let error = apply_with(&model, &fs.subvolume("t"), &options).err().unwrap();
    assert!(error.to_string().starts_with("cannot open the seed "), "{error}");
}

#[test]
fn long_runs_of_zeros_are_holes() {
    let fs = LoopBtrfs::new(512);
    let dir = fs.subvolume("t");
    let mut model = Model::new();
    let mut content = vec![0u8; 10 << 20];
    content[5 << 20] = 1;
    model.file("sparse", &content);
    model.file("zeros", vec![0u8; (8 << 20) + 5]);
    apply(&model, &dir);
    model.assert_is(&dir);
    let blocks = |name: &str| {
        assert!(Command::new("sync").arg("-f").arg(dir.join(name)).status().unwrap().success());
        dir.join(name).metadata().unwrap().blocks() * 512
    };
    assert_eq!(blocks("sparse"), 4096);
    assert_eq!(blocks("zeros"), 4096, "the last block, which is not whole, is written");
    // A file that becomes zeros where it had data does not keep it.
    content[5 << 20] = 0;
    content[7 << 20] = 1;
    model.get("sparse").what = NodeKind::File(content);
    apply(&model, &dir);
    model.assert_is(&dir);
    assert_eq!(blocks("sparse"), 4096);
}

#[test]
fn a_filesystem_without_reflinks_is_written_or_refused() {
    // /dev/shm is a tmpfs everywhere.
    let shm = tempfile::tempdir_in("/dev/shm").unwrap();
    let mut before = Model::new();
    let mut after = Model::new();
    before.file("old", noise(1, 50_000));
    before.file("changed", noise(2, 50_000));
    after.file("new", noise(1, 50_000));
    let mut changed = noise(2, 50_000);
    changed[25_000] ^= 1;
    after.file("changed", changed);
    apply(&before, shm.path());
    apply(&after, shm.path());
    after.assert_is(shm.path());
    let rules = Rules { reflink: Reflink::Required, ..Rules::default() };
    let error = apply_with(&before, shm.path(), &Options { rules, ..Options::default() }).err().unwrap();
    assert!(matches!(error, EngineError::NoReflink { .. }), "{error}");
}

#[test]
fn files_without_copy_on_write_are_written() {
    let fs = LoopBtrfs::new(512);
    let dir = fs.subvolume("t");
    std::fs::create_dir(dir.join("nocow")).unwrap();
    assert!(Command::new("chattr").arg("+C").arg(dir.join("nocow")).status().unwrap().success());
    let mut model = Model::new();
    model.file("nocow/a", noise(1, 50_000));
    model.file("b", noise(2, 50_000));
    apply(&model, &dir);
    let mut after = Model::new();
    after.file("nocow/a", noise(2, 50_000));
    after.file("b", noise(1, 50_000));
    let rules = Rules { reflink: Reflink::Required, ..Rules::default() };
    apply_with(&after, &dir, &Options { rules, ..Options::default() }).unwrap();
    after.assert_is(&dir);
}
