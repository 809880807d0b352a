//! `/etc`: what the administrator changed stays, everything else becomes the image's.
//!
//! Changed is what differs from the defaults of the image that the base was made from, by content, type, mode, owner or extended
//! attributes; time stamps do not count. Without such an image (the first update of a host) the new image's own defaults are what is
//! compared with, so what differs from them stays, and what the host never had is the image's.

use crate::config::{Config, matches};
use crate::tree::Tree;
use std::collections::BTreeSet;
use tiu_bundle::index::Index;
use tiu_bundle::progress::{Cancel, Progress};
use tiu_extract::engine::{self, Difference, EngineError, ReadBack, Rules};

/// Where it lies in a tree.
pub const ETC: &[u8] = b"etc";

/// Files that name users and groups. They refer to each other by name and number, so they are kept together or not at all.
const ACCOUNTS: [&[u8]; 6] =
    [b"etc/passwd", b"etc/group", b"etc/shadow", b"etc/gshadow", b"etc/subuid", b"etc/subgid"];

/// The defaults that the administrator started from.
pub enum Defaults<'a> {
    /// The base's own image.
    Base(&'a Index),
    /// The image to apply, where the base has none.
    New(&'a Index),
}

/// What happens to `/etc`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Etc {
    /// Paths that stay as they are on the host; also those that stay away.
    pub keep: Vec<Vec<u8>>,
}

impl Etc {
    /// Whether `path` stays the host's.
    pub fn is_kept(&self, path: &[u8]) -> bool {
        self.keep.binary_search_by(|kept| kept.as_slice().cmp(path)).is_ok()
    }
}

