//! The state of a host, read without tiu: trees, inode by inode, and leftovers of a run.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CString;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use tiu_testing::host::LoopHost;

/// Every inode of a tree: path below the root, and what there is to say about it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Facts(BTreeMap<PathBuf, String>);

/// The closeness that two trees must have to be equal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Closeness {
    /// The same inodes, never touched: number and time of change count.
    Untouched,
    /// Another tree of the same content and metadata, except for the times of files that were made
    /// on the host.
    Same,
}

/// The tree at `root`: type, mode, owner, size, content, xattrs, links, time of modification.
pub fn read(root: &Path, closeness: Closeness) -> Facts {
    let mut found = BTreeMap::new();
    let mut first_names = BTreeMap::new();
    let mut todo = vec![root.to_owned()];
    while let Some(path) = todo.pop() {
        let name = path.strip_prefix(root).unwrap().to_owned();
        let metadata = fs::symlink_metadata(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let mut text = format!("{:o} {}:{}", metadata.mode(), metadata.uid(), metadata.gid());
        let kind = metadata.file_type();
        if kind.is_dir() {
            let mut inside: Vec<_> =
                fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()).collect();
            inside.sort();
            todo.extend(inside.into_iter().rev());
        } else if kind.is_symlink() {
            let _ = write!(text, " -> {}", fs::read_link(&path).unwrap().display());
        } else if kind.is_file() {
            let content = fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            let content = match closeness {
                Closeness::Same if name == Path::new("usr/lib/sysimage/tiu/etc.json") => {
                    without_times(&content)
                }
                _ => content,
            };
            let digest = openssl::sha::sha256(&content);
            let _ = write!(text, " {} bytes {:02x?}", content.len(), &digest[..8]);
            if metadata.nlink() > 1 {
                let first = first_names.entry(metadata.ino()).or_insert_with(|| name.clone());
                let _ = write!(text, " is {}", first.display());
            }
        } else {
            let _ = write!(text, " device {:#x}", metadata.rdev());
        }
        for (key, value) in xattrs(&path) {
            let _ = write!(text, " {key}={value:02x?}");
        }
        match closeness {
            Closeness::Untouched => {
                let (seconds, nanoseconds) = (metadata.ctime(), metadata.ctime_nsec());
                let _ = write!(text, " inode {} changed {seconds}.{nanoseconds:09}", metadata.ino());
            }
            // Of directories and of what is made on the host it is the clock's.
            Closeness::Same if kind.is_file() && name.starts_with("usr/lib/many") => {
                let _ = write!(text, " from {}.{:09}", metadata.mtime(), metadata.mtime_nsec());
            }
            Closeness::Same => {}
        }
        found.insert(name, text);
    }
    Facts(found)
}

/// The report of the merge of `/etc` without the times of files that the merge wrote.
fn without_times(report: &[u8]) -> Vec<u8> {
    const KEY: &str = "\"modified\": \"";
    let text = String::from_utf8_lossy(report);
    let mut pieces = text.split(KEY);
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        out.push_str(KEY);
        out.push_str(piece.split_once('"').map_or("", |(_, rest)| rest));
    }
    out.into_bytes()
}

fn xattrs(path: &Path) -> Vec<(String, Vec<u8>)> {
    let mut names = vec![0; 4096];
    let length = rustix::fs::llistxattr(path, &mut names[..]).unwrap();
    let mut found = Vec::new();
    for name in names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let mut value = vec![0; 4096];
        let key = CString::new(name).unwrap();
        let length = rustix::fs::lgetxattr(path, &key, &mut value[..]).unwrap();
        value.truncate(length);
        found.push((String::from_utf8_lossy(name).into_owned(), value));
    }
    found.sort();
    found
}

impl Facts {
    /// Panics with the first differences.
    #[track_caller]
    pub fn assert_equal(&self, found: &Facts, what: &str) {
        let paths: BTreeSet<_> = self.0.keys().chain(found.0.keys()).collect();
        let differences: Vec<String> = paths
            .into_iter()
            .filter(|path| self.0.get(*path) != found.0.get(*path))
            .map(|path| {
                let show = |facts: &Facts| facts.0.get(path).cloned().unwrap_or("nothing".into());
                format!("  /{}:\n    expected {}\n    found    {}", path.display(), show(self), show(found))
            })
            .collect();
        let first = differences.iter().take(10).cloned().collect::<Vec<_>>().join("\n");
        assert!(differences.is_empty(), "{what} differs in {} places:\n{first}", differences.len());
    }
}

