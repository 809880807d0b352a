//! The proof finds what a full walk finds: changes of a tree that was compared with its index, with
//! the full walk as the oracle.

mod cases;
mod changing;
mod disturb;
mod filesystem;
mod fuzz;
mod random;

use super::model::Model;
use super::run::job;
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::Command;
use tiu_bundle::index::Index;
use tiu_extract::{Difference, Proof, ReadBack, Rules, Unproved};
use tiu_system::btrfs::Subvolume;
use tiu_system::path::TreePathBuf;
use tiu_system::progress::Watch;

fn run(program: &str, arguments: &[&OsStr]) {
    let done = Command::new(program).args(arguments).output().unwrap_or_else(|e| panic!("{program}: {e}"));
    assert!(done.status.success(), "{program}: {}", String::from_utf8_lossy(&done.stderr));
}

/// A tree that was compared with its index.
struct Sealed {
    index: Index,
    transaction: u64,
    unproved: Vec<TreePathBuf>,
}

impl Sealed {
    /// Seals the tree in `dir`, which must be that of `model`.
    fn new(model: &Model, dir: &Path) -> Self {
        let index = model.index();
        let target = File::open(dir).unwrap();
        let subvolume = Subvolume::open(target.as_fd()).unwrap().unwrap();
        subvolume.sync().unwrap();
        let transaction = subvolume.facts().unwrap().generation;
        assert_eq!(walked(&index, dir, &Rules::default()), []);
        Sealed { index, transaction, unproved: Vec::new() }
    }

    fn with<T>(&self, rules: &Rules, work: impl FnOnce(&Proof) -> T) -> T {
        work(&Proof {
            index: &self.index,
            uids: &rules.uids,
            gids: &rules.gids,
            unproved: &self.unproved,
            transaction: self.transaction,
        })
    }

    fn checked(&self, index: &Index, dir: &Path) -> Result<Vec<Difference>, Unproved> {
        let target = File::open(dir).unwrap();
        let (rules, watch) = (Rules::default(), Watch::silent());
        self.with(&rules, |proof| {
            tiu_extract::check_changes(index, target.as_fd(), &rules, proof, ReadBack::All, watch).unwrap()
        })
    }

    /// Brings `dir` to `model` with a plan that looks only at what is not proved. Returns the
    /// number of entries that stayed.
    fn apply(&self, model: &Model, dir: &Path) -> u64 {
        let (index, image, target) = (model.index(), model.image(), File::open(dir).unwrap());
        let job = job(&index, &image, &target);
        let plan = self.with(job.rules, |proof| tiu_extract::plan_changes(&job, proof).unwrap().unwrap());
        tiu_extract::execute(&job, &plan).unwrap().unchanged
    }
}

/// The oracle.
fn walked(index: &Index, dir: &Path, rules: &Rules) -> Vec<Difference> {
    let target = File::open(dir).unwrap();
    tiu_extract::check(index, target.as_fd(), rules, ReadBack::All, Watch::silent()).unwrap()
}
