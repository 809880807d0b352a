//! Random changes of random trees.
//!
//! `TIU_PROVED_SECONDS` sets how long it runs, `TIU_PROVED_SEED` the first seed.

use super::disturb::disturb;
use super::random::{grow, paths, take};
use super::{Sealed, walked};
use crate::engine::model::Model;
use crate::engine::run::apply;
use rustix::fs::IFlags;
use std::fs::File;
use std::time::{Duration, Instant};
use tiu_extract::Rules;
use tiu_testing::btrfs::LoopBtrfs;
use tiu_testing::random::Random;

fn seconds() -> u64 {
    std::env::var("TIU_PROVED_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(30)
}

#[test]
fn any_change_is_found() {
    let fs = LoopBtrfs::with_options(2048, "relatime");
    let began = Instant::now();
    let first = std::env::var("TIU_PROVED_SEED").ok().and_then(|text| text.parse().ok());
    let first: u64 = first.unwrap_or_else(|| u64::from(std::process::id()) << 20);
    let mut seed = first;
    let mut found = 0;
    while began.elapsed() < Duration::from_secs(seconds()) || seed < first + 20 {
        found += case(&fs, seed);
        seed += 1;
    }
    println!("{} cases from seed {first}, {found} of them with differences", seed - first);
    assert!(found > 10);
}

/// One tree, changed and then updated. Returns 1 if the changes made a difference.
fn case(fs: &LoopBtrfs, seed: u64) -> usize {
    let mut random = Random::new(seed);
    let mut model = Model::new();
    grow(&mut model, &mut random, 60);
    let base = fs.subvolume(&format!("base-{seed}"));
    apply(&model, &base);
    let sealed = Sealed::new(&model, &base);
    assert_eq!(sealed.checked(&sealed.index, &base), Ok(Vec::new()), "seed {seed}: nothing changed");

    let mut dir = base;
    let mut did = Vec::new();
    for link in 0..random.below(3) + 1 {
        for _ in 0..random.below(4) {
            did.extend(disturb(&dir, &model, &mut random));
        }
        dir = fs.snapshot(&dir, &format!("copy-{seed}-{link}"));
    }
    for _ in 0..random.below(4) {
        did.extend(disturb(&dir, &model, &mut random));
    }
    if random.below(8) == 0 {
        let _ = rustix::fs::ioctl_setflags(File::open(&dir).unwrap(), IFlags::APPEND);
        did.push("append-only root".to_owned());
    }
    let proved =
        sealed.checked(&sealed.index, &dir).unwrap_or_else(|why| panic!("seed {seed}: {why}: {did:#?}"));
    let expected = walked(&sealed.index, &dir, &Rules::default());
    assert_eq!(proved, expected, "seed {seed}: {did:#?}");

    let mut next = model.clone();
    if random.below(4) > 0 {
        for _ in 0..random.below(8) {
            let path = random.pick(&paths()).unwrap().clone();
            take(&mut next, &path);
        }
        let count = random.below(20);
        grow(&mut next, &mut random, count);
    }
    let against = sealed.checked(&next.index(), &dir).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
    assert_eq!(against, walked(&next.index(), &dir, &Rules::default()), "seed {seed}: {did:#?}");
    sealed.apply(&next, &dir);
    assert_eq!(walked(&next.index(), &dir, &Rules::default()), [], "seed {seed}: {did:#?}");
    next.assert_is(&dir);
    assert_eq!(sealed.checked(&next.index(), &dir), Ok(Vec::new()), "seed {seed}: {did:#?}");
    let flags = rustix::fs::ioctl_getflags(File::open(&dir).unwrap()).unwrap();
    assert!(!flags.contains(IFlags::APPEND));
    usize::from(!expected.is_empty())
}
