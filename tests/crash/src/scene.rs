//! The scene of most scenarios: a host that runs image 1 with an administrator's changes, bundles
//! of images 1 and 2, and what the host is before and after an update that nobody disturbs.

use crate::facts::{self, Around, Closeness, Facts};
use crate::run;
use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tiu_testing::host::LoopHost;
use tiu_testing::kit::Kit;
use tiu_testing::program::tool;
use tiu_testing::running::{Ended, Running};
use tiu_testing::system::dracut;
use tiu_testing::tree;

/// Snapshot that boots next when the scene begins.
pub const OLD: u32 = 2;
/// Size of the host's disk in MiB.
const DISK: u64 = 768;
/// Size of image 2's initrd in MiB.
const INITRD: u64 = 4;
/// The time for which a run is held after it has changed the default.
const HELD: Duration = Duration::from_secs(1);

/// The start of all scenarios; each has a copy of the host.
pub struct Setup {
    pub kit: Kit,
    /// Image 1.
    pub first: PathBuf,
    /// Image 2.
    pub bundle: PathBuf,
    host: LoopHost,
    /// The old default as it must stay.
    old: Facts,
    /// The new default as it must become.
    pub new: Facts,
    /// The durations of undisturbed runs.
    lengths: Vec<Duration>,
}

/// A host, and what is expected of it.
pub struct Scene<'a> {
    pub setup: &'a Setup,
    pub host: LoopHost,
    /// TMPDIR of the runs.
    pub temporary: TempDir,
    /// See [`Setup`]
    pub old: Facts,
    around: Around,
    lengths: Vec<Duration>,
    /// The duration of the last run that cleaned up after another.
    recovery: Duration,
}

/// Makes a small system one of some thousand files and some MiB; between two versions a third of
/// the files differs.
pub fn image(root: &Path, version: u32) {
    for i in 0..2500u64 {
        let seed = if i % 3 == 0 { i + 100_000 * u64::from(version) } else { i };
        if i % 17 == u64::from(version) % 17 {
            continue;
        }
        let path = format!("usr/lib/many/{}/{i}", i / 25);
        tree::file(root, &path, tree::noise(seed, (i * 37 % 6000) as usize));
        if i % 11 == u64::from(version) % 11 {
            fs::set_permissions(root.join(&path), fs::Permissions::from_mode(0o4711)).unwrap();
        }
    }
    for i in 0..4 {
        tree::file(root, &format!("usr/lib/large-{i}"), tree::noise(900 + i * u64::from(version), 1 << 20));
    }
    tree::file(root, "etc/both.conf", format!("image {version}\n"));
    // Users and groups are merged: those of version 2 need another number than they ask for.
    tree::file(root, "usr/lib/sysusers.d/app.conf", format!("u web 300\nu only-{version} 301\n"));
    tree::file(root, "usr/lib/web", "web\n");
    std::os::unix::fs::chown(root.join("usr/lib/web"), Some(300), Some(300)).unwrap();
}

impl Setup {
    pub fn new(reuse: &str) -> Self {
        let kit = Kit::new();
        let mut host = LoopHost::with(DISK, |root| {
            kit.configure(root);
            let config = root.join("etc/tiu/tiu.yaml");
            let text =
                fs::read_to_string(&config).unwrap() + &format!("allow-downgrade: true\nreuse: {reuse}\n");
            fs::write(config, text).unwrap();
            let config = root.join("etc/snapper/configs/root");
            let text = fs::read_to_string(&config).unwrap() + "NUMBER_MIN_AGE=\"0\"\nNUMBER_LIMIT=\"4\"\n";
            fs::write(config, text).unwrap();
        });
        let first = kit.bundle(1, |root| image(root, 1));
        host.tiu("apply", [&first]).succeeded();
        host.edit(OLD, |root| {
            tree::file(root, "etc/app.conf", "colour=red\n");
            tree::file(root, "etc/both.conf", "the administrator's\n");
            tree::file(root, "etc/admin/own", "own\n");
            let passwd = fs::read_to_string(root.join("etc/passwd")).unwrap();
            tree::file(root, "etc/passwd", passwd + "ada:x:1000:1000::/home/ada:/bin/sh\n");
        });
        host.shut_down();
        let bundle = kit.bundle(2, |root| {
            image(root, 2);
            let write = format!("dd if=/dev/zero of=\"$image\" bs=1048576 count={INITRD} status=none\n");
            dracut(root, &write);
        });
        let (old, new) = (Facts::default(), Facts::default());
        let mut setup = Setup { kit, first, bundle, host, old, new, lengths: vec![] };
        let scene = setup.scene();
        let old = facts::read(&scene.host.snapshot(OLD), Closeness::Untouched);
        let first = scene.apply();
        first.outcome.succeeded();
        scene.assert_verified();
        let new = facts::read(&scene.host.snapshot(scene.host.default()), Closeness::Same);
        drop(scene);
        (setup.old, setup.new, setup.lengths) = (old, new, vec![first.took]);
        setup
    }

