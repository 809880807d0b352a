//! Other programs at the same time: a second `tiu apply`, and snapper's own clean-up.

use crate::run::Doing;
use crate::scene::Setup;
use crate::settings::Settings;
use std::sync::atomic::{AtomicBool, Ordering};

/// Two at once: one does it, the other is refused at once and touches nothing.
pub fn two_runs(settings: &Settings, setup: &Setup) -> String {
    let rounds = settings.runs(4, 40);
    let mut random = settings.random("two");
    let scene = setup.scene();
    for _ in 0..rounds {
        let later = scene.length().mul_f64(0.5 * random.fraction() * random.fraction());
        let _doing = Doing(format!("a second run {:.3} s after the first", later.as_secs_f64()));
        let mut first = scene.start();
        first.wait_until(later);
        let mut second = scene.start();
        let (second, first) = (second.end().outcome, first.end().outcome);
        let (done, refused) = if second.code == Some(0) { (second, first) } else { (first, second) };
        done.succeeded();
        refused.refused(&["another tiu is running on this host: process "]);
        scene.assert_new();
        scene.assert_verified();
        scene.assert_old_untouched();
        scene.assert_nothing_leaked();
        scene.reset();
    }
    format!("{rounds} times one did it and the other was refused")
}

/// snapper removes old snapshots as fast as it can all the time.
pub fn cleanup(settings: &Settings, setup: &Setup) -> String {
    let rounds = settings.runs(3, 30);
    let mut scene = setup.scene();
    let mut removed = 0;
    for round in 0..rounds {
        let _doing = Doing(format!("round {round}"));
        let stop = AtomicBool::new(false);
        removed += std::thread::scope(|scope| {
            let cleaner = scope.spawn(|| {
                let mut made = 0;
                while !stop.load(Ordering::Relaxed) {
                    for _ in 0..6 {
                        let arguments = ["create", "--cleanup-algorithm", "number"];
                        scene.host.snapper(&arguments).succeeded();
                        made += 1;
                    }
                    scene.host.snapper(&["cleanup", "number"]).succeeded();
                }
                made
            });
            let ended = scene.apply();
            stop.store(true, Ordering::Relaxed);
            let made = cleaner.join().unwrap();
            ended.outcome.succeeded();
            made
        });
        scene.assert_new();
        scene.assert_verified();
        scene.assert_old_untouched();
        scene.reset();
        scene.assert_old();
    }
    scene.assert_recovers();
    format!("{rounds} updates while snapper made and removed {removed} snapshots")
}

/// Many updates in a row, each booted, with snapper's clean-up after each: what is in use stays the
/// same.
pub fn many(settings: &Settings, setup: &Setup) -> String {
    let updates = settings.runs(10, 200);
    let mut scene = setup.scene();
    let mut used = Vec::new();
    let mut numbers = Vec::new();
    for update in 1..=updates {
        let _doing = Doing(format!("update {update} of {updates}"));
        let bundle = if update % 2 == 1 { &setup.bundle } else { &setup.first };
        scene.host.tiu("apply", [bundle]).succeeded();
        scene.host.reboot();
        scene.host.snapper(&["cleanup", "number"]).succeeded();
        scene.settle();
        used.push(scene.used() >> 10);
        numbers.push(scene.host.snapshots().len());
        let listed = scene.host.snapshots();
        crate::facts::assert_only_snapshots(&scene.host, &listed);
    }
    scene.assert_verified();
    // Until snapper's limit is reached the use grows; from then on both images take turns.
    let steady = &used[updates.min(8) / 2 + 2..];
    let (least, most) = (steady.iter().min().unwrap(), steady.iter().max().unwrap());
    let last = numbers.last().unwrap();
    let said = format!("{updates} updates, {last} snapshots kept, {least} to {most} KiB in use once steady");
    assert!(numbers.iter().all(|count| *count <= 8), "snapshots pile up: {numbers:?}");
    assert!(most - least <= 1 << 10, "{said}: {used:?}");
    said
}
