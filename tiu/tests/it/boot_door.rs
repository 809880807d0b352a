//! The one door to what boots next, with a boot loader that records the steps, and fails or dies
//! at a chosen one. A new boot loader is tested through the same door.

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use tiu::boot::{
    BootError, BootLoader, Boots, Decides, EntryState, LoaderFacts, Mark, Need, Next, Reconciled, Selected,
    Standing,
};
use tiu::config::{Config, EtcTarget, Initrd};
use tiu::draft::clean_up;
use tiu::edit::{EditError, ResetRequest, View, change, reset};
use tiu::host::Host;
use tiu::outcome::Outcome;
use tiu::rollback;
use tiu::snapshots::Snapshot;
use tiu::state::ImageState;
use tiu::transaction::{self, Applied, ApplyError, Context, KnownImage, Request};
use tiu_bundle::trust::Trust;
use tiu_extract::Verity;
use tiu_source::Network;
use tiu_system::Hint;
use tiu_system::path::TreePath;
use tiu_system::progress::{Cancel, Watch};
use tiu_system::tree::Tree;
use tiu_testing::host::LoopHost;
use tiu_testing::kit::Kit;

/// The answer of the boot loader to a step.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    Fail,
    Die,
}

/// Records each call, as `STEP SNAPSHOT (default DEFAULT)`.
#[derive(Default)]
struct Recorder {
    calls: RefCell<Vec<String>>,
    trap: Option<(&'static str, Then)>,
    /// True if entries decide what boots.
    entries: bool,
    /// The snapshot that did not start.
    exhausted: Option<u32>,
}

impl Recorder {
    fn at(step: &'static str, then: Then) -> Self {
        Recorder { trap: Some((step, then)), ..Recorder::default() }
    }

    /// One whose entries decide.
    fn with_entries() -> Self {
        Recorder { entries: true, ..Recorder::default() }
    }

    fn call(&self, step: &'static str, number: u32, default: u32) -> Result<(), BootError> {
        self.calls.borrow_mut().push(format!("{step} {number} (default {default})"));
        match self.trap {
            Some((trapped, Then::Die)) if trapped == step => std::process::abort(),
            Some((trapped, Then::Fail)) if trapped == step => {
                let source = io::Error::other("the test says so");
                Err(BootError::Loader { what: step, number, source })
            }
            _ => Ok(()),
        }
    }

    fn calls(&self) -> Vec<String> {
        self.calls.take()
    }
}

impl BootLoader for Recorder {
    fn facts(&self) -> LoaderFacts {
        LoaderFacts { loader: "test", why: "the test says so".into(), partition: None, goes_back: false }
    }

    fn decides(&self) -> Decides {
        if self.entries { Decides::Loader } else { Decides::Default }
    }

    fn preflight(&self, _: &Host, _: &Need) -> Result<(), BootError> {
        Ok(())
    }

    fn prepare(&self, target: &Tree) -> Result<Vec<String>, BootError> {
        let number = target.path().parent().unwrap().file_name().unwrap().to_str().unwrap().parse().unwrap();
        self.call("prepare", number, 0)?;
        target.write("boot/entry.test", &b"an entry"[..])?;
        Ok(vec!["boot/entry.test".into()])
    }

    fn stage(&self, host: &Host, snapshot: &Snapshot) -> Result<(), BootError> {
        self.call("stage", snapshot.number, host.default_snapshot()?.number)
    }

    fn select(&self, host: &Host, snapshot: &Snapshot, standing: Standing) -> Result<(), BootError> {
        if self.entries {
            let step = if standing == Standing::Trial { "try" } else { "select" };
            self.call(step, snapshot.number, host.default_snapshot()?.number)?;
            // Whoever reads it is another process, in the tests of a crash.
            std::fs::write(host.root().join("var/selected"), snapshot.number.to_string()).unwrap();
            if self.trap == Some(("selected", Then::Die)) {
                std::process::abort();
            }
        }
        Ok(())
    }

    fn selected(&self, host: &Host) -> Result<Selected, BootError> {
        let file = std::fs::read_to_string(host.root().join("var/selected"));
        let number = match file {
            Ok(text) if self.entries => text.parse().unwrap(),
            _ => host.default_snapshot()?.number,
        };
        Ok(Selected { once: None, next: Boots::Snapshot { number }, then: Boots::Snapshot { number } })
    }

    fn entry(&self, _: &Host, snapshot: &Snapshot) -> Result<EntryState, BootError> {
        Ok(if self.exhausted == Some(snapshot.number) { EntryState::Exhausted(3) } else { EntryState::Good })
    }

