//! `kill -9` at random moments. Half of the kills hit the process group, as from a terminal:
//! snapper, in its own group, continues. The other half hit every process of the run at once, as
//! systemd does: snapper is interrupted too.

use crate::facts;
use crate::run::Doing;
use crate::scene::{OLD, Scene, Setup};
use crate::settings::Settings;
use std::collections::BTreeMap;

/// Least share of the kills that must hit a run that has not ended.
const INSIDE: f64 = 0.8;
/// The last moment of a kill, in lengths of a run.
const LAST: f64 = 1.1;
/// After so many kills it is measured again how long a run takes.
const MEASURED: usize = 8;
/// Of so many runs that clean up after another one is killed, too.
const TWICE: usize = 4;

pub fn run(settings: &Settings, setup: &Setup) -> String {
    let runs = settings.runs(40, 500);
    let mut random = settings.random("kill");
    let mut scene = setup.scene();
    let (mut inside, mut twice) = (0, 0);
    let mut left = BTreeMap::<&str, usize>::new();
    // Each kill has a stretch of the time of its own, so that chance decides neither how many of
    // them are late nor which parts of a run are never hit.
    let moments = random.strata(runs);
    for (run, moment) in (1..).zip(moments) {
        if run % MEASURED == 0 {
            scene.undisturbed();
        }
        let moment = scene.length().mul_f64(LAST * moment);
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
        if all {
            running.kill_all();
        } else {
            running.kill_group();
        }
        running.end();
        *left.entry(if hit { state_after(&scene) } else { "after the end" }).or_default() += 1;
        match scene.host.default() {
            OLD => scene.assert_old(),
            _ => {
                scene.assert_new();
                scene.assert_old_untouched();
            }
        }
        // At once: what snapper still does for the dead run must not be in the way.
        if random.below(TWICE) == 0 {
            let mut second = scene.start();
            second.wait_until(scene.length().mul_f64(random.fraction()));
            twice += usize::from(!second.ended());
            second.kill_all();
            second.end();
            scene.assert_old_untouched();
        }
        scene.assert_recovers();
        running.wait_for_all();
        scene.reset();
    }
    right_after_the_switch(&mut scene);
    let left: Vec<String> = left.into_iter().map(|(what, count)| format!("{count} {what}")).collect();
    let said = format!(
        "{runs} kills, {inside} inside the run: {}; {twice} of the next runs killed, too",
        left.join(", ")
    );
    assert!(inside as f64 >= INSIDE * runs as f64, "too few kills hit a run: {said}");
    said
}

/// There are milliseconds between the switch and the note of it. A run that is killed there has
/// done its work; the next one, which has nothing else to do, notes it.
fn right_after_the_switch(scene: &mut Scene) {
    let _doing = Doing("a kill right after the switch".into());
    let mut running = scene.start_held();
    scene.wait_for_the_switch(&mut running);
    scene.assert_held();
    running.kill_all();
    running.end();
    scene.assert_new();
    assert_eq!(scene.apply().outcome.code, Some(77));
    assert_eq!(scene.state(), "done");
    scene.assert_recovers();
    scene.reset();
}

/// Returns the state that the kill has left, for the figures.
fn state_after(scene: &Scene) -> &'static str {
    if scene.host.default() != OLD {
        return "with the new default set";
    }
    match facts::beside(&scene.host, &[1, OLD]) {
        facts::Beside::Nothing => "before the snapshot",
        facts::Beside::Unlisted => "with a folder that snapper does not list",
        facts::Beside::Listed => "with an unfinished snapshot",
    }
}
