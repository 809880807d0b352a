//! The plugin of snapper: snapper-hooks/snapper/60-tiu, and what it calls.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tiu::boot::{
    BootError, BootLoader, Boots, Decides, EntryState, LoaderFacts, Mark, Need, Next, Selected, Standing,
};
use tiu::hooks::{SnapperEvent, on_snapper_event};
use tiu::host::Host;
use tiu::snapshots::Snapshot;
use tiu_system::tree::Tree;
use tiu_testing::host::LoopHost;
use tiu_testing::kit::Kit;
use tiu_testing::live;
use tiu_testing::tree;

fn plugin() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../snapper-hooks/snapper/60-tiu")
}

/// A boot loader that only notes which entries it is to forget, by UUID.
#[derive(Default)]
struct Recording(RefCell<Vec<String>>);

impl BootLoader for Recording {
    fn facts(&self) -> LoaderFacts {
        LoaderFacts { loader: "none", why: "a test".into(), partition: None, goes_back: false }
    }
    fn decides(&self) -> Decides {
        Decides::Default
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
        Ok(Selected { once: None, next: Boots::Nothing, then: Boots::Nothing })
    }
    fn entry(&self, _: &Host, _: &Snapshot) -> Result<EntryState, BootError> {
        Ok(EntryState::Missing)
    }
    fn forget(&self, _: &Host, snapshot: &Snapshot) -> Result<(), BootError> {
        self.0.borrow_mut().push(snapshot.uuid.clone());
        Ok(())
    }
    fn mark(&self, _: &Host, _: &Snapshot, _: Mark) -> Result<(), BootError> {
        Ok(())
    }
    fn tidy(&self, _: &Host) -> Result<(), BootError> {
        Ok(())
    }
}

/// A host with snapshots 1, 2 and 3, of which 3 runs and boots next.
fn host(kit: &Kit) -> LoopHost {
    let mut host = kit.host();
    for version in [1, 2] {
        host.tiu("apply", [kit.bundle(version, |_| {})]).succeeded();
        host.reboot();
    }
    host
}

#[test]
fn the_entry_of_a_snapshot_goes_before_it_is_deleted_and_no_other() {
    let kit = Kit::new();
    let loop_host = host(&kit);
    let host = Host::open(Some(&loop_host.root())).unwrap();
    let loader = Recording::default();
    let next = Next::new(&host, &loader);
    let second = host.snapshot(2).unwrap();
    let call = |numbers: &[u32]| on_snapper_event(next, &SnapperEvent::Deleting(numbers.to_vec())).unwrap();
    assert_eq!(call(&[2]), [2]);
    assert_eq!(*loader.0.borrow(), std::slice::from_ref(&second.uuid));
    // What runs and boots next stays bootable, and a snapshot that does not exist has no entry.
    assert_eq!(call(&[3, 9]), [0; 0]);
    // While another tiu works, it is the one that forgets.
    let other = Host::open(Some(&loop_host.root())).unwrap();
    let _lock = other.lock().unwrap();
    assert_eq!(call(&[2]), [0; 0]);
    assert_eq!(loader.0.borrow().len(), 1);
}

#[test]
fn a_plugin_that_is_called_wrongly_says_so_and_changes_nothing() {
    let kit = Kit::new();
    let host = host(&kit);
    let before = host.state();
    for arguments in [&[][..], &["delete-snapshot-pre"], &["delete-snapshot-pre", "/", "btrfs", "x"]] {
        host.tiu("snapper-event", arguments).refused(&["expected a subvolume, a filesystem"]);
    }
    for arguments in [&["an-event-to-come"][..], &["create-snapshot-post", "/", "btrfs", "7"], &["--odd"]] {
        host.tiu("snapper-event", arguments).succeeded();
    }
    assert_eq!(host.state(), before);
}

/// Recorded calls: every event that snapper has reaches `tiu` with all its arguments.
#[test]
fn the_plugin_hands_every_event_on() {
    let root = tempfile::tempdir().unwrap();
    tree::script(root.path(), "tiu", "#!/bin/sh\nprintf '%s|' \"$@\"\n");
    let script = fs::read_to_string(plugin()).unwrap();
    let here = root.path().join("tiu");
    let script = script.replace("/usr/bin/tiu", here.to_str().unwrap());
    tree::script(root.path(), "60-tiu", &script);
    let call = |arguments: &[&str]| {
        let output = Command::new(root.path().join("60-tiu")).args(arguments).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    for event in ["create-snapshot-post", "delete-snapshot-pre", "delete-snapshot", "rollback-post"] {
        let (code, said) = call(&[event, "/", "btrfs", "7", "8"]);
        assert_eq!((code, said), (Some(0), format!("snapper-event|{event}|/|btrfs|7|8|")));
    }
    // A host from which tiu was removed.
    fs::remove_file(here).unwrap();
    assert_eq!(call(&["delete-snapshot-pre", "/", "btrfs", "7"]), (Some(0), String::new()));
}

/// This machine's snapper, on the running system, with the plugin.
#[test]
fn snapper_itself_calls_the_plugin_and_goes_on() {
    let kit = Kit::new();
    let mut host = kit.host();
    let tree_with_plugin = |root: &Path| {
        live::installed(root);
        let text = fs::read_to_string(plugin()).unwrap();
        tree::script(root, "usr/lib/snapper/plugins/60-tiu", &text);
        let log = "#!/bin/sh\necho \"$@\" >>/var/events\n";
        tree::script(root, "usr/lib/snapper/plugins/90-log", log);
    };
    host.tiu("apply", [kit.bundle(1, tree_with_plugin)]).succeeded();
    host.reboot();
    let script = "snapper --no-dbus create --description mine\nsnapper --no-dbus delete 3\n";
    live::shell(&host, script, [""; 0]).succeeded();
    assert_eq!(host.snapshots(), [1, 2]);
    let events = fs::read_to_string(host.root().join("var/events")).unwrap();
    let deleted: Vec<&str> = events.lines().filter(|line| line.starts_with("delete-snapshot")).collect();
    assert!(!deleted.is_empty(), "snapper called no plugin:\n{events}");
    for line in deleted {
        assert!(line.ends_with("/ btrfs 3"), "{line}");
    }
    // tiu's own snapper calls the plugin too, while tiu holds its lock.
    live::tiu(&host, &[], ["etc", "reset", "/etc/app.conf"]);
    live::tiu(&host, &[], ["status"]).succeeded();
}