    fn mark(&self, host: &Host, snapshot: &Snapshot, mark: Mark) -> Result<(), BootError> {
        let step = if mark == Mark::Good { "good" } else { "bad" };
        self.call(step, snapshot.number, host.default_snapshot()?.number)
    }

    fn forget(&self, host: &Host, snapshot: &Snapshot) -> Result<(), BootError> {
        // The entry goes before the snapshot.
        assert!(host.snapshot_path(snapshot.number).exists());
        self.call("forget", snapshot.number, host.default_snapshot()?.number)
    }

    fn tidy(&self, _: &Host) -> Result<(), BootError> {
        Ok(())
    }
}

/// Applies a bundle to the host that is mounted at `root`, which boots by `loader`.
fn apply(root: &Path, keyring: &Path, bundle: &Path, loader: &dyn BootLoader) -> Result<Applied, ApplyError> {
    let host = Host::open(Some(root)).unwrap();
    let config = Config { initrd: Initrd::None, ..Config::load(root).unwrap() };
    let trust = Trust::from_paths(&[keyring]).unwrap();
    let cancel = Cancel::new();
    let next = Next::new(&host, loader);
    let context = Context { next, config: &config, trust: &trust, watch: Watch::without_progress(&cancel) };
    let request = Request {
        bundle: bundle.into(),
        network: Network::default(),
        verity: Verity::User,
        allow_downgrade: false,
        allow_trust_change: false,
        full: false,
        force: false,
        unattended: false,
        known: KnownImage::default(),
    };
    match transaction::apply(&context, &request)? {
        Outcome::Done(applied) => Ok(applied),
        Outcome::NothingToDo(why) => panic!("{why}"),
    }
}

fn applied(kit: &Kit, host: &LoopHost, version: u32, loader: &Recorder) -> Result<Applied, ApplyError> {
    apply(&host.root(), &kit.keyring(), &kit.bundle(version, |_| {}), loader)
}

/// Resets `/etc/app.conf`, which was changed in snapshot `number`, in a new snapshot.
fn reset_in_snapshot(host: &LoopHost, number: u32, loader: &Recorder) -> Result<u32, EditError> {
    host.edit(number, |root| std::fs::write(root.join("etc/app.conf"), "colour=mine\n").unwrap());
    let opened = Host::open(Some(&host.root())).unwrap();
    let config = Config::load(&host.root()).unwrap();
    let (next, cancel) = (Next::new(&opened, loader), Cancel::new());
    let edit = |tree, number| {
        let view = View::read(ImageState::from_tree(tree, number, None)?, &config)?;
        let paths = [TreePath::literal("etc/app.conf").to_owned()];
        let (host, config) = (&opened, &config);
        reset(&view, ResetRequest { host, config, paths: &paths, allow_trust_change: false }, &cancel)
    };
    change(next, EtcTarget::Snapshot, &cancel, edit).map(|(_, number)| number)
}

#[test]
fn an_update_asks_for_the_entry_before_it_sets_the_default() {
    let (kit, loader) = (Kit::new(), Recorder::default());
    let host = kit.host();
    let done = applied(&kit, &host, 1, &loader).unwrap();
    assert_eq!(loader.calls(), ["prepare 2 (default 0)", "stage 2 (default 1)"]);
    assert_eq!(
        done.generated,
        [TreePath::literal("boot/entry.test").to_owned()],
        "what the boot loader wrote is recorded"
    );
    assert_eq!(host.default(), 2);
}

#[test]
fn an_update_whose_entry_cannot_be_written_is_undone_through_the_door() {
    let kit = Kit::new();
    let host = kit.host();
    let loader = Recorder::at("stage", Then::Fail);
    let error = applied(&kit, &host, 1, &loader).unwrap_err();
    let expected = "boot loader: stage for snapshot 2: the test says so";
    assert_eq!(error.to_string(), expected);
    assert!(error.hint().unwrap().contains("boot partition"));
    assert_eq!(loader.calls(), ["prepare 2 (default 0)", "stage 2 (default 1)", "forget 2 (default 1)"]);
    assert_eq!((host.snapshots(), host.default()), (vec![1], 1));
}

#[test]
fn an_update_whose_files_for_the_boot_loader_cannot_be_written_is_undone() {
    let kit = Kit::new();
    let host = kit.host();
    let loader = Recorder::at("prepare", Then::Fail);
    applied(&kit, &host, 1, &loader).unwrap_err();
    assert_eq!(loader.calls(), ["prepare 2 (default 0)", "forget 2 (default 1)"]);
    assert_eq!((host.snapshots(), host.default()), (vec![1], 1));
}

#[test]
fn a_draft_whose_entry_cannot_be_removed_is_reported_after_the_cause() {
    let kit = Kit::new();
    let host = kit.host();
    // The update fails in check: the boot loader writes what nobody recorded.
    struct Liar(Recorder);
    impl BootLoader for Liar {
        fn facts(&self) -> LoaderFacts {
            self.0.facts()
        }
        fn decides(&self) -> Decides {
            self.0.decides()
        }
        fn preflight(&self, host: &Host, need: &Need) -> Result<(), BootError> {
            self.0.preflight(host, need)
        }
        fn prepare(&self, target: &Tree) -> Result<Vec<String>, BootError> {
            target.write("usr/share/same", &b"changed"[..])?;
            Ok(Vec::new())
        }
        fn stage(&self, host: &Host, snapshot: &Snapshot) -> Result<(), BootError> {
            self.0.stage(host, snapshot)
        }
        fn select(&self, host: &Host, snapshot: &Snapshot, standing: Standing) -> Result<(), BootError> {
            self.0.select(host, snapshot, standing)
        }
        fn selected(&self, host: &Host) -> Result<Selected, BootError> {
            self.0.selected(host)
        }
        fn entry(&self, host: &Host, snapshot: &Snapshot) -> Result<EntryState, BootError> {
            self.0.entry(host, snapshot)
        }
        fn mark(&self, host: &Host, snapshot: &Snapshot, mark: Mark) -> Result<(), BootError> {
            self.0.mark(host, snapshot, mark)
        }
        fn forget(&self, host: &Host, snapshot: &Snapshot) -> Result<(), BootError> {
            self.0.forget(host, snapshot)
        }
        fn tidy(&self, host: &Host) -> Result<(), BootError> {
            self.0.tidy(host)
        }
    }
    let loader = Liar(Recorder::at("forget", Then::Fail));
    let opened = Host::open(Some(&host.root())).unwrap();
    let config = Config { initrd: Initrd::None, ..Config::load(&host.root()).unwrap() };
    let trust = Trust::from_paths(&[kit.keyring()]).unwrap();
    let cancel = Cancel::new();
    let next = Next::new(&opened, &loader);
    let context = Context { next, config: &config, trust: &trust, watch: Watch::without_progress(&cancel) };
    let bundle = kit.bundle(1, |_| {});
    let request = Request {
        bundle: bundle.into(),
        network: Network::default(),
        verity: Verity::User,
        allow_downgrade: false,
        allow_trust_change: false,
        full: false,
        force: false,
        unattended: false,
        known: KnownImage::default(),
    };
    let error = transaction::apply(&context, &request).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("the new snapshot differs from the image"), "{text}");
    assert!(text.contains("removing the unfinished snapshot 2 failed: boot loader: forget"), "{text}");
    assert!(error.hint().unwrap().ends_with("then remove what is left: tiu cleanup"));
    assert_eq!(loader.0.calls(), ["forget 2 (default 1)"], "the entry was never added");
    assert_eq!((host.snapshots(), host.default()), (vec![1, 2], 1));
}

