//! Power cuts. The host's disk is a file on an outer btrfs; a reflink copy of it, taken in an
//! instant, is what a power cut leaves: all that reached the disk, and nothing of what the host
//! still had in memory.
//!
//! Cuts are taken at random moments, while a neighbour makes snapshots all the time: that lets
//! btrfs commit its transactions without writing out the files of others, and so shows what was
//! only in memory. In further runs strace(1) holds tiu right after the system call that changes the
//! default; btrfs commits a transaction, and the power is cut. This is where a sync that is missing
//! before the switch would leave a default with empty files. The last cuts are taken right after
//! tiu said that it is done, with nobody else at work.

use crate::facts::{self, Closeness};
use crate::run::Doing;
use crate::scene::{OLD, Scene, Setup};
use crate::settings::Settings;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tiu_testing::btrfs::LoopBtrfs;
use tiu_testing::host::LoopHost;
use tiu_testing::program::tool;
use tiu_testing::random::Random;

/// Random cuts in each run.
const IN_EACH: usize = 2;
/// For so many random cuts one run that is held at the switch.
const PER_HELD: usize = 5;
/// The snapshot that is made to commit a transaction.
const NEIGHBOUR: &str = "var/neighbour";

/// When a cut was taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    Random,
    AtTheSwitch,
    AfterTheEnd,
}

/// A disk as a power cut left it.
struct Cut {
    when: When,
    dir: TempDir,
    what: String,
}

pub fn run(settings: &Settings, setup: &Setup) -> String {
    let wanted = settings.runs(10, 100);
    let held = wanted.div_ceil(PER_HELD);
    let mut random = settings.random("power");
    let outer = LoopBtrfs::new(24 << 10);
    let mut scene = setup.scene_in(&outer.path());
    scene.undisturbed();
    let mut cuts: Vec<Cut> = Vec::new();
    while cuts.len() < wanted {
        let _doing = Doing(format!("run {}, seed {}", cuts.len() / IN_EACH + 1, settings.seed));
        cuts.extend(at_random(&scene, &outer.path(), &mut random, wanted - cuts.len()));
        scene.reset();
    }
    for _ in 0..held {
        cuts.push(at_the_switch(&scene, &outer.path()));
        scene.reset();
        cuts.push(after_the_end(&scene, &outer.path()));
        scene.reset();
    }
    let Scene { host, old, temporary, .. } = scene;
    // Two filesystems of one UUID at a time are nothing that every kernel mounts.
    drop(host);
    let expected = Expected { setup, old, temporary };
    let (mut booted_old, mut booted_new) = (0, 0);
    for cut in cuts {
        let _doing = Doing(format!("{}, seed {}", cut.what, settings.seed));
        match expected.assert_whole(cut) {
            OLD => booted_old += 1,
            _ => booted_new += 1,
        }
    }
    format!(
        "{wanted} cuts at random, {held} at the switch, {held} after the end: {booted_old} boot the old default, {booted_new} the new \
         one, each whole; those at random updated again"
    )
}

/// Updates once, and cuts on the way, at most `most` times.
fn at_random(scene: &Scene, outer: &Path, random: &mut Random, most: usize) -> Vec<Cut> {
    let length = scene.length();
    let mut moments: Vec<Duration> =
        (0..IN_EACH.min(most)).map(|_| length.mul_f64(1.1 * random.fraction())).collect();
    moments.sort();
    let mut cuts = Vec::new();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _stop = Stop(&stop);
        scope.spawn(|| neighbour(&scene.host, &stop));
        let mut running = scene.start();
        for moment in moments {
            running.wait_until(moment);
            let (moment, length) = (moment.as_secs_f64(), length.as_secs_f64());
            let what = format!("a cut {moment:.3} s after the start (runs take {length:.3} s)");
            cuts.push(take_cut(scene, outer, When::Random, what));
        }
        running.end().outcome.succeeded();
    });
    scene.assert_new();
    cuts
}