/// The things that a run could leave behind outside of the new snapshot. Equal before and after:
/// nothing is left.
#[derive(Debug, PartialEq, Eq)]
pub struct Around {
    mounts: Vec<String>,
    loops: BTreeSet<String>,
    temporary: Vec<PathBuf>,
    /// Files in subvolumes that are not snapshots.
    outside: Vec<PathBuf>,
}

/// Returns the surroundings of `host`; `temporary` is the programs' TMPDIR.
pub fn around(host: &LoopHost, temporary: &Path) -> Around {
    let mut outside = Vec::new();
    for name in ["boot/writable", "home", "opt", "root", "srv", "usr/local", "var"] {
        let mut todo = vec![host.root().join(name)];
        while let Some(dir) = todo.pop() {
            for entry in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap()) {
                if entry.file_type().unwrap().is_dir() {
                    todo.push(entry.path());
                }
                outside.push(entry.path());
            }
        }
    }
    outside.sort();
    // Logs are to be written.
    outside.retain(|path| !path.starts_with(host.root().join("var/log")));
    let temporary = fs::read_dir(temporary).unwrap().map(|entry| entry.unwrap().path()).collect();
    Around { mounts: host.mounts(), loops: loops(host.scratch()), temporary, outside }
}

/// Loop devices over files below `dir`.
pub fn loops(dir: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for block in fs::read_dir("/sys/block").unwrap().flatten() {
        let file = fs::read(block.path().join("loop/backing_file")).unwrap_or_default();
        if file.starts_with(dir.as_os_str().as_bytes()) {
            found.insert(format!("{} {}", block.path().display(), String::from_utf8_lossy(&file).trim()));
        }
    }
    found
}

/// Everything directly in `.snapshots`, except tiu's own directory, and in each snapshot's folder
/// there, and how many subvolumes the filesystem has: after a clean-up it is exactly the snapshots
/// `numbers`, each with its description and its tree.
#[track_caller]
pub fn assert_only_snapshots(host: &LoopHost, numbers: &[u32]) {
    let mut found = Vec::new();
    for entry in fs::read_dir(host.root().join(".snapshots")).unwrap().map(|entry| entry.unwrap()) {
        let mut inside: Vec<String> = fs::read_dir(entry.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        inside.sort();
        found.push(format!("{}: {}", entry.file_name().display(), inside.join(" ")));
    }
    // It lasts longer than all snapshots.
    let is_home = |entry: &str| {
        let names = entry.strip_prefix(".tiu: ").map(|names| names.split(' '));
        names.is_some_and(|mut names| names.all(|name| ["lock", "seals.json", "state.json"].contains(&name)))
    };
    found.retain(|entry| !is_home(entry));
    found.sort();
    let mut expected: Vec<String> = numbers.iter().map(|n| format!("{n}: info.xml snapshot")).collect();
    expected.sort();
    assert_eq!(found, expected, "what is in .snapshots");
    let root = host.root();
    let list = ["subvolume".as_ref(), "list".as_ref(), root.as_os_str()];
    let subvolumes = tiu_testing::program::tool("btrfs", "btrfs-progs", &list).succeeded().stdout;
    let expected = 1 + tiu_testing::host::SUBVOLUMES.len() + numbers.len();
    assert_eq!(subvolumes.lines().count(), expected, "subvolumes:\n{subvolumes}");
}

/// An entry of `.snapshots` besides the expected ones.
pub enum Beside {
    Nothing,
    /// A folder without description or without tree.
    Unlisted,
    Listed,
}

/// See [`Beside`].
pub fn beside(host: &LoopHost, numbers: &[u32]) -> Beside {
    let known: Vec<String> = numbers.iter().map(u32::to_string).chain([".tiu".to_owned()]).collect();
    let entries = fs::read_dir(host.root().join(".snapshots")).unwrap().map(|entry| entry.unwrap());
    match entries.into_iter().find(|entry| !known.iter().any(|known| entry.file_name() == known.as_str())) {
        None => Beside::Nothing,
        Some(entry) if ["info.xml", "snapshot"].iter().all(|name| entry.path().join(name).exists()) => {
            Beside::Listed
        }
        Some(_) => Beside::Unlisted,
    }
}
