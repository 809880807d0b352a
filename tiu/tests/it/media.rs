//! `tiu media`: a stick, as a filesystem in a file. It has ext4, which every kernel that tests run on
//! has; that the default does not allow it is one of the tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tiu_testing::host::LoopHost;
use tiu_testing::kit::Kit;
use tiu_testing::program::{RunOutput, outcome};
use tiu_testing::tree::file;

/// A stick on a loop device, gone when it is dropped.
struct Stick {
    device: PathBuf,
    _disk: tempfile::NamedTempFile,
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|e| panic!("{program} does not start: {e}"));
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

impl Stick {
    /// Makes one with the filesystem that `mkfs` makes, with `fill` in its folder.
    fn new(mkfs: &[&str], fill: impl FnOnce(&Path)) -> Self {
        let disk = tempfile::NamedTempFile::new().unwrap();
        disk.as_file().set_len(128 << 20).unwrap();
        let path = disk.path().to_str().unwrap();
        run(mkfs[0], &[&mkfs[1..], &[path]].concat());
        let device = run("losetup", &["--find", "--show", path]);
        let stick = Stick { device: device.into(), _disk: disk };
        stick.with(fill);
        stick
    }

    fn ext4(fill: impl FnOnce(&Path)) -> Self {
        Self::new(&["mkfs.ext4", "-q", "-F", "-L", "TIU"], fill)
    }

    /// Mounts it for the test.
    fn with<T>(&self, work: impl FnOnce(&Path) -> T) -> T {
        let at = tempfile::tempdir().unwrap();
        run("mount", &[self.device.to_str().unwrap(), at.path().to_str().unwrap()]);
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(at.path())));
        run("umount", &[at.path().to_str().unwrap()]);
        done.unwrap()
    }
}

impl Drop for Stick {
    fn drop(&mut self) {
        let _ = Command::new("losetup").arg("--detach").arg(&self.device).status();
    }
}

fn host(kit: &Kit, more: &str) -> LoopHost {
    kit.host_with(512, |root| {
        let text = format!("compatible: testos\nkeyring: /etc/tiu/keyring.pem\n{more}");
        file(root, "etc/tiu/tiu.yaml", text);
    })
}

/// `tiu media`, in a mount namespace as the unit has one.
fn media(host: &LoopHost, stick: &Stick) -> RunOutput {
    let inner = host.command("media");
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "slave"]).arg(inner.get_program()).args(inner.get_args());
    outcome(command.arg("--at").arg(host.scratch().join("medium")).arg(&stick.device))
}

fn copy(bundle: &Path, stick: &Path, name: &str) {
    fs::create_dir_all(stick.join("tiu")).unwrap();
    fs::copy(bundle, stick.join("tiu").join(name)).unwrap();
}

#[test]
fn the_newest_bundle_of_a_stick_is_applied_once() {
    let kit = Kit::new();
    let mut host = host(&kit, "usb: apply\nusb-filesystems: [ext4]\nusb-report: true\n");
    let (one, two) = (kit.bundle(1, |_| {}), kit.bundle(2, |_| {}));
    let stick = Stick::ext4(|stick| {
        copy(&one, stick, "one.tiu");
        copy(&two, stick, "two.tiu");
        fs::write(stick.join("tiu/empty.tiu"), "").unwrap();
    });
    let mounts = host.mounts();
    let applied = media(&host, &stick).succeeded();
    assert!(applied.stdout.contains("Snapshot 2 is testos version 2"), "{}", applied.stdout);
    // The report is for vfat alone, and its absence stops nothing.
    let warning = "was not written: its filesystem is ext4, and only vfat is written to";
    assert!(applied.stderr.contains(warning), "{}", applied.stderr);
    assert_eq!((host.default(), host.mounts()), (2, mounts));
    host.reboot();
    let again = media(&host, &stick);
    assert_eq!(again.code, Some(77), "{}", again.stderr);
    assert_eq!(host.default(), 2);
}

