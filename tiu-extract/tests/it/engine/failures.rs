//! Failures on the way: full disks, wrong images, cancellation; and that a second run
//! completes.

use super::model::{MemoryImage, Model};
use super::run::{Options, apply, apply_image, apply_with, job};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use tiu_extract::{EngineError, Image, ImageError, Job};
use tiu_system::Hint;
use tiu_system::path::TreePath;
use tiu_system::progress::{Cancel, Progress, Unit, Watch};
use tiu_testing::btrfs::LoopBtrfs;
use tiu_testing::tree::noise;

fn leftovers(dir: &Path) -> usize {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|entry| {
            let below = if entry.file_type().unwrap().is_dir() { leftovers(&entry.path()) } else { 0 };
            below + usize::from(tiu_extract::is_temporary(entry.file_name().as_encoded_bytes()))
        })
        .sum()
}

#[test]
fn a_full_disk_is_reported_and_a_second_run_completes() {
    let fs = LoopBtrfs::new(128);
    let filler = fs.path().join("filler");
    std::fs::write(&filler, noise(99, 60 << 20)).unwrap();
    let dir = fs.subvolume("t");
    let mut model = Model::new();
    for i in 0..40u32 {
        model.file(format!("d/{i}"), noise(i.into(), 2 << 20));
    }
    let error = apply_with(&model, &dir, &Options::default()).err().unwrap();
    let EngineError::NoSpace { path, missing, .. } = &error else { panic!("{error}") };
    assert!(path.starts_with("d"), "{error}");
    assert!((1 << 20..=84 << 20).contains(missing), "{error}");
    assert!(error.hint().unwrap().contains("free some space"));
    assert_eq!(leftovers(&dir), 0);
    std::fs::remove_file(filler).unwrap();
    fs.used();
    let outcome = apply(&model, &dir);
    assert!(outcome.summary.unchanged > 5, "what was there was reused: {:?}", outcome.summary);
    model.assert_is(&dir);
}

#[test]
fn content_that_is_not_what_the_index_says() {
    let fs = LoopBtrfs::new(256);
    let dir = fs.subvolume("t");
    let mut model = Model::new();
    model.file("d/file", noise(1, 10_000));
    apply(&model, &dir);
    model.file("d/file", noise(2, 10_000));
    let mut image = model.image();
    image.files.get_mut(&b"d/file"[..]).unwrap()[5000] ^= 1;
    let wrong = tiu_bundle::content_digest::digest_bytes(&image.files[&b"d/file"[..]]);
    let error = apply_image(&model, &image, &dir, &Options::default()).err().unwrap();
    let EngineError::Digest { path, found, .. } = &error else { panic!("{error}") };
    assert_eq!((path.to_str(), *found), (Some("d/file"), wrong));
    assert_eq!(std::fs::read(dir.join("d/file")).unwrap(), noise(1, 10_000), "the old file is still there");
    assert_eq!(leftovers(&dir), 0);
}

#[test]
fn content_that_is_longer_or_shorter_than_the_index_says() {
    let fs = LoopBtrfs::new(256);
    for (size, length, found) in [
        (10_000, 9_999, 9_999),
        (10_000, 10_001, 10_001),
        (10_000, 5_000_000, 262_144),
        (0, 1, 1),
        (4096, 0, 0),
        (262_144, 262_145, 262_145),
        (262_144, 262_143, 262_143),
    ] {
        let dir = fs.subvolume(&format!("{size}-{length}"));
        let mut model = Model::new();
        model.file("file", noise(1, size));
        let mut image = model.image();
        image.files.insert(b"file".to_vec(), noise(1, length));
        let error = apply_image(&model, &image, &dir, &Options::default()).err().unwrap();
        match error {
            EngineError::Size { found: f, expected, .. } => {
                assert_eq!((f, expected), (found as u64, size as u64), "{size} {length}");
            }
            other => panic!("{other}"),
        }
        assert_eq!(leftovers(&dir), 0);
    }
}

/// Cancels when so many bytes or items of a phase are done.
struct CancelAt<'a> {
    cancel: &'a Cancel,
    phase: &'static str,
    after: u64,
    at: std::sync::Mutex<Option<u64>>,
}

impl Progress for CancelAt<'_> {
    fn begin(&self, phase: &str, _: u64, _: Unit) {
        *self.at.lock().unwrap() = (phase == self.phase).then_some(0);
    }
    fn advance(&self, n: u64) {
        if let Some(done) = self.at.lock().unwrap().as_mut() {
            *done += n;
            if *done >= self.after {
                self.cancel.cancel();
            }
        }
    }
    fn end(&self) {}
}

