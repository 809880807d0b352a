//! The bundle becomes bad while it is read: blocks change, the file is truncated, or its medium is
//! gone. A run then fails and undoes everything, or has already read all that it needs.

use crate::run::Doing;
use crate::scene::{OLD, Setup};
use crate::settings::Settings;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tiu_testing::program::tool;
use tiu_testing::random::Random;

/// The treatment of the bundle.
#[derive(Clone, Copy, Debug)]
enum Damage {
    /// Its second half is overwritten.
    Overwritten,
    /// It ends in the middle.
    Truncated,
    /// The disk that its filesystem is on ends in the middle: reads give EIO.
    Gone,
}

pub fn run(settings: &Settings, setup: &Setup) -> String {
    let runs = settings.runs(9, 60);
    let mut random = settings.random("source");
    let mut scene = setup.scene();
    let mut said = Vec::new();
    for damage in [Damage::Overwritten, Damage::Truncated, Damage::Gone] {
        let (mut failures, mut successes) = (0, 0);
        for run in 1..=runs.div_ceil(3) {
            // The first at once, so that at least one is in time.
            let moment = scene.length().mul_f64(if run == 1 { 0.0 } else { 0.8 * random.fraction() });
            let _doing = Doing(format!(
                "bundle {damage:?} {:.3} s after the start (runs take {:.3} s), seed {}",
                moment.as_secs_f64(),
                scene.length().as_secs_f64(),
                settings.seed
            ));
            let medium = Medium::new(&setup.bundle, damage);
            let mut running = scene.start_with(&medium.bundle);
            running.wait_until(moment);
            medium.damage(damage, &mut random);
            let outcome = running.end().outcome;
            if scene.host.default() == OLD {
                failures += 1;
                outcome.refused(&[]);
                scene.assert_undone();
            } else {
                successes += 1;
                outcome.succeeded();
                scene.assert_new();
                scene.assert_old_untouched();
                scene.assert_nothing_leaked();
                scene.reset();
            }
        }
        assert!(failures > 0, "{damage:?}: no run noticed");
        said.push(format!("{damage:?}: {failures} failed and undid everything, {successes} were through"));
    }
    scene.assert_recovers();
    said.join("; ")
}

/// A filesystem with a copy of the bundle.
struct Medium {
    dir: TempDir,
    bundle: PathBuf,
}

impl Medium {
    fn new(bundle: &Path, damage: Damage) -> Self {
        let dir = tempfile::Builder::new().prefix("tiu-medium.").tempdir().unwrap();
        let mut medium = Medium { bundle: dir.path().join("bundle.tiu"), dir };
        if let Damage::Gone = damage {
            let mounted = medium.dir.path().join("mounted");
            fs::create_dir(&mounted).unwrap();
            let stick = medium.stick();
            File::create(&stick).unwrap().set_len(64 << 20).unwrap();
            tool("mkfs.ext4", "e2fsprogs", &["-q".as_ref(), "-O^has_journal".as_ref(), stick.as_os_str()])
                .succeeded();
            let mount = |options: &str| {
                let arguments = ["-o".as_ref(), options.as_ref(), stick.as_os_str(), mounted.as_os_str()];
                tool("mount", "mount", &arguments).succeeded();
            };
            mount("loop");
            medium.bundle = mounted.join("bundle.tiu");
            fs::copy(bundle, &medium.bundle).unwrap();
            // Mounted anew: nothing of it is in memory.
            tool("umount", "mount", &[mounted.as_os_str()]).succeeded();
            mount("loop,ro");
        } else {
            fs::copy(bundle, &medium.bundle).unwrap();
        }
        medium
    }

    fn stick(&self) -> PathBuf {
        self.dir.path().join("stick")
    }

    fn damage(&self, damage: Damage, random: &mut Random) {
        let file = |path: &Path| File::options().write(true).open(path).unwrap();
        match damage {
            Damage::Overwritten => {
                let length = fs::metadata(&self.bundle).unwrap().len() / 2;
                let noise = tiu_testing::tree::noise(random.number(), length as usize);
                file(&self.bundle).write_all_at(&noise, length).unwrap();
            }
            Damage::Truncated => {
                let length = fs::metadata(&self.bundle).unwrap().len();
                file(&self.bundle).set_len(random.number() % (length / 2)).unwrap();
            }
            Damage::Gone => file(&self.stick()).set_len(2 << 20).unwrap(),
        }
    }
}

impl Drop for Medium {
    fn drop(&mut self) {
        let mounted = self.dir.path().join("mounted");
        if mounted.exists() {
            let _ = rustix::mount::unmount(&mounted, rustix::mount::UnmountFlags::DETACH);
        }
    }
}
