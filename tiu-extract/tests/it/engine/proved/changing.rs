//! Trees that change while they are looked at, and seals of another tree.

use super::cases::three_files;
use super::disturb::times_of;
use super::{Sealed, walked};
use crate::engine::run::{apply, job};
use std::fs::{self, File, OpenOptions};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use tiu_extract::{ReadBack, Rules};
use tiu_system::progress::Watch;
use tiu_testing::btrfs::LoopBtrfs;

/// Changes a byte, and puts the times back.
fn change_byte(path: &Path) {
    let times = times_of(path).unwrap();
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(b"!", 4321).unwrap();
    rustix::fs::futimens(&file, &times).unwrap();
}

#[test]
fn a_base_that_changes_between_plan_and_snapshot() {
    let fs = LoopBtrfs::new(256);
    let model = three_files();
    let dir = fs.subvolume("base");
    apply(&model, &dir);
    let sealed = Sealed::new(&model, &dir);
    let (index, image, target) = (model.index(), model.image(), File::open(&dir).unwrap());
    let job = job(&index, &image, &target);
    let plan = sealed.with(job.rules, |proof| tiu_extract::plan_changes(&job, proof).unwrap().unwrap());
    assert!(plan.is_empty());
    change_byte(&dir.join("b/file"));
    let copy = fs.snapshot(&dir, "copy");
    let found = sealed.checked(&index, &copy).unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found, walked(&index, &copy, &Rules::default()));
}

#[test]
fn a_file_that_a_program_changes_in_the_new_snapshot() {
    let fs = LoopBtrfs::new(256);
    let model = three_files();
    let dir = fs.subvolume("base");
    apply(&model, &dir);
    let sealed = Sealed::new(&model, &dir);
    let copy = fs.snapshot(&dir, "copy");
    let mut next = model.clone();
    next.file("b/new", "new");
    let (index, image, target) = (next.index(), next.image(), File::open(&copy).unwrap());
    let job = job(&index, &image, &target);
    let plan = sealed.with(job.rules, |proof| tiu_extract::plan_changes(&job, proof).unwrap().unwrap());
    tiu_extract::execute(&job, &plan).unwrap();
    let check = || {
        sealed.with(job.rules, |proof| {
            let (target, read_back) = (target.as_fd(), ReadBack::Executed(&plan));
            let found =
                tiu_extract::check_changes(&index, target, job.rules, proof, read_back, Watch::silent());
            found.unwrap().unwrap()
        })
    };
    assert_eq!(check(), []);
    // Neither its size nor its times say so.
    change_byte(&copy.join("a/x/file"));
    let found = check();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].path.to_str(), found[0].what), (Some("a/x/file"), "content"));
}

#[test]
fn a_base_that_is_written_to_while_it_is_proved() {
    let fs = LoopBtrfs::with_options(512, "relatime");
    let mut model = three_files();
    for i in 0..200 {
        model.file(format!("many/{i}"), format!("{i}"));
    }
    let dir = fs.subvolume("base");
    apply(&model, &dir);
    let sealed = Sealed::new(&model, &dir);
    let index = model.index();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut round = 0u64;
            while !done.load(Ordering::Relaxed) {
                let path = dir.join(format!("many/{}", round % 200));
                fs::write(&path, format!("{}", (round / 200) % 7)).unwrap();
                round += 1;
            }
        });
        for round in 0..20 {
            // Whatever a copy caught is found in it, however it was caught.
            let copy = fs.snapshot(&dir, &format!("copy-{round}"));
            let found = sealed.checked(&index, &copy).unwrap();
            assert_eq!(found, walked(&index, &copy, &Rules::default()), "round {round}");
            // The base itself may change meanwhile, which must not end in an error.
            let _ = sealed.checked(&index, &dir).unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_clock_that_was_set_back() {
    let fs = LoopBtrfs::new(256);
    let mut model = three_files();
    // A seal from the future, as far as clocks are concerned.
    for inode in model.0.values_mut() {
        inode.mtime.sec = 8_000_000_000;
    }
    let dir = fs.subvolume("base");
    apply(&model, &dir);
    let sealed = Sealed::new(&model, &dir);
    let file = OpenOptions::new().write(true).open(dir.join("b/file")).unwrap();
    file.write_all_at(b"!", 0).unwrap();
    let found = sealed.checked(&sealed.index, &dir).unwrap();
    let what: Vec<&str> = found.iter().map(|difference| difference.what).collect();
    assert_eq!(what, ["content", "mtime"]);
    assert_eq!(found, walked(&sealed.index, &dir, &Rules::default()));
}

#[test]
fn a_target_that_cannot_be_searched_is_not_proved() {
    let fs = LoopBtrfs::new(256);
    let model = three_files();
    let dir = fs.subvolume("base");
    apply(&model, &dir);
    let sealed = Sealed::new(&model, &dir);
    // Searches need root; whoever has less reads everything.
    let reason = std::thread::scope(|scope| {
        let checked = scope.spawn(|| {
            use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};
            let sets = capabilities(None).unwrap();
            let effective = sets.effective - CapabilitySet::SYS_ADMIN;
            set_capabilities(None, CapabilitySets { effective, ..sets }).unwrap();
            sealed.checked(&sealed.index, &dir).unwrap_err().to_string()
        });
        checked.join().unwrap()
    });
    assert!(reason.contains("not permitted"), "{reason}");
    assert!(sealed.checked(&sealed.index, &dir.join("a")).is_err(), "a directory inside a subvolume");
}
