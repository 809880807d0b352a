//! The host's lock, and tiu's own directory in which it lies.

use rustix::process::Signal;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tiu::host::{Host, HostError};
use tiu_testing::host::LoopHost;
use tiu_testing::kit::Kit;
use tiu_testing::program::json;

fn home(host: &LoopHost) -> PathBuf {
    host.root().join(".snapshots/.tiu")
}

/// A host on which no tiu has worked yet.
fn fresh() -> LoopHost {
    let host = LoopHost::new();
    fs::remove_dir_all(home(&host)).unwrap();
    host
}

fn open(host: &LoopHost) -> Host {
    Host::open(Some(&host.root())).unwrap()
}

/// A process that ends with the test.
struct Helper(Child);

impl Helper {
    /// Starts `command` and waits for a line of it.
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        Helper(child)
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A user who is not root holds a lock on `path` with flock(1).
fn locked_by_a_user(path: &Path) -> Helper {
    let mut flock = Command::new("setpriv");
    flock.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "flock", "--nonblock"]);
    Helper::start(flock.arg(path).args(["sh", "-c", "echo ready; exec cat"]))
}

#[test]
fn a_user_who_locks_the_snapshots_stops_nobody() {
    let kit = Kit::new();
    let host = kit.host();
    let snapshots = host.root().join(".snapshots");
    fs::set_permissions(&snapshots, PermissionsExt::from_mode(0o755)).unwrap();
    fs::set_permissions(host.scratch(), PermissionsExt::from_mode(0o755)).unwrap();
    let _user = locked_by_a_user(&snapshots);
    let applied = host.tiu("apply", [kit.bundle(1, |_| {})]).succeeded();
    assert!(applied.stdout.contains("warning: every user can enter"), "{}", applied.stdout);
    assert!(applied.stdout.contains("chmod 0750"), "{}", applied.stdout);
}

#[test]
fn snapshots_that_only_root_can_enter_are_no_warning() {
    let kit = Kit::new();
    let host = kit.host();
    let planned =
        host.tiu("apply", [kit.bundle(1, |_| {}).as_os_str(), "--dry-run".as_ref(), "--json".as_ref()]);
    let warnings = json(&planned.succeeded())["warnings"].to_string();
    assert!(!warnings.contains("enter"), "{warnings}");
}

#[test]
fn only_root_can_reach_the_lock() {
    let host = fresh();
    let held = open(&host).lock().unwrap();
    let mode = |path: &Path| path.metadata().unwrap().mode() & 0o7777;
    assert_eq!(mode(&home(&host)), 0o700);
    assert_eq!(mode(&home(&host).join("lock")), 0o600);
    drop(held);
    // What somebody opened up is closed again.
    fs::set_permissions(home(&host), PermissionsExt::from_mode(0o777)).unwrap();
    fs::set_permissions(home(&host).join("lock"), PermissionsExt::from_mode(0o666)).unwrap();
    std::os::unix::fs::chown(home(&host).join("lock"), Some(65534), Some(65534)).unwrap();
    drop(open(&host).lock().unwrap());
    assert_eq!(mode(&home(&host)), 0o700);
    assert_eq!(mode(&home(&host).join("lock")), 0o600);
    assert_eq!(home(&host).join("lock").metadata().unwrap().uid(), 0);
}

#[test]
fn a_lock_that_was_removed_while_it_was_held_is_made_again() {
    let host = fresh();
    let (one, two) = (open(&host), open(&host));
    let _held = one.lock().unwrap();
    fs::remove_file(home(&host).join("lock")).unwrap();
    let _other = two.lock().unwrap();
    assert!(matches!(one.lock(), Err(HostError::Locked { holder: Some(pid) }) if pid == std::process::id()));
}

