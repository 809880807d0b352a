//! Single cases.

use super::{Sealed, walked};
use crate::engine::model::Model;
use crate::engine::run::{apply, job};
use rustix::fs::{CWD, RenameFlags};
use std::collections::HashMap;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use tiu_extract::{Proof, Rules};
use tiu_testing::btrfs::LoopBtrfs;
use tiu_testing::tree::noise;

pub fn three_files() -> Model {
    let mut model = Model::new();
    model.file("a/x/file", noise(1, 9000));
    model.file("a/y/file", noise(2, 9000));
    model.file("b/file", noise(3, 9000));
    model
}

#[test]
fn directories_with_equal_names_in_them_are_exchanged() {
    let fs = LoopBtrfs::new(256);
    let model = three_files();
    let dir = fs.subvolume("base");
    apply(&model, &dir);
    let sealed = Sealed::new(&model, &dir);
    rustix::fs::renameat_with(CWD, dir.join("a/x"), CWD, dir.join("a/y"), RenameFlags::EXCHANGE).unwrap();
    let found = sealed.checked(&sealed.index, &dir).unwrap();
    assert_eq!(found, walked(&sealed.index, &dir, &Rules::default()));
    let content: Vec<String> =
        found.iter().filter(|found| found.what == "content").map(|found| found.path.to_string()).collect();
    assert_eq!(content, ["a/x/file", "a/y/file"]);
}

#[test]
fn a_directory_that_is_gone_is_made_again_with_all_in_it() {
    let fs = LoopBtrfs::new(256);
    let model = three_files();
    let dir = fs.subvolume("base");
    apply(&model, &dir);
    let sealed = Sealed::new(&model, &dir);
    fs::remove_dir_all(dir.join("a")).unwrap();
    sealed.apply(&model, &dir);
    model.assert_is(&dir);
}

#[test]
fn what_is_proved_is_not_looked_at() {
    let fs = LoopBtrfs::new(256);
    let mut model = three_files();
    let dir = fs.subvolume("base");
    apply(&model, &dir);
    let sealed = Sealed::new(&model, &dir);
    model.file("b/new", noise(1, 9000));
    let (index, image, target) = (model.index(), model.image(), File::open(&dir).unwrap());
    let job = job(&index, &image, &target);
    let plan = sealed.with(job.rules, |proof| tiu_extract::plan_changes(&job, proof).unwrap().unwrap());
    let mut text = Vec::new();
    plan.describe(&index, &mut text).unwrap();
    // The content is found at a path that is otherwise of no interest.
    assert!(String::from_utf8(text).unwrap().contains("reflink   b/new (9000 bytes) from a/x/file\n"));
    assert_eq!(plan.summary().unchanged, index.len() as u64 - 1, "all but b/new");
    tiu_extract::execute(&job, &plan).unwrap();
    model.assert_is(&dir);
}

#[test]
fn other_numbers_of_owners_are_set() {
    let fs = LoopBtrfs::new(256);
    let mut model = three_files();
    model.get("b/file").uid = 104;
    let dir = fs.subvolume("base");
    apply(&model, &dir);
    let sealed = Sealed::new(&model, &dir);
    let rules = Rules { uids: HashMap::from([(104, 105)]), ..Rules::default() };
    let (index, image, target) = (model.index(), model.image(), File::open(&dir).unwrap());
    let job = tiu_extract::Job { rules: &rules, ..job(&index, &image, &target) };
    let proof = |work: &mut dyn FnMut(&Proof)| sealed.with(&Rules::default(), |proof| work(proof));
    proof(&mut |proof| {
        let plan = tiu_extract::plan_changes(&job, proof).unwrap().unwrap();
        tiu_extract::execute(&job, &plan).unwrap();
    });
    assert_eq!(dir.join("b/file").metadata().unwrap().uid(), 105);
    assert_eq!(walked(&index, &dir, &rules), []);
}

#[test]
fn other_numbers_of_users_whom_acls_name_are_set() {
    let fs = LoopBtrfs::new(256);
    let mut model = three_files();
    let acl = |user: u8| {
        let entries = [(1, 6, [0xff; 4]), (2, 4, [user, 0, 0, 0]), (4, 4, [0xff; 4]), (0x10, 4, [0xff; 4])];
        let others = (0x20, 4, [0xff; 4]);
        let mut value = vec![2, 0, 0, 0];
        for (tag, permissions, id) in entries.into_iter().chain([others]) {
            value.extend([tag, 0, permissions, 0]);
            value.extend(id);
        }
        value
    };
    let name = "system.posix_acl_access";
    model.get("b/file").mode = 0o644;
    model.get("b/file").xattrs.insert(name.into(), acl(104));
    let dir = fs.subvolume("base");
    apply(&model, &dir);
    let sealed = Sealed::new(&model, &dir);
    let rules = Rules { uids: HashMap::from([(104, 105)]), ..Rules::default() };
    let (index, image, target) = (model.index(), model.image(), File::open(&dir).unwrap());
    let job = tiu_extract::Job { rules: &rules, ..job(&index, &image, &target) };
    sealed.with(&Rules::default(), |proof| {
        let plan = tiu_extract::plan_changes(&job, proof).unwrap().unwrap();
        tiu_extract::execute(&job, &plan).unwrap();
    });
    let mut found = [0; 100];
    let size = rustix::fs::lgetxattr(dir.join("b/file"), name, &mut found[..]).unwrap();
    assert_eq!(found[..size], acl(105));
    assert_eq!(walked(&index, &dir, &rules), []);
}

#[test]
fn a_directory_inside_a_subvolume_is_not_proved() {
    let fs = LoopBtrfs::new(256);
    let model = three_files();
    let dir = fs.subvolume("base");
    apply(&model, &dir);
    let sealed = Sealed::new(&model, &dir);
    assert!(sealed.checked(&sealed.index, &dir.join("a")).is_err());
}
