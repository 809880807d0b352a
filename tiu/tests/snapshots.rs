//! Snapshots of a real host, through real snapper and btrfs.

use tiu::host::{Host, HostError};
use tiu::snapshots::{SnapshotError, State};
use tiu_testing::host::LoopHost;

fn open(host: &LoopHost) -> Host {
    Host::open(Some(&host.root())).unwrap()
}

#[test]
fn a_snapshot_is_made_marked_switched_to_and_deleted() {
    let loop_host = LoopHost::new();
    let host = open(&loop_host);
    let base = host.default_snapshot().unwrap();
    assert_eq!((base.number, base.active, base.read_only, base.state()), (1, true, true, State::Ordinary));
    assert_eq!(base.date, "2024-01-01T00:00:00Z");

    let made = host.create_snapshot(&base, "tiu: testos 2", "2,=x").unwrap();
    assert_eq!((made.number, made.default, made.read_only), (2, false, false));
    assert_eq!(made.state(), State::InProgress);
    assert_eq!(made.userdata["tiu-version"], "2__x");
    assert_eq!(made.parent_uuid.as_deref(), Some(base.uuid.as_str()));

    host.set_userdata(2, &[("tiu-state", "done")]).unwrap();
    host.set_read_only(2, true).unwrap();
    host.set_default(2).unwrap();
    assert_eq!(loop_host.default(), 2);
    let made = host.snapshot(2).unwrap();
    assert_eq!((made.state(), made.read_only, made.default, made.active), (State::Done, true, true, false));

    for (number, why) in [(1, "is running"), (2, "boots next")] {
        let error = host.delete_snapshot(number).unwrap_err();
        assert!(matches!(error, SnapshotError::InUse { why: found, .. } if found == why), "{error}");
    }
    host.set_default(1).unwrap();
    host.delete_snapshot(2).unwrap();
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
    host.create_snapshot(&base, "x", "2").unwrap();
    let etc = loop_host.snapshot(2).join("etc");
    assert!(libbtrfsutil::is_subvolume(&etc).unwrap());
    std::fs::write(etc.join("hostname"), "changed").unwrap();
    assert_eq!(std::fs::read_to_string(loop_host.snapshot(1).join("etc/hostname")).unwrap(), "test-host\n");
    host.delete_snapshot(2).unwrap();
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
