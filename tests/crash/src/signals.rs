//! SIGTERM at random moments: the run ends with 130 and has undone everything, or it had passed its
//! last step and ends with 0.

use crate::run::Doing;
use crate::scene::{OLD, Setup};
use crate::settings::Settings;
use rustix::process::Signal;

pub fn run(settings: &Settings, setup: &Setup) -> String {
    let runs = settings.runs(10, 100);
    let mut random = settings.random("signals");
    let mut scene = setup.scene();
    let (mut cancelled, mut done, mut early) = (0, 0, 0);
    // Chance does not decide how many signals come early.
    for moment in random.strata(runs) {
        let moment = scene.length().mul_f64(moment);
        let _doing = Doing(format!(
            "SIGTERM {:.3} s after the start (runs take {:.3} s), seed {}",
            moment.as_secs_f64(),
            scene.length().as_secs_f64(),
            settings.seed
        ));
        let mut running = scene.start();
        running.wait_until(moment);
        running.signal(Signal::TERM);
        let outcome = running.end().outcome;
        match outcome.code {
            Some(130) => {
                cancelled += 1;
                assert!(outcome.stderr.contains("cancelled"), "{}", outcome.stderr);
                assert!(running.processes().is_empty(), "processes are left: {:?}", running.processes());
                scene.assert_undone();
            }
            // Before tiu had begun to listen it has done nothing.
            None => {
                early += 1;
                scene.assert_undone();
            }
            _ => {
                done += 1;
                outcome.succeeded();
                assert_ne!(scene.host.default(), OLD);
                scene.assert_new();
                scene.assert_old_untouched();
                scene.assert_nothing_leaked();
                scene.reset();
            }
        }
    }
    assert!(cancelled * 2 > runs, "only {cancelled} of {runs} were cancelled");
    scene.assert_recovers();
    format!("{cancelled} cancelled and undone, {early} ended before they began, {done} were through")
}