    /// A scene in the system's folder for temporary files. One at a time.
    pub fn scene(&self) -> Scene<'_> {
        self.scene_in(&std::env::temp_dir())
    }

    /// A scene whose host's disk lies below `parent`.
    pub fn scene_in(&self, parent: &Path) -> Scene<'_> {
        let host = self.host.copy(parent);
        let temporary = tempfile::tempdir().unwrap();
        let around = facts::around(&host, temporary.path());
        let (old, lengths) = (self.old.clone(), self.lengths.clone());
        Scene { setup: self, host, temporary, old, around, lengths, recovery: Duration::MAX }
    }
}

impl Scene<'_> {
    /// An update that nothing disturbs: how long it takes here and now.
    pub fn undisturbed(&mut self) {
        let ended = self.apply();
        ended.outcome.succeeded();
        self.lengths.push(ended.took);
        self.assert_new();
        self.reset();
    }

    /// Begins an update to image 2.
    pub fn start(&self) -> Running {
        self.start_with(&self.setup.bundle)
    }

    /// Begins an update with another bundle.
    pub fn start_with(&self, bundle: &Path) -> Running {
        run::apply(&self.host, self.temporary.path(), [bundle])
    }

    /// Begins an update to image 2 that is held when it has changed the default.
    pub fn start_held(&self) -> Running {
        run::apply_held(HELD, &self.host, self.temporary.path(), [&self.setup.bundle])
    }

    /// Returns as soon as a run that is held there has changed the default.
    #[track_caller]
    pub fn wait_for_the_switch(&self, running: &mut Running) {
        let top = fs::File::open(self.host.root()).unwrap();
        let default = || tiu_system::ioctl::default_subvolume(top.as_fd()).unwrap();
        let before = default();
        let began = Instant::now();
        while default() == before {
            assert!(!running.ended(), "{:?}", running.end().outcome);
            assert!(began.elapsed() < Duration::from_secs(60), "waited in vain for the switch");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// That run has not gone on since.
    #[track_caller]
    pub fn assert_held(&self) {
        assert_eq!(self.state(), "checked", "tiu was not held at the switch");
    }

    /// `tiu-state` of what boots next.
    pub fn state(&self) -> String {
        let path = self.host.root().join(format!(".snapshots/{}/info.xml", self.host.default()));
        let text: String = fs::read_to_string(path).unwrap().split_whitespace().collect();
        let value = text.split_once("<key>tiu-state</key><value>").and_then(|(_, rest)| rest.split_once('<'));
        value.map(|(value, _)| value.to_owned()).unwrap_or_default()
    }

    /// An update to image 2, to its end.
    pub fn apply(&self) -> Ended {
        self.start().end()
    }

    /// Returns the duration of an undisturbed run: the lower quartile of the last ones, because
    /// other programs come and go on the machine. The duration of the run just before counts if it
    /// was shorter, although one that cleans up after another has more to do.
    pub fn length(&self) -> Duration {
        let last = self.lengths.len().saturating_sub(5);
        let mut lengths = self.lengths[last..].to_vec();
        lengths.sort();
        lengths[lengths.len() / 4].min(self.recovery)
    }

    /// The old default boots next, and not one byte or time of it has changed.
    #[track_caller]
    pub fn assert_old(&self) {
        assert_eq!(self.host.default(), OLD, "the default");
        self.assert_old_untouched();
    }

    /// Whatever boots next, the old default is what it was.
    #[track_caller]
    pub fn assert_old_untouched(&self) {
        self.old
            .assert_equal(&facts::read(&self.host.snapshot(OLD), Closeness::Untouched), "the old default");
    }

    /// A new snapshot boots next, and it is what an undisturbed run makes.
    #[track_caller]
    pub fn assert_new(&self) {
        let default = self.host.default();
        assert_ne!(default, OLD, "the default");
        self.setup
            .new
            .assert_equal(&facts::read(&self.host.snapshot(default), Closeness::Same), "the new default");
    }

    /// Checks that the snapshot that boots next equals its signed index.
    #[track_caller]
    pub fn assert_verified(&self) {
        let number = self.host.default().to_string();
        self.host.tiu("verify", [&number]).succeeded();
    }

    /// No mounts, loop devices or temporary files have stayed, and no lock.
    #[track_caller]
    pub fn assert_nothing_leaked(&self) {
        // The kernel lets a loop device go a moment after its last user.
        let settled = (0..100).any(|_| {
            let settled = facts::around(&self.host, self.temporary.path()) == self.around;
            if !settled {
                std::thread::sleep(Duration::from_millis(20));
            }
            settled
        });
        if !settled {
            assert_eq!(facts::around(&self.host, self.temporary.path()), self.around, "something leaked");
        }
        let file = fs::File::open(self.host.root().join(".snapshots/.tiu/lock")).unwrap();
        let lock = rustix::fs::FlockOperation::NonBlockingLockExclusive;
        rustix::fs::flock(&file, lock).expect("the host's lock is still held");
    }

    /// A run that failed has undone what it did.
    #[track_caller]
    pub fn assert_undone(&self) {
        self.assert_old();
        self.assert_nothing_leaked();
        facts::assert_only_snapshots(&self.host, &[1, OLD]);
    }

    /// After whatever happened: the next run succeeds at once, its result is right, and it has
    /// cleaned up what was left.
    #[track_caller]
    pub fn assert_recovers(&mut self) {
        let ended = self.apply();
        match self.host.default() {
            // The disturbed run had got through.
            _ if ended.outcome.code == Some(77) => {}
            _ => {
                ended.outcome.succeeded();
                self.recovery = ended.took;
            }
        }
        self.assert_new();
        self.assert_verified();
        self.assert_old_untouched();
        self.assert_nothing_leaked();
        facts::assert_only_snapshots(&self.host, &[1, OLD, self.host.default()]);
    }

    /// Waits until what was deleted is gone from the disk, too.
    #[track_caller]
    pub fn settle(&self) {
        let root = self.host.root();
        let list = ["subvolume".as_ref(), "list".as_ref(), "-d".as_ref(), root.as_os_str()];
        for _ in 0..1000 {
            // Otherwise btrfs begins with that at its next commit, in up to half a minute.
            libbtrfsutil::sync(&root).unwrap();
            if tool("btrfs", "btrfs-progs", &list).succeeded().stdout.trim().is_empty() {
                // Only now what they had counts as free.
                return libbtrfsutil::sync(&root).unwrap();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("deleted snapshots stay");
    }

    /// Bytes that are free, as statvfs(3) tells.
    pub fn free(&self) -> u64 {
        let stat = rustix::fs::statvfs(self.host.root()).unwrap();
        stat.f_bavail * stat.f_frsize
    }

    /// Bytes that are in use.
    pub fn used(&self) -> u64 {
        let stat = rustix::fs::statvfs(self.host.root()).unwrap();
        (stat.f_blocks - stat.f_bfree) * stat.f_frsize
    }

    /// Back to the old default alone.
    pub fn reset(&self) {
        let old = self.host.snapshot(OLD);
        let set = ["subvolume".as_ref(), "set-default".as_ref(), old.as_os_str()];
        tool("btrfs", "btrfs-progs", &set).succeeded();
        for number in self.host.snapshots().into_iter().filter(|number| *number > OLD) {
            self.host.snapper(&["delete", &number.to_string()]).succeeded();
        }
        facts::assert_only_snapshots(&self.host, &[1, OLD]);
    }
}
