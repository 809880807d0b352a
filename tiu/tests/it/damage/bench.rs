//! A host for each case, its damage and its repair.

use super::files::{Damage, File};
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

/// A host with version 1, shut down, which is copied for each case.
pub(super) struct Bench {
    pub(super) kit: Kit,
    host: LoopHost,
    pub(super) second: PathBuf,
    /// Copies of the files before they are damaged.
    good: PathBuf,
}

pub(super) fn is_long() -> bool {
    std::env::var_os("TIU_TEST_LONG").is_some_and(|value| value == "1")
}

pub(super) fn run(program: &str, arguments: &[&OsStr]) -> bool {
    let output = Command::new(program).args(arguments).output();
    output.unwrap_or_else(|e| panic!("{program}: {e}")).status.success()
}

impl Bench {
    pub(super) fn new(files: &[File]) -> Self {
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

    pub(super) fn copy(&self) -> LoopHost {
        self.host.copy(self.kit.keyring().parent().unwrap())
    }
}

/// Returns the path of a file of the table.
pub(super) fn place(host: &LoopHost, path: &str) -> PathBuf {
    match path.strip_prefix('/') {
        Some(path) => host.root().join(path),
        None => host.snapshot(2).join(path),
    }
}

/// Changes the file, in a snapshot that may be read-only.
pub(super) fn change_file(host: &LoopHost, path: &str, change: impl FnOnce(&Path)) {
    if path.starts_with('/') {
        return change(&place(host, path));
    }
    host.edit(2, |root| change(&root.join(path)));
}

/// Flips a byte of `content` wherever it lies on the disk of a host that has not read it yet.
pub(super) fn flip(host: &LoopHost, content: &[u8]) {
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
pub(super) fn damage(bench: &Bench, host: &LoopHost, file: &File, damage: Damage) -> bool {
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
pub(super) fn repair(bench: &Bench, host: &LoopHost, file: &File) {
    change_file(host, file.path, |path| {
        run("chattr", &["-R".as_ref(), "-i".as_ref(), path.as_os_str()]);
        assert!(run("rm", &["-rf".as_ref(), path.as_os_str()]));
        let good = bench.good.join(file.path.trim_start_matches('/'));
        assert!(run("cp", &["-a".as_ref(), good.as_os_str(), path.as_os_str()]));
    });
}
