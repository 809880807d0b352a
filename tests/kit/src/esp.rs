//! A boot partition in a file, with what an installer and systemd-boot leave on it.

use crate::host::LoopHost;
use crate::program::{self, json, sh};
use crate::tree;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// The mount point in the host. Its systems must have the directory.
pub const PLACE: &str = "efi";
/// The entry that an installer leaves. It boots the default subvolume.
pub const INSTALLED: &str = "debian-6.1.conf";

/// A boot partition: FAT where the kernel has it, else ext4, which makes no difference to what is
/// written.
pub struct Esp {
    dir: TempDir,
}

impl Esp {
    /// A partition of `mib` MiB, mounted in `host`.
    pub fn new(host: &LoopHost, mib: u64) -> Self {
        let esp = Esp { dir: tempfile::tempdir().unwrap() };
        fs::File::create(esp.file()).unwrap().set_len(mib << 20).unwrap();
        esp.mount_or_format(host);
        let root = esp.root(host);
        tree::file(&root, "EFI/systemd/systemd-bootx64.efi", "not a program");
        tree::file(&root, "debian/linux", tree::noise(1, 30_000));
        tree::file(&root, "debian/initrd", tree::noise(2, 30_000));
        let entry = format!(
            "title Test OS\nsort-key debian\nversion 6.1\nlinux /debian/linux\ninitrd /debian/initrd\n\
             options root=UUID={} quiet ro\n",
            esp.filesystem(host)
        );
        tree::file(&root, &format!("loader/entries/{INSTALLED}"), entry);
        esp
    }

    /// A copy of a partition that is not mounted.
    pub fn copy(&self) -> Self {
        let esp = Esp { dir: tempfile::tempdir().unwrap() };
        sh!("cp" of "coreutils", "--sparse=always", self.file(), esp.file());
        esp
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("esp")
    }

    fn mount_or_format(&self, host: &LoopHost) {
        let made = |program: &str, arguments: &[&str]| {
            Command::new(program).args(arguments).arg(self.file()).output().is_ok_and(|o| o.status.success())
        };
        if made("mkfs.vfat", &[]) && self.try_mount(host) {
            return;
        }
        sh!("mkfs.ext4" of "e2fsprogs", "-q", "-F", "-m", "0", self.file());
        self.mount(host);
    }

    fn try_mount(&self, host: &LoopHost) -> bool {
        let mount = Command::new("mount").args(["-o", "loop"]).arg(self.file()).arg(self.root(host)).output();
        mount.is_ok_and(|output| output.status.success())
    }

    /// Mounts it in `host`, which was rebooted.
    pub fn mount(&self, host: &LoopHost) {
        sh!("mount" of "mount", "-o", "loop", self.file(), self.root(host));
    }

    /// Its mount point.
    pub fn root(&self, host: &LoopHost) -> PathBuf {
        host.root().join(PLACE)
    }

    /// UUID of the host's filesystem.
    pub fn filesystem(&self, host: &LoopHost) -> String {
        let found = sh!("findmnt" of "util-linux", "--noheadings", "--output", "UUID", host.root()).stdout;
        found.trim().to_owned()
    }

    /// Names and texts of everything in the directory of entries.
    pub fn entries(&self, host: &LoopHost) -> BTreeMap<String, String> {
        let files = fs::read_dir(self.root(host).join("loader/entries")).unwrap().map(Result::unwrap);
        let read = |path: PathBuf| fs::read_to_string(path).unwrap_or_default();
        files.map(|file| (file.file_name().into_string().unwrap(), read(file.path()))).collect()
    }

    /// Names of everything in the directory of entries.
    pub fn names(&self, host: &LoopHost) -> Vec<String> {
        self.entries(host).into_keys().collect()
    }

    /// Names of the host's kernels and initrds, without digests, sorted.
    pub fn kernels(&self, host: &LoopHost) -> Vec<String> {
        let home = self.root(host).join("tiu").join(self.filesystem(host));
        let Ok(files) = fs::read_dir(home) else { return Vec::new() };
        let name = |file: fs::DirEntry| file.file_name().into_string().unwrap();
        let names =
            files.map(|file| name(file.unwrap())).map(|name| name.split('-').next().unwrap().to_owned());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }
}

/// Completes a system for a host with a boot partition: its mount point, and what says that a boot
/// succeeded.
pub fn system(root: &Path) {
    fs::create_dir_all(root.join(PLACE)).unwrap();
    tree::script(root, "usr/lib/systemd/systemd-bless-boot", "#!/bin/sh\n");
    tree::script(root, "usr/lib/systemd/system-generators/systemd-bless-boot-generator", "#!/bin/sh\n");
}

/// Returns what boots next, and what boots if that does not start, as `tiu status` says.
pub fn boots(host: &LoopHost) -> (Option<u64>, Option<u64>) {
    let boot = json(&host.tiu("status", ["--json"]).succeeded())["boot"].clone();
    (boot["next"]["number"].as_u64(), boot["then"]["number"].as_u64())
}

/// Runs an update and kills it when it begins the system call `call` for the `number`th time.
/// Returns false if it ended before.
pub fn killed_at(host: &LoopHost, bundle: &Path, call: &str, number: u32) -> bool {
    let tiu = host.command("apply");
    let log = host.scratch().join("strace");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o"]).arg(log).args(["-e", &format!("trace={call}")]);
    strace.args(["-e", &format!("inject={call}:signal=SIGKILL:when={number}")]);
    strace.arg(tiu.get_program()).args(tiu.get_args()).arg(bundle);
    let outcome = program::outcome(&mut strace);
    assert!(outcome.code.is_none_or(|code| code == 0 || code == 137), "{}", outcome.stderr);
    outcome.code != Some(0)
}
