//! Snapshots of a real host, through real snapper and btrfs.

use tiu::boot::{BootError, Next, Standing, boot_loader};
use tiu::config::Config;
use tiu::draft::{Draft, ImageName};
use tiu::host::{Host, HostError};
use tiu::snapshots::{Snapshot, SnapshotError, Start, State};
use tiu_system::progress::Cancel;
use tiu_testing::host::LoopHost;

fn open(host: &LoopHost) -> Host {
    Host::open(Some(&host.root())).unwrap()
}

/// Calls `f` with the door to what boots next.
fn at_door<T>(host: &Host, f: impl FnOnce(Next) -> T) -> T {
    f(Next::new(host, &*boot_loader(host, &Config::default())))
}

/// Makes an unfinished snapshot of `base`, as a run that is cut off leaves it.
fn create(host: &Host, base: &Snapshot, description: &str, version: &str) -> Snapshot {
    let image = ImageName { version: version.into(), compatible: "testos".into() };
    at_door(host, |next| {
        let draft = Draft::open(next, base, description, image, Start::Copy).unwrap();
        host.snapshot(draft.number()).unwrap()
    })
}

fn set_default(host: &Host, number: u32) {
    let snapshot = host.snapshot(number).unwrap();
    at_door(host, |next| next.switch(&snapshot, Standing::Kept, &Cancel::new())).unwrap();
}

fn delete(host: &Host, number: u32) -> Result<(), BootError> {
    at_door(host, |next| next.delete(number))
}

#[test]
fn a_snapshot_is_made_marked_switched_to_and_deleted() {
    let loop_host = LoopHost::new();
    let host = open(&loop_host);
    let base = host.default_snapshot().unwrap();
    assert_eq!((base.number, base.active, base.read_only, base.state()), (1, true, true, State::Ordinary));
    assert_eq!(base.date, "2024-01-01T00:00:00Z");

    let made = create(&host, &base, "tiu: testos 2", "2,=x");
    assert_eq!((made.number, made.default, made.read_only), (2, false, false));
    assert_eq!(made.state(), State::InProgress);
    assert_eq!(made.userdata["tiu-version"], "2__x");
    assert_eq!(made.parent_uuid.as_deref(), Some(base.uuid.as_str()));

    host.set_userdata(2, &[("tiu-state", "done")]).unwrap();
    host.set_read_only(2, true).unwrap();
    set_default(&host, 2);
    assert_eq!(loop_host.default(), 2);
    let made = host.snapshot(2).unwrap();
    assert_eq!((made.state(), made.read_only, made.default, made.active), (State::Done, true, true, false));

    for (number, why) in [(1, "is running"), (2, "boots next")] {
        let error = delete(&host, number).unwrap_err();
        assert!(
            matches!(error, BootError::Snapshot(SnapshotError::InUse { why: found, .. }) if found == why),
            "{error}"
        );
    }
    set_default(&host, 1);
    delete(&host, 2).unwrap();
    assert_eq!(loop_host.snapshots(), [1]);
    let error = host.snapshot(2).unwrap_err();
    assert_eq!(error.to_string(), "there is no snapshot 2; there are: 1");
}

#[test]
fn a_nested_etc_subvolume_is_in_the_new_snapshot_and_goes_with_it() {
    let loop_host = LoopHost::new();
    loop_host.edit(1, |root| {
        std::fs::rename(root.join("etc"), root.join("plain")).unwrap();
        libbtrfsutil::create_subvolume(root.join("etc")).unwrap();
        let status = std::process::Command::new("cp")
            .arg("-aT")
            .arg(root.join("plain"))
            .arg(root.join("etc"))
            .status();
        assert!(status.unwrap().success());
    });
    let host = open(&loop_host);
    let base = host.default_snapshot().unwrap();
    create(&host, &base, "x", "2");
    let etc = loop_host.snapshot(2).join("etc");
    assert!(libbtrfsutil::is_subvolume(&etc).unwrap());
    std::fs::write(etc.join("hostname"), "changed").unwrap();
    assert_eq!(std::fs::read_to_string(loop_host.snapshot(1).join("etc/hostname")).unwrap(), "test-host\n");
    delete(&host, 2).unwrap();
    assert_eq!(loop_host.snapshots(), [1]);
}

#[test]
fn the_lock_is_one_for_all_mounts_of_the_host_and_free_when_its_holder_is_gone() {
    let loop_host = LoopHost::new();
    let second = loop_host.scratch().join("keep");
    std::fs::create_dir_all(&second).unwrap();
    let mount = |source: &str, target: &std::path::Path, options: &str| {
        let status = std::process::Command::new("mount").args(["-o", options, source]).arg(target).status();
        assert!(status.unwrap().success());
    };
    mount(loop_host.device(), &second, "defaults");
    mount(loop_host.device(), &second.join(".snapshots"), "subvol=@/.snapshots");
    let (one, two) = (open(&loop_host), Host::open(Some(&second)).unwrap());
    let held = one.lock().unwrap();
    assert!(matches!(two.lock(), Err(HostError::Locked { .. })));
    drop(held);
    two.lock().unwrap();
}