#[test]
fn a_rollback_asks_for_the_entry_of_where_it_goes() {
    let (kit, loader) = (Kit::new(), Recorder::default());
    let host = kit.host();
    applied(&kit, &host, 1, &loader).unwrap();
    loader.calls();
    let opened = Host::open(Some(&host.root())).unwrap();
    rollback::switch(Next::new(&opened, &loader), 1).unwrap();
    assert_eq!(loader.calls(), ["stage 1 (default 2)"]);
    assert_eq!(host.default(), 1);

    let failing = Recorder::at("stage", Then::Fail);
    rollback::switch(Next::new(&opened, &failing), 2).unwrap_err();
    assert_eq!(failing.calls(), ["stage 2 (default 1)"]);
    assert_eq!(host.default(), 1, "without an entry nothing is switched");
}

#[test]
fn a_reset_in_a_new_snapshot_goes_through_the_door() {
    let (kit, loader) = (Kit::new(), Recorder::default());
    let host = kit.host();
    applied(&kit, &host, 1, &loader).unwrap();
    loader.calls();
    assert_eq!(reset_in_snapshot(&host, 2, &loader).unwrap(), 3);
    assert_eq!(loader.calls(), ["stage 3 (default 2)"]);
    assert_eq!(host.default(), 3);

    let failing = Recorder::at("stage", Then::Fail);
    reset_in_snapshot(&host, 3, &failing).unwrap_err();
    assert_eq!(failing.calls(), ["stage 4 (default 3)", "forget 4 (default 3)"]);
    assert_eq!((host.snapshots(), host.default()), (vec![1, 2, 3], 3));
}

