//! Generated damage: each file that a host needs, damaged in each way, met by each command.
//!
//! A command heals the damage, or refuses, names the file and changes nothing. It never waits
//! without end and never panics. After the obvious repair the update works, and after an update
//! that healed, the next one has nothing to do and verify is content.
//!
//! By default, each file meets some damages, and all files together meet all of them.
//! `TIU_TEST_LONG=1` runs every combination.

use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use tiu_testing::host::LoopHost;
use tiu_testing::kit::Kit;
use tiu_testing::tree;

/// A way in which a file is damaged.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Damage {
    Missing,
    Empty,
    Truncated,
    Garbage,
    OtherOwner,
    Immutable,
    DanglingLink,
    LoopingLink,
    Directory,
    Fifo,
    /// A block that the disk returns with an error.
    Unreadable,
}

const DAMAGES: [Damage; 11] = [
    Damage::Missing,
    Damage::Empty,
    Damage::Truncated,
    Damage::Garbage,
    Damage::OtherOwner,
    Damage::Immutable,
    Damage::DanglingLink,
    Damage::LoopingLink,
    Damage::Directory,
    Damage::Fifo,
    Damage::Unreadable,
];

/// A file of the host.
struct File {
    /// Path below the snapshot that boots next, or, with a slash in front, below the host's root.
    path: &'static str,
    /// True if an update has all it needs to write the file again.
    heals: bool,
    /// The words of a refusal, besides the file's name.
    names: &'static [&'static str],
}

