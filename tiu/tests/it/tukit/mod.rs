//! `tiu update --tukit`, with a stand-in for transactional-update that calls the plugin as tukit 6.1
//! does.

use std::fs;
use std::path::Path;
use tiu_testing::host::LoopHost;
use tiu_testing::kit::Kit;
use tiu_testing::live;
use tiu_testing::program::RunOutput;
use tiu_testing::system;
use tiu_testing::tree;

const HOOKS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../snapper-hooks/tukit");

/// Adds the stand-in, with the programs that it calls.
fn with_transactional_update(root: &Path) {
    live::installed(root);
    let programs = [
        "/bin/umount",
        "/bin/mkdir",
        "/bin/rmdir",
        "/bin/rm",
        "/usr/bin/btrfs",
        "/usr/bin/unshare",
        "/usr/bin/setpriv",
    ];
    system::programs(root, &programs);
    tree::script(root, "usr/sbin/transactional-update", include_str!("transactional-update"));
    let plugin = fs::read_to_string(Path::new(HOOKS).join("tiu")).unwrap();
    tree::script(root, "usr/lib/tukit/plugins/tiu", &plugin);
}

/// A host that runs version 1 with transactional-update, and has version 2 in its folder.
fn host(kit: &Kit) -> LoopHost {
    let mut host = kit.host_with(512, |root| {
        let text = "compatible: testos\nkeyring: /etc/tiu/keyring.pem\nupdate: /srv/updates\n";
        tree::file(root, "etc/tiu/tiu.yaml", text);
    });
    fs::create_dir(host.root().join("srv/updates")).unwrap();
    host.tiu("apply", [kit.bundle(1, with_transactional_update)]).succeeded();
    host.reboot();
    fs::copy(kit.bundle(2, with_transactional_update), host.root().join("srv/updates/two.tiu")).unwrap();
    fs::write(host.root().join("var/base"), "2\n").unwrap();
    host
}

fn update(host: &LoopHost) -> RunOutput {
    live::shell(host, "exec tiu update --tukit --progress none", [""; 0])
}