#[test]
fn a_deletion_removes_the_entry_first_and_keeps_the_snapshot_where_that_fails() {
    let (kit, loader) = (Kit::new(), Recorder::default());
    let host = kit.host();
    applied(&kit, &host, 1, &loader).unwrap();
    let opened = Host::open(Some(&host.root())).unwrap();
    let failing = Recorder::at("forget", Then::Fail);
    rollback::switch(Next::new(&opened, &loader), 1).unwrap();
    Next::new(&opened, &failing).delete(2).unwrap_err();
    assert_eq!((failing.calls(), host.snapshots()), (vec!["forget 2 (default 1)".into()], vec![1, 2]));
    loader.calls();
    Next::new(&opened, &loader).delete(2).unwrap();
    assert_eq!((loader.calls(), host.snapshots()), (vec!["forget 2 (default 1)".into()], vec![1]));
    Next::new(&opened, &loader).delete(1).unwrap_err();
    assert_eq!(loader.calls(), [""; 0], "the entry of what boots next is never removed");
}

/// Runs an update that dies at `step`, to its end.
fn dying(kit: &Kit, host: &LoopHost, bundle: &Path, step: &str) {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "boot_door::dies", "--ignored", "--nocapture", "--test-threads=1"])
        .env("DOOR_STEP", step)
        .env("DOOR_ROOT", host.root())
        .env("DOOR_BUNDLE", bundle)
        .env("DOOR_KEYRING", kit.keyring())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stderr).into_owned();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&child.status), Some(6), "{step}: {said}");
}

/// A run that dies inside the boot loader: at each step, the old default boots, and the next run
/// cleans up and can update.
#[test]
fn a_run_that_dies_in_the_boot_loader_leaves_the_old_default_and_a_draft() {
    for step in ["prepare", "stage"] {
        let kit = Kit::new();
        let host = kit.host();
        let bundle = kit.bundle(1, |_| {});
        dying(&kit, &host, &bundle, step);
        assert_eq!((host.snapshots(), host.default()), (vec![1, 2], 1), "{step}");
        let loader = Recorder::default();
        let opened = Host::open(Some(&host.root())).unwrap();
        assert_eq!(clean_up(Next::new(&opened, &loader)).unwrap(), [2], "{step}");
        assert_eq!(loader.calls(), ["forget 2 (default 1)"], "{step}");
        let done = applied(&kit, &host, 1, &loader).unwrap();
        assert_eq!(host.default(), done.snapshot, "{step}");
    }
}

#[test]
fn where_entries_decide_the_default_follows_them() {
    let (kit, loader) = (Kit::new(), Recorder::with_entries());
    let host = kit.host();
    applied(&kit, &host, 1, &loader).unwrap();
    let calls = ["prepare 2 (default 0)", "stage 2 (default 1)", "try 2 (default 1)"];
    assert_eq!(loader.calls(), calls);
    assert_eq!(host.default(), 2);
    let opened = Host::open(Some(&host.root())).unwrap();
    rollback::switch(Next::new(&opened, &loader), 1).unwrap();
    assert_eq!(loader.calls(), ["stage 1 (default 2)", "select 1 (default 2)"]);
    assert_eq!(host.default(), 1);
}

#[test]
fn a_run_that_dies_between_the_loader_and_the_default_is_completed_by_the_next_one() {
    let kit = Kit::new();
    let host = kit.host();
    let bundle = kit.bundle(1, |_| {});
    dying(&kit, &host, &bundle, "selected");
    assert_eq!((host.snapshots(), host.default()), (vec![1, 2], 1));
    let loader = Recorder::with_entries();
    let opened = Host::open(Some(&host.root())).unwrap();
    let next = Next::new(&opened, &loader);
    next.delete(2).unwrap_err();
    assert_eq!(next.reconcile().unwrap(), Reconciled::Completed { number: 2 });
    assert_eq!(next.reconcile().unwrap(), Reconciled::InOrder);
    assert_eq!(host.default(), 2);
    assert_eq!(clean_up(next).unwrap(), [0; 0]);
    assert_eq!(opened.snapshot(2).unwrap().userdata["tiu-state"], "done");
    assert_eq!(loader.calls(), [""; 0], "nothing is staged or selected again");
}