#[test]
fn cancelled_in_every_phase_and_completed_afterwards() {
    let fs = LoopBtrfs::new(512);
    let mut before = Model::new();
    let mut after = Model::new();
    for i in 0..30u32 {
        before.file(format!("a/{i}"), noise(i.into(), 100_000));
        after.file(format!("b/{i}"), noise(u64::from(i) + 20, 100_000));
    }
    let index = after.index();
    let image = after.image();
    for (phase, after_units) in [
        ("Scanning", 1),
        ("Comparing", 1),
        ("Searching for content", 1),
        ("Writing", 1),
        ("Writing", 1_500_000),
    ] {
        let dir = fs.subvolume(&format!("{phase}-{after_units}"));
        apply(&before, &dir);
        if phase == "Comparing" {
            // Something at the same path of the same size.
            std::fs::create_dir(dir.join("b")).unwrap();
            std::fs::write(dir.join("b/0"), noise(99, 100_000)).unwrap();
        }
        let cancel = Cancel::new();
        let progress = CancelAt { cancel: &cancel, phase, after: after_units, at: None.into() };
        let target = File::open(&dir).unwrap();
        let job = Job { watch: Watch::new(&progress, &cancel), ..job(&index, &image, &target) };
        let result = tiu_extract::plan(&job).and_then(|plan| tiu_extract::execute(&job, &plan));
        assert!(matches!(result, Err(EngineError::Cancelled(_))), "{phase}: {result:?}");
        assert_eq!(leftovers(&dir), 0, "{phase}");
        apply(&after, &dir);
        after.assert_is(&dir);
    }
}

struct Broken;

impl Image for Broken {
    fn open(&self, path: &TreePath) -> Result<Box<dyn Read + Send + '_>, ImageError> {
        struct Fails;
        impl Read for Fails {
            fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
                Err(std::io::Error::other("block 7 is damaged"))
            }
        }
        assert_eq!(path.as_bytes(), b"file");
        Ok(Box::new(Fails))
    }
    fn position(&self, _: &TreePath) -> u64 {
        0
    }
}

#[test]
fn an_image_that_cannot_be_read() {
    let fs = LoopBtrfs::new(256);
    let dir = fs.subvolume("t");
    let mut model = Model::new();
    model.file("file", "x");
    let index = model.index();
    let target = File::open(&dir).unwrap();
    let job = job(&index, &Broken, &target);
    let plan = tiu_extract::plan(&job).unwrap();
    let error = tiu_extract::execute(&job, &plan).unwrap_err();
    assert_eq!(error.to_string(), "cannot read file from the image: block 7 is damaged");
    let other = Model::new().index();
    let error = tiu_extract::execute(&Job { index: &other, ..job }, &plan).unwrap_err();
    assert!(matches!(error, EngineError::OtherIndex { found: 1, expected: 2 }), "{error}");
}

#[test]
fn an_immutable_file_in_the_way_is_removed() {
    let fs = LoopBtrfs::new(256);
    let dir = fs.subvolume("t");
    std::fs::write(dir.join("locked"), "").unwrap();
    let status = std::process::Command::new("chattr").arg("+i").arg(dir.join("locked")).status();
    assert!(status.unwrap().success());
    apply_with(&Model::new(), &dir, &Options::default()).unwrap();
    assert!(!dir.join("locked").exists());
}

#[test]
fn the_space_that_is_needed_is_known_before() {
    let fs = LoopBtrfs::new(512);
    let dir = fs.subvolume("t");
    let mut model = Model::new();
    for i in 0..200u32 {
        model.file(format!("d/{i}"), noise(i.into(), 50_000));
        model.file(format!("small/{i}"), noise(i.into(), 500));
    }
    let index = model.index();
    let image: MemoryImage = model.image();
    let target = File::open(&dir).unwrap();
    let job = job(&index, &image, &target);
    let used = fs.used();
    let plan = tiu_extract::plan(&job).unwrap();
    tiu_extract::execute(&job, &plan).unwrap();
    let grown = fs.used() - used;
    assert!(plan.space_needed() >= grown, "said {}, took {grown}", plan.space_needed());
    assert!(plan.space_needed() < grown * 2, "said {}, took {grown}", plan.space_needed());
    assert_eq!(tiu_extract::plan(&job).unwrap().space_needed(), 0);
}

/// A target with one file, which the new tree has under another name. Runs the plan after `change`
/// did something to the old file, and returns the content of the new one.
fn with_changed_source(content: &[u8], change: impl FnOnce(&LoopBtrfs, &Path)) -> Vec<u8> {
    let fs = LoopBtrfs::new(256);
    let dir = fs.subvolume("t");
    let mut model = Model::new();
    model.file("old", content);
    apply(&model, &dir);
    let mut model = Model::new();
    model.file("new", content);
    let (index, image, target) = (model.index(), model.image(), File::open(&dir).unwrap());
    let job = job(&index, &image, &target);
    let plan = tiu_extract::plan(&job).unwrap();
    assert_eq!(plan.summary().reflinked, 1);
    change(&fs, &dir.join("old"));
    let summary = tiu_extract::execute(&job, &plan).unwrap();
    assert_eq!((summary.reflinked, summary.written, summary.bytes_written), (0, 1, content.len() as u64));
    std::fs::read(dir.join("new")).unwrap()
}

#[test]
fn a_source_that_changed_since_the_plan_is_not_used() {
    let content = noise(1, 100_000);
    let new = with_changed_source(&content, |_, old| std::fs::write(old, noise(2, 100_000)).unwrap());
    assert!(new == content);
}

#[test]
fn damage_that_shows_when_a_shared_file_is_read_back_is_written_from_the_image() {
    let mark = "a block of this file will be damaged between the plan and its execution";
    let content = [mark.as_bytes(), &noise(3, 100_000)].concat();
    let new = with_changed_source(&content, |fs, _| {
        fs.used();
        assert!(tiu_testing::damage::damage_content(&fs.disk(), mark) > 0);
    });
    assert!(new == content);
}