/// The calls that the stand-in made of the plugin, one a line.
fn calls(host: &LoopHost) -> Vec<String> {
    let text = fs::read_to_string(host.root().join("var/calls")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn fault(host: &LoopHost, name: &str) {
    fs::write(host.root().join("var/fault"), name).unwrap();
}

/// As doc/tukit-plugins.md and the order of the script's tasks say.
fn documented() -> Vec<String> {
    let bind = "/tmp/transactional-update-x 3";
    let mut calls = vec!["init-pre".to_owned(), format!("init-post {bind}")];
    let keep = [format!("keep-pre {bind}"), "keep-post 3".to_owned()];
    let resume = ["resume-pre 3".to_owned(), format!("resume-post {bind}")];
    calls.extend(keep.clone());
    for command in [
        "dracut --force --regenerate-all",
        "bash -c '/usr/sbin/grub2-mkconfig --output=/boot/grub2/grub.cfg'",
        "/sbin/pbl --install",
    ] {
        calls.extend(resume.clone());
        calls.extend(["pre", "post"].map(|when| format!("execute-{when} {bind} {command}")));
        calls.extend(keep.clone());
    }
    calls.extend(resume);
    calls.extend([format!("finalize-pre {bind}"), "finalize-post 3".to_owned()]);
    calls
}

#[test]
fn transactional_update_makes_the_snapshot_and_tiu_fills_and_checks_it() {
    let kit = Kit::new();
    let mut host = host(&kit);
    let updated = update(&host).succeeded();
    assert!(updated.stdout.contains("Snapshot 3 is testos version 2"), "{}", updated.stdout);
    assert_eq!(calls(&host), documented());
    assert_eq!((host.snapshots(), host.default()), (vec![1, 2, 3], 3));
    assert_eq!(fs::read_to_string(host.snapshot(3).join("usr/share/only-2")).unwrap(), "here");
    let listed = host.snapper(&["list", "--columns", "number,userdata,cleanup"]).succeeded().stdout;
    assert!(listed.contains("tiu-state=done") && listed.contains("tiu-version=2"), "{listed}");
    assert!(!listed.contains("transactional-update-in-progress"), "{listed}");
    host.reboot();
    // The time of /usr is the image's again, and the initrd that transactional-update made is known.
    let verified = host.tiu("verify", ["3", "--accept", "/boot/grub2/grub.cfg"]);
    assert_eq!(verified.code, Some(0), "{}\n{}", verified.stdout, verified.stderr);
    let nothing = update(&host);
    assert_eq!(nothing.code, Some(77), "{}", nothing.stderr);
}

#[test]
fn a_failure_anywhere_leaves_the_old_default_and_no_snapshot() {
    let kit = Kit::new();
    let host = host(&kit);
    for (name, words) in [
        ("vanished", &["gave up because of tiu's plugin", "is not the mounted snapshot 3"][..]),
        ("initrd", &["transactional-update failed"]),
        ("tamper", &["gave up because of tiu's plugin", "differs from the image", "usr/share/same"]),
    ] {
        fault(&host, name);
        update(&host).refused(words);
        assert_eq!((host.snapshots(), host.default()), (vec![1, 2], 2), "{name}");
        assert!(!host.root().join("run/tiu/tukit.json").exists(), "{name}");
    }
    // The next one has another start: nothing is left of these.
    fault(&host, "");
    update(&host).succeeded();
}

#[test]
fn a_crash_of_transactional_update_leaves_a_snapshot_that_cleanup_removes() {
    let kit = Kit::new();
    let host = host(&kit);
    fault(&host, "crash");
    update(&host).refused(&["transactional-update failed"]);
    assert_eq!((host.snapshots(), host.default()), (vec![1, 2, 3], 2));
    host.tiu("cleanup", [""; 0]).succeeded();
    assert_eq!(host.snapshots(), [1, 2]);
}

#[test]
fn a_default_that_does_not_run_is_refused() {
    let kit = Kit::new();
    let host = host(&kit);
    // Another snapshot of the same image, which is not a pending update.
    host.edit(2, |root| tree::file(root, "etc/app.conf", "mine\n"));
    host.tiu("etc", ["reset", "/etc/app.conf"]).succeeded();
    update(&host).refused(&["snapshot 3 boots next and does not run", "lose it"]);
    assert_eq!(calls(&host), [""; 0]);
}

#[test]
fn a_plugin_that_is_missing_or_switched_off_is_noticed_before_anything_happens() {
    let kit = Kit::new();
    let host = host(&kit);
    host.edit(2, |root| fs::remove_file(root.join("usr/lib/tukit/plugins/tiu")).unwrap());
    update(&host).refused(&["would not call tiu", "missing"]);
    host.edit(2, |root| {
        fs::create_dir_all(root.join("etc/tukit/plugins")).unwrap();
        std::os::unix::fs::symlink("/dev/null", root.join("etc/tukit/plugins/tiu")).unwrap();
    });
    update(&host).refused(&["would not call tiu", "switched off"]);
    assert_eq!(calls(&host), [""; 0]);
}

#[test]
fn transactional_update_by_itself_is_not_touched_by_the_plugin() {
    let kit = Kit::new();
    let host = host(&kit);
    live::shell(&host, "/usr/sbin/transactional-update --no-selfupdate initrd bootloader", [""; 0])
        .succeeded();
    assert_eq!(calls(&host), documented());
    assert_eq!(host.default(), 3);
    assert!(!host.snapshot(3).join("usr/share/only-2").exists());
}

#[test]
fn a_plugin_that_is_called_wrongly_says_so() {
    let kit = Kit::new();
    let host = host(&kit);
    let call = |arguments: &[&str]| host.tiu("tukit-event", arguments);
    call(&[]).refused(&["expected the arguments of tukit"]);
    call(&["init-post", "/tmp/x"]).refused(&["found [\"/tmp/x\"]"]);
    call(&["a-stage-to-come"]).succeeded();
}