/// Whether `path` is `/etc` or lies in it.
pub fn is_etc(path: &[u8]) -> bool {
    path.strip_prefix(ETC).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

/// In what the `/etc` of the system in `tree` differs from `defaults`. `rules` tells how owners map and whether `/etc` is a subvolume.
pub fn compare(
    tree: &Tree,
    defaults: &Index,
    rules: &Rules,
    progress: &dyn Progress,
    cancel: &Cancel,
) -> Result<Vec<Difference>, EngineError> {
    let top = defaults.iter().map(|entry| entry.path.into_owned()).filter(|path| !path.contains(&b'/'));
    let mut others: BTreeSet<Vec<u8>> = top.collect();
    let unreadable =
        |source| EngineError::Io { operation: "read the directory", path: tree.path().to_owned(), source };
    for entry in std::fs::read_dir(tree.path()).map_err(unreadable)? {
        others.insert(entry.map_err(unreadable)?.file_name().into_encoded_bytes());
    }
    others.remove(&[][..]);
    others.remove(ETC);
    let only_etc = Rules { host_paths: others.into_iter().collect(), keep: Vec::new(), ..rules.clone() };
    let mut found = engine::check(defaults, tree.fd(), &only_etc, ReadBack::All, progress, cancel)?;
    found.retain(|difference| is_etc(&difference.raw_path) && difference.what != "mtime");
    Ok(found)
}

/// Decides what is kept. `differences` is what [`compare`] found against the same defaults.
pub fn decide(differences: &[Difference], defaults: &Defaults, config: &Config) -> Etc {
    let (index, first_update) = match defaults {
        Defaults::Base(index) => (index, false),
        Defaults::New(index) => (index, true),
    };
    let missing: BTreeSet<&[u8]> =
        differences.iter().filter(|d| d.what == "missing").map(|d| d.raw_path.as_slice()).collect();
    let mut keep: BTreeSet<Vec<u8>> = differences
        .iter()
        .filter(|d| !(first_update && d.what == "missing"))
        .map(|d| d.raw_path.clone())
        .collect();
    let fits = |patterns: &[String], path: &[u8]| patterns.iter().any(|pattern| matches(pattern, path));
    // What equals its default is not among the differences, but may be the host's for ever all the same.
    let equal = index.iter().map(|entry| entry.path.into_owned()).filter(|path| is_etc(path));
    keep.extend(
        equal.filter(|path| !missing.contains(path.as_slice()) && fits(&config.etc_always_host, path)),
    );
    keep.retain(|path| !fits(&config.etc_always_image, path));
    if ACCOUNTS.iter().any(|path| keep.contains(*path) && !missing.contains(path)) {
        let there = |path: &&&[u8]| !missing.contains(**path) && index.find(path).is_some();
        keep.extend(ACCOUNTS.iter().filter(there).map(|path| path.to_vec()));
    }
    Etc { keep: keep.into_iter().collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiu_bundle::content_digest::digest_reader;
    use tiu_bundle::index::{EntryBuf, IndexWriter, Kind, Mtime};

    fn index(files: &[&str]) -> Index {
        let entry = |path: &str, kind| EntryBuf {
            path: path.as_bytes().to_vec().into(),
            kind,
            mode: 0o755,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            mtime: Mtime::default(),
            size: 0,
            target: None,
            digest: (kind == Kind::File).then(|| digest_reader(&b""[..]).unwrap().0),
            xattrs: vec![],
        };
        let mut writer = IndexWriter::default();
        writer.push(entry("", Kind::Dir));
        writer.push(entry("etc", Kind::Dir));
        files.iter().for_each(|file| writer.push(entry(file, Kind::File)));
        Index::parse(writer.finish()).unwrap()
    }

    fn difference(path: &str, what: &'static str) -> Difference {
        let (found, expected) = (String::new(), String::new());
        Difference { path: path.into(), raw_path: path.as_bytes().to_vec(), what, found, expected }
    }

    fn kept(differences: &[(&str, &'static str)], defaults: &Defaults) -> Vec<String> {
        let differences: Vec<_> = differences.iter().map(|(path, what)| difference(path, what)).collect();
        let etc = decide(&differences, defaults, &Config::default());
        etc.keep.into_iter().map(|path| String::from_utf8(path).unwrap()).collect()
    }

    #[test]
    fn what_the_administrator_changed_added_or_removed_stays_so() {
        let index = index(&["etc/a", "etc/b", "etc/c", "etc/d"]);
        let found = [("etc/b", "content"), ("etc/b", "mode"), ("etc/c", "missing"), ("etc/x", "extra")];
        assert_eq!(kept(&found, &Defaults::Base(&index)), ["etc/b", "etc/c", "etc/x"]);
    }

    #[test]
    fn at_the_first_update_what_the_host_never_had_is_the_image_s() {
        let index = index(&["etc/a", "etc/b", "etc/c"]);
        let found = [("etc/b", "content"), ("etc/c", "missing"), ("etc/x", "extra")];
        assert_eq!(kept(&found, &Defaults::New(&index)), ["etc/b", "etc/x"]);
    }

    #[test]
    fn host_files_stay_even_when_they_equal_the_default() {
        let index = index(&["etc/fstab", "etc/machine-id", "etc/other"]);
        assert_eq!(kept(&[("etc/machine-id", "missing")], &Defaults::New(&index)), ["etc/fstab"]);
    }

    #[test]
    fn image_files_are_replaced_even_when_they_were_changed_or_added() {
        let index = index(&["etc/os-release"]);
        let found = [("etc/os-release", "content"), ("etc/ld.so.cache", "extra")];
        assert!(kept(&found, &Defaults::Base(&index)).is_empty());
    }

    #[test]
    fn account_files_stay_together() {
        let index = index(&["etc/group", "etc/passwd", "etc/shadow", "etc/subuid"]);
        let found = [("etc/passwd", "content"), ("etc/subuid", "missing")];
        assert_eq!(
            kept(&found, &Defaults::Base(&index)),
            ["etc/group", "etc/passwd", "etc/shadow", "etc/subuid"]
        );
        assert_eq!(kept(&found, &Defaults::New(&index)), ["etc/group", "etc/passwd", "etc/shadow"]);
        assert_eq!(kept(&[("etc/passwd", "missing")], &Defaults::New(&index)), [""; 0]);
    }

    #[test]
    fn names_that_begin_like_etc_are_not_etc() {
        assert!(is_etc(b"etc") && is_etc(b"etc/a"));
        assert!(!is_etc(b"etcetera") && !is_etc(b"usr/etc"));
    }
}