#[test]
fn a_stick_is_ignored_or_announced_as_configured() {
    let kit = Kit::new();
    let bundle = kit.bundle(1, |_| {});
    let stick = Stick::ext4(|stick| copy(&bundle, stick, "one.tiu"));
    let silent = host(&kit, "");
    let ignored = media(&silent, &stick);
    assert_eq!(ignored.code, Some(77), "{}", ignored.stderr);
    assert!(ignored.stderr.contains("media are ignored on this host"), "{}", ignored.stderr);
    let announcing = host(&kit, "usb: announce\nusb-filesystems: ext4\n");
    let before = announcing.default();
    let announced = media(&announcing, &stick).succeeded();
    assert!(announced.stdout.contains("It would apply one.tiu."), "{}", announced.stdout);
    assert_eq!(announcing.default(), before);
}

#[test]
fn a_filesystem_that_is_not_allowed_is_never_mounted() {
    let kit = Kit::new();
    let host = host(&kit, "usb: apply\n");
    let bundle = kit.bundle(1, |_| {});
    let fill = |stick: &Path| copy(&bundle, stick, "one.tiu");
    let ext4 = Stick::ext4(fill);
    media(&host, &ext4).refused(&["has the filesystem \"ext4\"", "only vfat, exfat, iso9660"]);
    let uuid = run("blkid", &["-o", "value", "-s", "UUID", host.device()]);
    // The host's own UUID: the kernel would take one for the other. It is not mounted here either.
    let twin = Stick::ext4(|_| {});
    run("mkfs.btrfs", &["-q", "-f", "-U", &fresh_uuid(&uuid), twin.device.to_str().unwrap()]);
    media(&host, &twin).refused(&["has the filesystem \"btrfs\""]);
    let empty = Stick::ext4(|_| {});
    run("wipefs", &["-q", "-a", empty.device.to_str().unwrap()]);
    media(&host, &empty).refused(&["has the filesystem \"\""]);
    assert_eq!(host.default(), 1);
}

/// mkfs.btrfs refuses a UUID that is mounted; one digit apart is as good for this test.
fn fresh_uuid(uuid: &str) -> String {
    let (head, last) = uuid.split_at(uuid.len() - 1);
    format!("{head}{}", if last == "0" { "1" } else { "0" })
}

#[test]
fn ext4_is_mounted_where_it_is_allowed_and_its_links_are_not_followed() {
    let kit = Kit::new();
    let host = host(&kit, "usb: apply\nusb-filesystems: [ext4]\n");
    let bundle = kit.bundle(1, |_| {});
    let outside = kit.path("outside.tiu");
    fs::copy(&bundle, &outside).unwrap();
    let stick = Stick::ext4(|stick| {
        fs::create_dir(stick.join("tiu")).unwrap();
        std::os::unix::fs::symlink(&outside, stick.join("tiu/out.tiu")).unwrap();
        fs::File::create(stick.join("tiu/huge\n.tiu")).unwrap().set_len(5 << 30).unwrap();
    });
    media(&host, &stick).refused(&["no bundle that can be used", "out.tiu", "symbolic"]);
    assert_eq!(host.default(), 1);
    stick.with(|stick| copy(&bundle, stick, "good.tiu"));
    media(&host, &stick).succeeded();
    assert_eq!(host.default(), 2);
}

#[test]
fn a_stick_with_too_many_files_or_no_folder_is_refused() {
    let kit = Kit::new();
    let host = host(&kit, "usb: apply\nusb-filesystems: [ext4]\n");
    let stick = Stick::ext4(|_| {});
    media(&host, &stick).refused(&["/tiu cannot be read"]);
    stick.with(|stick| {
        fs::create_dir(stick.join("tiu")).unwrap();
        for number in 0..10_001 {
            fs::File::create(stick.join(format!("tiu/{number}"))).unwrap();
        }
    });
    media(&host, &stick).refused(&["has more than 10000 entries"]);
}