/// Updates once; cuts when the default has changed, with tiu not one system call further.
fn at_the_switch(scene: &Scene, outer: &Path) -> Cut {
    let mut running = scene.start_held();
    scene.wait_for_the_switch(&mut running);
    commit_a_transaction(&scene.host);
    let cut = take_cut(scene, outer, When::AtTheSwitch, "a cut when the default had changed".into());
    scene.assert_held();
    running.end().outcome.succeeded();
    scene.assert_new();
    cut
}

/// Updates once, with nobody else at work, and cuts when tiu has ended.
fn after_the_end(scene: &Scene, outer: &Path) -> Cut {
    scene.apply().outcome.succeeded();
    take_cut(scene, outer, When::AfterTheEnd, "a cut after the end".into())
}

/// Ends the other threads on a failure, too.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Lets btrfs commit one transaction after the other.
fn neighbour(host: &LoopHost, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        commit_a_transaction(host);
    }
}

/// Making a snapshot commits btrfs' transaction, but does not write out the files of others.
fn commit_a_transaction(host: &LoopHost) {
    let (from, to) = (host.root().join("home"), host.root().join(NEIGHBOUR));
    libbtrfsutil::CreateSnapshotOptions::new().create(&from, &to).unwrap();
    libbtrfsutil::DeleteSubvolumeOptions::new().delete(&to).unwrap();
}

/// Cuts the power of a copy.
fn take_cut(scene: &Scene, outer: &Path, when: When, what: String) -> Cut {
    let dir = tempfile::Builder::new().prefix("cut.").tempdir_in(outer).unwrap();
    let disk = File::open(scene.host.disk()).unwrap();
    let copy = File::options().write(true).create_new(true).open(dir.path().join("disk")).unwrap();
    rustix::fs::ioctl_ficlone(&copy, &disk).expect("a reflink copy of the disk");
    Cut { when, dir, what }
}

/// The state that a disk must have.
struct Expected<'a> {
    setup: &'a Setup,
    old: facts::Facts,
    temporary: TempDir,
}

impl Expected<'_> {
    /// The filesystem is consistent, and what boots is whole. Gives its number.
    #[track_caller]
    fn assert_whole(&self, cut: Cut) -> u32 {
        let disk = cut.dir.path().join("disk");
        let check = ["check".as_ref(), "--readonly".as_ref(), disk.as_os_str()];
        let checked = tool("btrfs", "btrfs-progs", &check).succeeded();
        assert!(
            checked.stderr.contains("no error found") || checked.stdout.contains("no error found"),
            "{checked:?}"
        );
        let host = LoopHost::booted(cut.dir);
        let default = host.default();
        self.old.assert_equal(&facts::read(&host.snapshot(OLD), Closeness::Untouched), "the old default");
        assert!(default != OLD || cut.when != When::AfterTheEnd, "what tiu called done is not on the disk");
        if default != OLD {
            self.setup
                .new
                .assert_equal(&facts::read(&host.snapshot(default), Closeness::Same), "the new default");
            host.tiu("verify", [default.to_string()]).succeeded();
        }
        if cut.when == When::Random {
            self.assert_recovers(&host);
        }
        default
    }

    /// The next update succeeds and leaves nothing of the one that was cut off.
    #[track_caller]
    fn assert_recovers(&self, host: &LoopHost) {
        let neighbour = host.root().join(NEIGHBOUR);
        if neighbour.exists() {
            libbtrfsutil::DeleteSubvolumeOptions::new().delete(&neighbour).unwrap();
        }
        let mut tiu = Command::new(tiu_testing::program::path("tiu"));
        tiu.args(["apply", "--progress", "none", "--root"]).arg(host.root()).arg(&self.setup.bundle);
        let outcome = tiu_testing::program::outcome(tiu.env("TMPDIR", self.temporary.path()));
        if outcome.code != Some(77) {
            outcome.succeeded();
        }
        let default = host.default();
        self.setup.new.assert_equal(
            &facts::read(&host.snapshot(default), Closeness::Same),
            "the default after recovery",
        );
        facts::assert_only_snapshots(host, &[1, OLD, default]);
        assert_eq!(fs::read_dir(self.temporary.path()).unwrap().count(), 0, "temporary files leaked");
    }
}
