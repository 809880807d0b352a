//! `kill -9` at random moments. Half of the kills hit the process group, as from a terminal: snapper, in a group of its own, goes on.
//! The other half hit every process of the run at once, as systemd does: snapper too is cut off in the middle.

use crate::run::Doing;
use crate::scene::{OLD, Scene, Setup};
use crate::{Settings, facts};
use std::collections::BTreeMap;

/// Least share of the kills that must hit a run that has not ended.
const INSIDE: f64 = 0.8;
/// After so many kills it is measured anew how long a run takes.
const MEASURED: usize = 8;

pub fn run(settings: &Settings, setup: &Setup) -> String {
    let runs = settings.runs(40, 500);
    let mut random = settings.random("kill");
    let mut scene = setup.scene();
    let mut inside = 0;
    let mut left = BTreeMap::<&str, usize>::new();
    for run in 1..=runs {
        if run % MEASURED == 0 {
            scene.undisturbed();
        }
        let moment = scene.length().mul_f64(1.1 * random.fraction());
        let all = random.below(2) == 0;
        let what = if all { "all processes" } else { "the process group" };
        let _doing = Doing(format!(
            "kill {run} of {runs}: {what}, {:.3} s after the start (runs take {:.3} s), seed {}",
            moment.as_secs_f64(),
            scene.length().as_secs_f64(),
            settings.seed
        ));
        let mut running = scene.start();
        running.wait_until(moment);
        let hit = !running.ended();
        inside += usize::from(hit);
        match all {
            true => running.kill_all(),
            false => running.kill_group(),
        }
        running.end();
        *left.entry(if hit { look(&scene) } else { "after the end" }).or_default() += 1;
        match scene.host.default() {
            OLD => scene.assert_old(),
            _ => {
                scene.assert_new();
                scene.assert_old_untouched();
            }
        }
        // At once: what snapper still does for the dead run must not be in the way.
        scene.assert_recovers();
        running.wait_for_all();
        scene.reset();
    }
    let left: Vec<String> = left.into_iter().map(|(what, count)| format!("{count} {what}")).collect();
    let said = format!("{runs} kills, {inside} inside the run: {}", left.join(", "));
    assert!(inside as f64 >= INSIDE * runs as f64, "too few kills hit a run: {said}");
    said
}

/// What the kill has left, for the figures.
fn look(scene: &Scene) -> &'static str {
    if scene.host.default() != OLD {
        return "with the new default set";
    }
    match facts::beside(&scene.host, &[1, OLD]) {
        facts::Beside::Nothing => "before the snapshot",
        facts::Beside::Unlisted => "with a folder that snapper does not list",
        facts::Beside::Listed => "with an unfinished snapshot",
    }
}