/// `btrfs subvolume snapshot` of snapshot 1, in a directory without snapper's entry: what a power
/// cut inside `snapper create` leaves.
fn unlisted(host: &LoopHost, number: u32) {
    std::fs::create_dir_all(host.snapshot(number).parent().unwrap()).unwrap();
    libbtrfsutil::CreateSnapshotOptions::new().create(host.snapshot(1), host.snapshot(number)).unwrap();
}

#[test]
fn a_subvolume_that_snapper_was_cut_off_before_it_listed_it_is_removed_and_nobody_else_s() {
    let loop_host = LoopHost::new();
    let host = open(&loop_host);
    // Somebody's own, from before.
    unlisted(&loop_host, 7);
    let base = host.default_snapshot().unwrap();
    tiu::snapshots::begin_creation(&host, &base).unwrap();
    unlisted(&loop_host, 2);
    libbtrfsutil::create_subvolume(loop_host.snapshot(2).join("nested")).unwrap();
    // Cut off before there was a subvolume, and while the entry was written.
    std::fs::create_dir_all(loop_host.root().join(".snapshots/3")).unwrap();
    std::fs::write(loop_host.root().join(".snapshots/3/info.xml.tmp-abc"), "<").unwrap();
    // Of another parent: not what was being made.
    std::fs::create_dir_all(loop_host.snapshot(8).parent().unwrap()).unwrap();
    libbtrfsutil::create_subvolume(loop_host.snapshot(8)).unwrap();

    let cleaned = loop_host.tiu("cleanup", ["--json"]).succeeded();
    let report: serde_json::Value = serde_json::from_str(&cleaned.stdout).unwrap();
    assert_eq!(report["removed"], serde_json::json!([2, 3]));
    assert_eq!(loop_host.snapshots(), [1, 7, 8]);
    assert!(
        !loop_host.root().join(".snapshots/2").exists() && !loop_host.root().join(".snapshots/3").exists()
    );
    assert_eq!(loop_host.tiu("cleanup", [""; 0]).code, Some(77));
}

#[test]
fn an_entry_without_a_subvolume_that_a_deletion_was_cut_off_in_is_removed_if_it_is_ours() {
    let loop_host = LoopHost::new();
    let host = open(&loop_host);
    create(&host, &host.default_snapshot().unwrap(), "x", "2");
    loop_host.snapper(&["create", "--userdata", "tiu-state=done"]).succeeded();
    for number in [2, 3] {
        libbtrfsutil::DeleteSubvolumeOptions::new().delete(loop_host.snapshot(number)).unwrap();
    }
    assert_eq!(loop_host.tiu("cleanup", [""; 0]).succeeded().stdout, "Removed the unfinished snapshot 2.\n");
    let there = |number: u32| loop_host.snapshot(number).parent().unwrap().exists();
    assert_eq!((there(2), there(3)), (false, true));
}

#[test]
fn an_entry_of_ours_whose_change_was_cut_off_is_completed_or_goes_with_its_snapshot() {
    let loop_host = LoopHost::new();
    let host = open(&loop_host);
    let base = host.default_snapshot().unwrap();
    for number in [2, 3, 4] {
        create(&host, &base, "x", "2");
        std::fs::write(loop_host.root().join(format!(".snapshots/{number}/info.xml.tmp-abc")), "<").unwrap();
    }
    host.set_userdata(3, &[("tiu-state", "checked")]).unwrap();
    set_default(&host, 3);
    loop_host.snapper(&["modify", "--userdata", "tiu-state=", "4"]).succeeded();
    loop_host.tiu("cleanup", [""; 0]).succeeded();
    let inside = |number: u32| {
        let names = std::fs::read_dir(loop_host.root().join(format!(".snapshots/{number}"))).ok()?;
        let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        Some(names.join(" ".as_ref()))
    };
    assert_eq!(inside(2), None);
    assert_eq!(inside(3), Some("info.xml snapshot".into()));
    assert_eq!(inside(4), Some("info.xml info.xml.tmp-abc snapshot".into()), "not ours");
    assert_eq!(host.snapshot(3).unwrap().userdata["tiu-state"], "done");
}

#[test]
fn an_unlisted_subvolume_is_somebody_s_own_if_no_run_was_cut_off() {
    let loop_host = LoopHost::new();
    let host = open(&loop_host);
    let base = host.default_snapshot().unwrap();
    create(&host, &base, "x", "2");
    delete(&host, 2).unwrap();
    unlisted(&loop_host, 2);
    assert_eq!(loop_host.tiu("cleanup", [""; 0]).code, Some(77));
    assert_eq!(loop_host.snapshots(), [1, 2]);
}

#[test]
fn a_snapper_that_still_writes_its_entry_is_waited_for() {
    let loop_host = LoopHost::new();
    let host = open(&loop_host);
    tiu::snapshots::begin_creation(&host, &host.default_snapshot().unwrap()).unwrap();
    unlisted(&loop_host, 2);
    let entry = loop_host.root().join(".snapshots/2/info.xml");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(std::time::Duration::from_millis(500));
            let text = std::fs::read_to_string(loop_host.root().join(".snapshots/1/info.xml")).unwrap();
            std::fs::write(entry, text.replace("<num>1<", "<num>2<")).unwrap();
        });
        assert_eq!(tiu::snapshots::clean_up_creation(&host).unwrap(), [0; 0]);
    });
    assert_eq!(host.snapshot(2).unwrap().number, 2);
}