const fn host(path: &'static str, names: &'static [&'static str]) -> File {
    File { path, heals: false, names }
}

const fn image(path: &'static str) -> File {
    File { path, heals: true, names: &[] }
}

const STATE: [File; 5] = [
    // Without it, nothing is known to be an image.
    File { path: "usr/lib/sysimage/tiu/bundle.cms", heals: true, names: &["not made by tiu"] },
    image("usr/lib/sysimage/tiu/index.zst"),
    image("usr/lib/sysimage/tiu/etc.json"),
    // Without it, the initrd is nobody's.
    File { path: "usr/lib/sysimage/tiu/generated.json", heals: true, names: &["boot/initramfs"] },
    image("usr/lib/sysimage/tiu/etc/app.conf"),
];
const SYSTEM: [File; 5] = [
    image("usr/lib/os-release"),
    image("usr/lib/modules/6.1.1-test/vmlinuz"),
    image("usr/share/same"),
    image("boot/initramfs-6.1.1-test.img"),
    image("usr/lib/tiu/image.yaml"),
];
const CONFIGURATION: [File; 5] = [
    host("etc/tiu/tiu.yaml", &["in the configuration"]),
    host("etc/tiu/keyring.pem", &["keyring"]),
    host("etc/tiu/ca.crl", &["revocation", "crl"]),
    host("etc/snapper/configs/root", &["snapper"]),
    host("etc/fstab", &[]),
];
const ACCOUNTS: [File; 3] =
    [host("etc/passwd", &["account", "root"]), host("etc/group", &[]), host("etc/shadow", &[])];
const SNAPSHOTS: [File; 3] = [
    host("/.snapshots/2/info.xml", &["snapshot 2", "snapshots", "snapper"]),
    host("/.snapshots/.tiu/state.json", &[]),
    host("/.snapshots/.tiu/lock", &[]),
];

/// A host with version 1, shut down, which is copied for each case.
struct Bench {
    kit: Kit,
    host: LoopHost,
    second: PathBuf,
    /// Copies of the files before they are damaged.
    good: PathBuf,
}

fn is_long() -> bool {
    std::env::var_os("TIU_TEST_LONG").is_some_and(|value| value == "1")
}

fn run(program: &str, arguments: &[&OsStr]) -> bool {
    let output = Command::new(program).args(arguments).output();
    output.unwrap_or_else(|e| panic!("{program}: {e}")).status.success()
}

impl Bench {
    fn new(files: &[File]) -> Self {
        let kit = Kit::new();
        let crl = tiu_testing::pki::revocation_list(&kit.authority, &[], 1_600_000_000, 4_000_000_000);
        let policy = |root: &Path| {
            tree::file(root, "usr/lib/tiu/image.yaml", "version: 1\netc:\n  always-image: []\n")
        };
        let mut host = kit.host_with(512, |root| {
            fs::write(root.join("etc/tiu/ca.crl"), crl.to_pem().unwrap()).unwrap();
            let yaml = "compatible: testos\nkeyring: /etc/tiu/keyring.pem\ncrl: /etc/tiu/ca.crl\n";
            tree::file(root, "etc/tiu/tiu.yaml", yaml);
            tree::file(root, "etc/passwd", "root:x:0:0::/root:/bin/sh\nada:x:1000:1000::/home/ada:/bin/sh\n");
            tree::file(root, "etc/group", "root:x:0:\nada:x:1000:\n");
            tree::file(root, "etc/shadow", "root:*:19000::::::\nada:secret:19000::::::\n");
        });
        host.tiu("apply", [kit.bundle(1, policy)]).succeeded();
        host.reboot();
        let good = kit.path("good");
        for file in files {
            let to = good.join(file.path.trim_start_matches('/'));
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            let from = place(&host, file.path);
            assert!(run("cp", &["-a".as_ref(), from.as_os_str(), to.as_os_str()]), "{}", file.path);
        }
        host.shut_down();
        let second = kit.bundle(2, policy);
        Bench { kit, host, second, good }
    }

    fn copy(&self) -> LoopHost {
        self.host.copy(self.kit.keyring().parent().unwrap())
    }
}

/// Returns the path of a file of the table.
fn place(host: &LoopHost, path: &str) -> PathBuf {
    match path.strip_prefix('/') {
        Some(path) => host.root().join(path),
        None => host.snapshot(2).join(path),
    }
}

/// Changes the file, in a snapshot that may be read-only.
fn change_file(host: &LoopHost, path: &str, change: impl FnOnce(&Path)) {
    if path.starts_with('/') {
        return change(&place(host, path));
    }
    host.edit(2, |root| change(&root.join(path)));
}

/// Flips a byte of `content` wherever it lies on the disk of a host that has not read it yet.
fn flip(host: &LoopHost, content: &[u8]) {
    let mut disk = fs::File::options().read(true).write(true).open(host.disk()).unwrap();
    let mut block = vec![0; 4096];
    let mut found = 0;
    let mut offset = 0;
    while disk.read_exact(&mut block).is_ok() {
        if block[..512] == content[..512] {
            disk.seek(SeekFrom::Start(offset)).unwrap();
            disk.write_all(&[block[0] ^ 1]).unwrap();
            disk.seek(SeekFrom::Start(offset + 4096)).unwrap();
            found += 1;
        }
        offset += 4096;
    }
    assert!(found > 0, "the content does not lie on the disk as it is");
    disk.sync_all().unwrap();
}

/// Damages the file. Returns false where the damage makes no sense.
fn damage(bench: &Bench, host: &LoopHost, file: &File, damage: Damage) -> bool {
    let good = bench.good.join(file.path.trim_start_matches('/'));
    if damage == Damage::Unreadable {
        let content = fs::read(good).unwrap();
        // Small files lie in metadata, of which each block holds many.
        if content.len() < 4096 {
            return false;
        }
        flip(host, &content);
        let shows = fs::read(place(host, file.path)).unwrap_err();
        assert_eq!(shows.raw_os_error(), Some(5), "{shows}");
        return true;
    }
    change_file(host, file.path, |path| {
        let content = fs::read(path).unwrap();
        if matches!(damage, Damage::Empty | Damage::Truncated | Damage::Garbage) {
            let garbage: Vec<u8> = content.iter().map(|byte| byte ^ 0xa5).collect();
            let new = match damage {
                Damage::Empty => &[],
                Damage::Truncated => &content[..content.len() / 2],
                _ => &garbage[..],
            };
            return fs::write(path, new).unwrap();
        }
        match damage {
            Damage::OtherOwner => return chown(path, Some(1234), Some(1234)).unwrap(),
            Damage::Immutable => return assert!(run("chattr", &["+i".as_ref(), path.as_os_str()])),
            _ => fs::remove_file(path).unwrap(),
        }
        match damage {
            Damage::DanglingLink => symlink("leads-nowhere", path).unwrap(),
            Damage::LoopingLink => symlink(path.file_name().unwrap(), path).unwrap(),
            Damage::Directory => {
                fs::create_dir(path).unwrap();
                fs::write(path.join("inside"), "x").unwrap();
            }
            Damage::Fifo => mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap(),
            _ => {}
        }
    });
    true
}

/// Repairs the host as an administrator does who knows the file: puts the old one back.
fn repair(bench: &Bench, host: &LoopHost, file: &File) {
    change_file(host, file.path, |path| {
        run("chattr", &["-R".as_ref(), "-i".as_ref(), path.as_os_str()]);
        assert!(run("rm", &["-rf".as_ref(), path.as_os_str()]));
        let good = bench.good.join(file.path.trim_start_matches('/'));
        assert!(run("cp", &["-a".as_ref(), good.as_os_str(), path.as_os_str()]));
    });
}

/// The result of a command.
struct Answer {
    code: i32,
    text: String,
}

/// Runs a command and checks what holds for all of them; `failures` gets what does not.
fn ask(host: &LoopHost, file: &File, arguments: &[&OsStr], failures: &mut Vec<String>) -> Answer {
    let before = (host.default(), host.snapshots());
    let program = tiu_testing::program::path("tiu");
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5".as_ref(), "60".as_ref(), program.as_os_str()]).args(arguments);
    command.arg("--root").arg(host.root());
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    let text = text.into_owned();
    let code = output.status.code().unwrap_or(-1);
    let shown = arguments.iter().map(|argument| argument.to_string_lossy()).collect::<Vec<_>>().join(" ");
    let mut fail = |what: &str| failures.push(format!("`tiu {shown}` {what} (exit code {code}):\n{text}"));
    if matches!(code, 124 | 137) {
        fail("does not end");
    }
    if !matches!(code, 0 | 1 | 77 | 124 | 137) || text.contains("panicked") {
        fail("breaks");
    }
    if code == 1 {
        let name = Path::new(file.path).file_name().unwrap().to_str().unwrap();
        if !std::iter::once(&name).chain(file.names).any(|name| text.contains(name)) {
            fail("refuses without the name of the file");
        }
        // verify and diff say that something differs.
        if !text.contains("error: ") || !text.contains("hint: ") {
            fail("refuses without an error and a hint");
        }
        if before != (host.default(), host.snapshots()) {
            fail("refuses and changes something");
        }
    }
    Answer { code, text }
}

/// Runs all commands on a host with one damaged file.
fn case(bench: &Bench, file: &File, how: Damage) -> Vec<String> {
    let mut failures = Vec::new();
    let host = bench.copy();
    if !damage(bench, &host, file, how) {
        return failures;
    }
    let second = bench.second.as_os_str();
    let words = |line: &'static str| line.split(' ').map(OsStr::new).collect::<Vec<_>>();
    for line in ["status", "list", "verify", "diff 1 2", "etc diff", "pin 1", "cleanup"] {
        ask(&host, file, &words(line), &mut failures);
    }
    let dry = ask(&host, file, &["apply".as_ref(), "--dry-run".as_ref(), second], &mut failures);
    let apply = ask(&host, file, &["apply".as_ref(), second], &mut failures);
    if (dry.code == 0) != (apply.code == 0) {
        failures
            .push(format!("a dry run ends with {}, apply with {}:\n{}", dry.code, apply.code, apply.text));
    }
    if file.heals && apply.code != 0 {
        failures.push(format!("the update does not heal it:\n{}", apply.text));
    }
    if apply.code != 0 {
        repair(bench, &host, file);
        let apply = ask(&host, file, &["apply".as_ref(), second], &mut failures);
        if apply.code != 0 {
            failures.push(format!("after the repair, the update ends with {}:\n{}", apply.code, apply.text));
            return failures;
        }
    }
    let keyring = bench.kit.keyring();
    let trusted = ["--keyring".as_ref(), keyring.as_os_str()];
    let clean = ask(&host, file, &["verify".as_ref(), trusted[0], trusted[1]], &mut failures);
    if clean.code != 0 {
        failures.push(format!("after the update, verify ends with {}:\n{}", clean.code, clean.text));
    }
    let again = ask(&host, file, &["apply".as_ref(), second], &mut failures);
    // A damaged tiu.yaml or keyring is the host's, and stays as it is.
    if again.code != 77 {
        failures.push(format!("a second update ends with {}:\n{}", again.code, again.text));
    }
    drop(host);
    if !is_long() {
        return failures;
    }
    // Commands that make snapshots of the damaged one, or leave it.
    for line in ["etc reset /etc/app.conf", "rollback --force 1"] {
        let host = bench.copy();
        damage(bench, &host, file, how);
        ask(&host, file, &words(line), &mut failures);
    }
    failures
}

/// Damages each of `files`. The `offset`s of the tests differ, so that together they have each
/// damage.
fn damage_all(files: &[File], offset: usize) {
    let bench = Bench::new(files);
    let mut failures = Vec::new();
    for (i, file) in files.iter().enumerate() {
        for (k, how) in DAMAGES.into_iter().enumerate() {
            // Three damages of each file, the next file's follow.
            let is_chosen = (k + DAMAGES.len() * 9 - offset - 3 * i) % DAMAGES.len() < 3;
            if is_long() || is_chosen {
                let found = case(&bench, file, how);
                failures.extend(found.into_iter().map(|what| format!("== {} {how:?}: {what}", file.path)));
            }
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn damaged_files_of_tiu_s_own() {
    damage_all(&STATE, 0);
}

#[test]
fn damaged_files_of_the_image() {
    damage_all(&SYSTEM, 8);
}

#[test]
fn damaged_configuration() {
    damage_all(&CONFIGURATION, 2);
}

#[test]
fn damaged_accounts() {
    damage_all(&ACCOUNTS, 5);
}

#[test]
fn damaged_files_beside_the_snapshots() {
    damage_all(&SNAPSHOTS, 0);
}