#[test]
fn a_default_that_another_program_set_is_taken_over() {
    let (kit, loader) = (Kit::new(), Recorder::with_entries());
    let host = kit.host();
    applied(&kit, &host, 1, &loader).unwrap();
    applied(&kit, &host, 2, &loader).unwrap();
    loader.calls();
    let opened = Host::open(Some(&host.root())).unwrap();
    let tree = host.snapshot(2);
    let set = Command::new("btrfs").args(["subvolume", "set-default"]).arg(tree).status().unwrap();
    assert!(set.success());
    let next = Next::new(&opened, &loader);
    assert_eq!(next.reconcile().unwrap(), Reconciled::Adopted { number: 2 });
    assert_eq!(loader.calls(), ["stage 2 (default 2)", "select 2 (default 2)"]);
    assert_eq!((host.default(), next.selected().unwrap().next.number()), (2, Some(2)));
}

#[test]
fn a_loader_that_went_back_by_itself_is_followed() {
    let (kit, loader) = (Kit::new(), Recorder::with_entries());
    let host = kit.host();
    applied(&kit, &host, 1, &loader).unwrap();
    applied(&kit, &host, 2, &loader).unwrap();
    loader.calls();
    std::fs::write(host.root().join("var/selected"), "2").unwrap();
    let failed = Recorder { exhausted: Some(3), ..Recorder::with_entries() };
    let opened = Host::open(Some(&host.root())).unwrap();
    let reconciled = Next::new(&opened, &failed).reconcile().unwrap();
    assert_eq!(reconciled, Reconciled::WentBack { to: 2, failed: 3 });
    assert_eq!((host.default(), failed.calls()), (2, vec![]));
}

#[test]
fn a_loader_that_boots_something_else_is_an_error_and_the_update_is_undone() {
    /// Ignores what it is asked to boot.
    struct Stubborn(Recorder);
    impl BootLoader for Stubborn {
        fn facts(&self) -> LoaderFacts {
            self.0.facts()
        }
        fn decides(&self) -> Decides {
            Decides::Loader
        }
        fn preflight(&self, _: &Host, _: &Need) -> Result<(), BootError> {
            Ok(())
        }
        fn prepare(&self, _: &Tree) -> Result<Vec<String>, BootError> {
            Ok(Vec::new())
        }
        fn stage(&self, _: &Host, _: &Snapshot) -> Result<(), BootError> {
            Ok(())
        }
        fn select(&self, _: &Host, _: &Snapshot, _: Standing) -> Result<(), BootError> {
            Ok(())
        }
        fn selected(&self, _: &Host) -> Result<Selected, BootError> {
            Ok(Selected {
                once: None,
                next: Boots::Other { name: "another system".into() },
                then: Boots::Nothing,
            })
        }
        fn entry(&self, host: &Host, snapshot: &Snapshot) -> Result<EntryState, BootError> {
            self.0.entry(host, snapshot)
        }
        fn mark(&self, host: &Host, snapshot: &Snapshot, mark: Mark) -> Result<(), BootError> {
            self.0.mark(host, snapshot, mark)
        }
        fn forget(&self, host: &Host, snapshot: &Snapshot) -> Result<(), BootError> {
            self.0.forget(host, snapshot)
        }
        fn tidy(&self, _: &Host) -> Result<(), BootError> {
            Ok(())
        }
    }
    let kit = Kit::new();
    let host = kit.host();
    let loader = Stubborn(Recorder::default());
    let (root, keyring, bundle) = (host.root(), kit.keyring(), kit.bundle(1, |_| {}));
    let error = apply(&root, &keyring, &bundle, &loader).unwrap_err();
    let expected = "snapshot 2 was to boot next, but the boot loader would start another system";
    assert_eq!(error.to_string(), expected);
    assert!(error.hint().unwrap().contains("tiu status"));
    assert_eq!((host.snapshots(), host.default()), (vec![1], 1));
    assert_eq!(loader.0.calls(), ["forget 2 (default 1)"]);
}

/// Not a test: the process that dies, started by the test above.
#[test]
#[ignore = "started by another test"]
fn dies() {
    let path = |name: &str| PathBuf::from(std::env::var_os(name).expect("started by another test"));
    let step = match std::env::var("DOOR_STEP").unwrap().as_str() {
        "prepare" => "prepare",
        "stage" => "stage",
        "selected" => "selected",
        other => panic!("unknown step {other}"),
    };
    let loader = Recorder { entries: step == "selected", ..Recorder::at(step, Then::Die) };
    let _ = apply(&path("DOOR_ROOT"), &path("DOOR_KEYRING"), &path("DOOR_BUNDLE"), &loader);
}