#[test]
fn something_else_in_place_of_the_lock_is_named_and_not_touched() {
    let target = |host: &LoopHost| host.scratch().join("target");
    let make: [fn(&Path, &Path); 5] = [
        |path, target| symlink(target, path).unwrap(),
        |path, target| {
            fs::write(target, "").unwrap();
            symlink(target, path).unwrap();
        },
        |path, _| fs::create_dir(path).unwrap(),
        |path, _| assert!(Command::new("mkfifo").arg(path).status().unwrap().success()),
        |path, _| {
            let mknod = Command::new("mknod").arg(path).args(["c", "1", "3"]).status();
            assert!(mknod.unwrap().success());
        },
    ];
    for make in make {
        let host = fresh();
        fs::create_dir(home(&host)).unwrap();
        make(&home(&host).join("lock"), &target(&host));
        let existed = target(&host).exists();
        let cleanup = host.tiu::<&str>("cleanup", []);
        cleanup.refused(&[".snapshots/.tiu/lock is not a regular file", "remove it"]);
        assert_eq!(target(&host).exists(), existed);
    }
    let host = fresh();
    fs::write(home(&host), "").unwrap();
    host.tiu::<&str>("cleanup", []).refused(&[".snapshots/.tiu", "is not a directory", "remove it"]);
    fs::remove_file(home(&host)).unwrap();
    symlink("/tmp", home(&host)).unwrap();
    host.tiu::<&str>("cleanup", []).refused(&[".snapshots/.tiu", "is not a directory"]);
}

#[test]
fn a_dry_run_makes_no_lock() {
    let kit = Kit::new();
    let host = kit.host();
    fs::remove_dir_all(home(&host)).unwrap();
    let before = host.state();
    host.tiu("apply", [kit.bundle(1, |_| {}).as_os_str(), "--dry-run".as_ref()]).succeeded();
    assert_eq!(host.state(), before);
}

#[test]
fn snapper_lists_and_cleans_up_next_to_the_directory() {
    let kit = Kit::new();
    let host = kit.host();
    host.tiu("apply", [kit.bundle(1, |_| {})]).succeeded();
    let listed = host.snapper(&["--csvout", "list", "--columns", "number"]).succeeded().stdout;
    assert_eq!(listed.split_whitespace().collect::<Vec<_>>(), ["number", "0", "1", "2"]);
    host.snapper(&["cleanup", "number"]).succeeded();
    host.snapper(&["cleanup", "empty-pre-post"]).succeeded();
    host.snapper(&["create", "--description", "later"]).succeeded();
    assert!(home(&host).join("lock").is_file());
    assert_eq!(host.snapshots(), [1, 2, 3]);
}

/// A filesystem that never answers, mounted at `path` until it is dropped.
struct Hanging(PathBuf, Option<Helper>);

impl Hanging {
    fn mount(path: &Path) -> Self {
        fs::create_dir(path).unwrap();
        let program = "import ctypes, os, sys\n\
            fd = os.open('/dev/fuse', os.O_RDWR)\n\
            libc = ctypes.CDLL(None, use_errno=True)\n\
            options = f'fd={fd},rootmode=40000,user_id=0,group_id=0'.encode()\n\
            if libc.mount(b'test', sys.argv[1].encode(), b'fuse', 6, options): raise OSError(ctypes.get_errno(), 'mount')\n\
            print('ready', flush=True)\nsys.stdin.read()\n";
        Hanging(path.to_owned(), Some(Helper::start(Command::new("python3").args(["-c", program]).arg(path))))
    }
}

impl Drop for Hanging {
    fn drop(&mut self) {
        // Without its server, the filesystem answers with errors.
        self.1 = None;
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[test]
fn a_bundle_on_a_medium_that_hangs_holds_no_lock_and_can_be_cancelled() {
    let kit = Kit::new();
    let host = kit.host();
    let medium = Hanging::mount(&kit.path("medium"));
    for signal in [Signal::INT, Signal::TERM] {
        let bundle = medium.0.join("system.tiu");
        let mut run = host.start("apply", [bundle.as_os_str(), "--progress".as_ref(), "none".as_ref()]);
        run.wait_until(Duration::from_millis(500));
        assert!(!run.ended());
        drop(open(&host).lock().expect("the lock is free"));
        run.signal(signal);
        let ended = run.end();
        assert_eq!(ended.outcome.code, Some(130), "{}", ended.outcome.stderr);
        assert!(ended.took < Duration::from_secs(10), "{:?}", ended.took);
    }
}
