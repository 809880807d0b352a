//! A disk that is too full, in steps of 1 MiB: around the amount that the plan predicts, and,
//! during a run, around the amount that it really needs, at any moment of the run.

use crate::run::Doing;
use crate::scene::{OLD, Scene, Setup};
use crate::settings::Settings;
use rustix::fs::FallocateFlags;
use rustix::process::Signal;
use std::fs::File;
use std::path::PathBuf;

/// MiB.
const MIB: u64 = 1 << 20;
/// The space that is left during a run, in MiB, is less than this: a run takes about 20.
const RANGE: u64 = 32;

/// Takes space away until it is dropped.
struct Ballast(PathBuf);

impl Ballast {
    /// Leaves `free` bytes, as far as btrfs allows to say.
    fn leaving(scene: &Scene, free: u64) -> Self {
        scene.settle();
        let path = scene.host.root().join("var/ballast");
        let file = File::create(&path).unwrap();
        let ballast = Ballast(path);
        let mut length = 0;
        let mut most = u64::MAX;
        loop {
            let step = scene.free().saturating_sub(free).min(most) & !4095;
            if step == 0 {
                return ballast;
            }
            match rustix::fs::fallocate(&file, FallocateFlags::empty(), length, step) {
                Ok(()) => length += step,
                // Not all that is free is free for one piece.
                Err(_) => most = step / 2,
            }
            // Only now it counts as taken.
            libbtrfsutil::sync(scene.host.root()).unwrap();
        }
    }
}

impl Drop for Ballast {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Returns the needed and the free space in MiB, as the run reports them when there is too little.
fn shortage(stderr: &str) -> Option<(u64, u64)> {
    let numbers: Vec<u64> = stderr.lines().next()?.split(' ').filter_map(|word| word.parse().ok()).collect();
    stderr.contains("MiB are free").then_some((*numbers.first()?, *numbers.get(1)?))
}

pub fn before(settings: &Settings, setup: &Setup) -> String {
    let around = settings.runs(3, 8) as u64;
    let scene = setup.scene();
    let ballast = Ballast::leaving(&scene, 0);
    let refused = scene.apply().outcome.refused(&["the image needs", "MiB are free", "tiu list"]);
    drop(ballast);
    let (needed, _) = shortage(&refused.stderr).expect("what is needed");
    let (mut refusals, mut successes) = (0, 0);
    for free in needed - around..=needed + around {
        let _doing = Doing(format!("{free} MiB free, {needed} MiB needed"));
        let ballast = Ballast::leaving(&scene, free * MIB);
        let outcome = scene.apply().outcome;
        match outcome.code {
            Some(0) => {
                successes += 1;
                scene.assert_new();
                scene.assert_old_untouched();
            }
            _ => {
                refusals += 1;
                outcome.refused(&["the image needs", "MiB are free"]);
            }
        }
        drop(ballast);
        scene.reset();
        scene.assert_undone();
    }
    assert!(refusals > 0 && successes > 0, "{refusals} refused, {successes} succeeded: not around the need");
    after_a_kill(&scene, needed);
    format!(
        "{needed} MiB needed; {refusals} runs with less refused, {successes} with more went through, and one that had to clean up \
         for it"
    )
}

/// Checks that the space of a killed run is all that is missing: btrfs frees it a while after the
/// run's snapshot was deleted.
fn after_a_kill(scene: &Scene, needed: u64) {
    let _doing = Doing(format!("{needed} MiB needed, of which a run that was killed holds some"));
    let _ballast = Ballast::leaving(scene, (needed + 1) * MIB);
    let mut running = scene.start();
    running.wait_until(scene.length().mul_f64(0.7));
    running.kill_all();
    running.end();
    libbtrfsutil::sync(scene.host.root()).unwrap();
    let free = scene.free() / MIB;
    assert!(free < needed, "{free} MiB are free: the killed run holds too little");
    scene.apply().outcome.succeeded();
    scene.assert_new();
}

pub fn during(settings: &Settings, setup: &Setup) -> String {
    let steps = settings.runs(12, 64) as u64;
    let mut random = settings.random("space");
    let mut scene = setup.scene();
    let (mut failures, mut successes) = (0, 0);
    for step in 0..steps {
        let moment = scene.length().mul_f64(0.9 * random.fraction());
        let free = step * RANGE / steps.min(RANGE) % RANGE;
        let _doing = Doing(format!(
            "{free} MiB left {:.3} s after the start (runs take {:.3} s), seed {}",
            moment.as_secs_f64(),
            scene.length().as_secs_f64(),
            settings.seed
        ));
        let mut running = scene.start();
        running.wait_until(moment);
        running.signal(Signal::STOP);
        let ballast = Ballast::leaving(&scene, free * MIB);
        running.signal(Signal::CONT);
        let outcome = running.end().outcome;
        if scene.host.default() == OLD {
            failures += 1;
            let text = outcome.refused(&[]).stderr.to_lowercase();
            let said = ["no space left", "mib are free", "enospc"].iter().any(|words| text.contains(words));
            assert!(said, "the error does not say that there is no space:\n{text}");
            // Even while the disk is still full.
            scene.assert_old();
            crate::facts::assert_only_snapshots(&scene.host, &[1, OLD]);
        } else {
            successes += 1;
            outcome.succeeded();
            scene.assert_new();
            scene.assert_old_untouched();
        }
        drop(ballast);
        scene.reset();
        scene.assert_undone();
    }
    assert!(failures > 0, "the disk was never full enough");
    scene.assert_recovers();
    format!("{failures} runs failed and undid everything on the full disk, {successes} had enough")
}
