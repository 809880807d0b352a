//! Compares two trees by their index entries: a function of data.

use serde::Serialize;
use std::borrow::Cow;
use std::cmp::Ordering;
use tiu_bundle::index::{Entry, Kind};
use tiu_extract::Shown;
use tiu_system::path::{TreePath, TreePathBuf};

/// The kind of change of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// Only the second has it.
    Added,
    /// Only the first has it.
    Removed,
    /// Both have it, and it differs.
    Modified,
}

/// A path that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileChange {
    /// Path in the tree.
    pub path: TreePathBuf,
    /// The kind of change.
    pub change: ChangeKind,
    /// The properties of a modified path that differ: `type`, or any of `content`, `size`,
    /// `target`, `rdev`, `mode`, `owner`, `xattrs`.
    pub what: Vec<&'static str>,
    /// The inode of the first.
    pub from: Option<FileFacts>,
    /// The inode of the second.
    pub to: Option<FileFacts>,
}

/// An inode as `--json` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileFacts {
    /// `regular file`, `directory`, ...
    pub kind: String,
    /// Permission bits, octal.
    pub mode: String,
    /// Owner's number.
    pub uid: u32,
    /// Group's number.
    pub gid: u32,
    /// Bytes, of regular files.
    pub size: Option<u64>,
    /// Content digest, of regular files that everybody can read.
    pub digest: Option<String>,
    /// Target, of symlinks.
    pub target: Option<String>,
    /// Device number as `major:minor`.
    pub rdev: Option<String>,
}

impl From<&Entry<'_>> for FileFacts {
    fn from(entry: &Entry) -> Self {
        FileFacts {
            kind: entry.kind.to_string(),
            mode: format!("{:04o}", entry.mode),
            uid: entry.uid,
            gid: entry.gid,
            size: (entry.kind == Kind::File).then_some(entry.size),
            // Nobody can try passwords against what is printed.
            digest: entry.digest.filter(|_| entry.mode & 0o004 != 0).map(|digest| digest.to_string()),
            target: entry.target.as_ref().map(|target| Shown(target).to_string()),
            rdev: matches!(entry.kind, Kind::CharDev | Kind::BlockDev)
                .then(|| format!("{}:{}", rustix::fs::major(entry.rdev), rustix::fs::minor(entry.rdev))),
        }
    }
}

/// Compares two trees. Both are sorted by path, and hard links are given as the inodes that they
/// name. Times and numbers of links do not count: every build of an image has others.
pub fn compare<'a>(
    from: impl Iterator<Item = Entry<'a>>,
    to: impl Iterator<Item = Entry<'a>>,
) -> Vec<FileChange> {
    let (mut from, mut to) = (from.peekable(), to.peekable());
    let mut changes = Vec::new();
    loop {
        let order = match (from.peek(), to.peek()) {
            (None, None) => return changes,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => a.path.cmp(&b.path),
        };
        let a = if order.is_le() { from.next() } else { None };
        let b = if order.is_ge() { to.next() } else { None };
        let (what, change) = match (&a, &b) {
            (Some(a), Some(b)) => (differences(a, b), ChangeKind::Modified),
            (Some(_), None) => (Vec::new(), ChangeKind::Removed),
            (None, _) => (Vec::new(), ChangeKind::Added),
        };
        if let Some(path) = a.as_ref().or(b.as_ref()).map(|entry| &entry.path)
            && (change != ChangeKind::Modified || !what.is_empty())
        {
            let path = path.as_ref().to_owned();
            let facts = |entry: &Option<Entry>| entry.as_ref().map(FileFacts::from);
            changes.push(FileChange { path, change, what, from: facts(&a), to: facts(&b) });
        }
    }
}

fn differences(a: &Entry, b: &Entry) -> Vec<&'static str> {
    if a.kind != b.kind {
        return vec!["type"];
    }
    // The mode of symlinks has no meaning.
    let mode = a.kind != Kind::Symlink && a.mode != b.mode;
    [
        ("content", a.digest != b.digest),
        ("size", a.kind == Kind::File && a.size != b.size),
        ("target", a.target != b.target),
        ("rdev", a.rdev != b.rdev),
        ("mode", mode),
        ("owner", (a.uid, a.gid) != (b.uid, b.gid)),
        ("xattrs", a.xattrs != b.xattrs),
    ]
    .into_iter()
    .filter_map(|(what, differs)| differs.then_some(what))
    .collect()
}

/// Returns whether `path` is below any of `paths`.
pub fn is_below(path: &TreePath, paths: &[TreePathBuf]) -> bool {
    paths.iter().any(|above| path.strip_prefix(above).is_some_and(|rest| !rest.is_root()))
}

/// Returns a hard link as the inode that it names, at its own path.
pub fn without_link<'a>(entry: Entry<'a>, find: impl Fn(&TreePath) -> Option<Entry<'a>>) -> Entry<'a> {
    match entry.link.as_deref().and_then(find) {
        Some(inode) => Entry { path: entry.path, ..inode },
        None => entry,
    }
}

/// Returns an entry without the labels that the host's security modules put on files.
pub fn without_labels(mut entry: Entry) -> Entry {
    entry.xattrs.retain(|(name, _): &(Cow<[u8]>, _)| !tiu_extract::is_label(name));
    entry
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tiu_bundle::index::{EntryBuf, Mtime};
    use tiu_testing::bundles;

    fn entry(path: &str, kind: Kind, target: &str) -> EntryBuf {
        let target = (kind == Kind::Symlink).then(|| target.as_bytes().to_vec().into());
        EntryBuf { target, ..bundles::entry(path, kind, 0o644) }
    }

    fn file(path: &str, content: &str) -> EntryBuf {
        bundles::file_entry(path, content.as_bytes())
    }

    fn what(a: EntryBuf, b: EntryBuf) -> Vec<&'static str> {
        let changes = compare([a].into_iter(), [b].into_iter());
        assert!(changes.len() <= 1);
        changes.into_iter().flat_map(|change| change.what).collect()
    }

    #[test]
    fn paths_of_one_side_are_added_or_removed() {
        let changes = compare(
            [file("a", ""), file("b", ""), file("d", "")].into_iter(),
            [file("b", ""), file("c", ""), file("e", "")].into_iter(),
        );
        let seen: Vec<_> = changes.iter().map(|c| (c.path.to_str().unwrap(), c.change)).collect();
        use ChangeKind::*;
        assert_eq!(seen, [("a", Removed), ("c", Added), ("d", Removed), ("e", Added)]);
    }

    #[test]
    fn each_way_to_differ_is_named() {
        assert_eq!(what(file("a", "x"), file("a", "y")), ["content"]);
        assert_eq!(what(file("a", "x"), file("a", "xx")), ["content", "size"]);
        assert_eq!(what(file("a", "x"), entry("a", Kind::Dir, "")), ["type"]);
        assert_eq!(what(entry("a", Kind::Symlink, "x"), entry("a", Kind::Symlink, "y")), ["target"]);
        assert_eq!(what(file("a", ""), EntryBuf { mode: 0o4755, ..file("a", "") }), ["mode"]);
        assert_eq!(what(file("a", ""), EntryBuf { gid: 7, ..file("a", "") }), ["owner"]);
        let device = |rdev| EntryBuf { rdev, ..entry("a", Kind::CharDev, "") };
        assert_eq!(what(device(1), device(2)), ["rdev"]);
        let xattrs = vec![(b"user.a".to_vec().into(), b"b".to_vec().into())];
        assert_eq!(what(file("a", ""), EntryBuf { xattrs, ..file("a", "") }), ["xattrs"]);
    }

    #[test]
    fn times_and_the_mode_of_symlinks_do_not_count() {
        let mtime = Mtime { sec: 5, nsec: 6 };
        assert_eq!(what(file("a", ""), EntryBuf { mtime, nlink: 3, ..file("a", "") }), [""; 0]);
        let link = entry("a", Kind::Symlink, "x");
        assert_eq!(what(link.clone(), EntryBuf { mode: 0o777, ..link }), [""; 0]);
    }

    #[test]
    fn a_hard_link_is_the_inode_that_it_names() {
        let link = EntryBuf { link: Some(TreePath::literal("a").into()), ..entry("b", Kind::HardLink, "") };
        let told = without_link(link, |path| (path == TreePath::literal("a")).then(|| file("a", "x")));
        assert_eq!(told, file("b", "x"));
    }

    #[test]
    fn below_is_not_the_path_itself_and_not_one_that_begins_like_it() {
        let path = TreePath::literal;
        let paths = [path("var").to_owned()];
        assert!(is_below(path("var/lib"), &paths));
        assert!(!is_below(path("var"), &paths) && !is_below(path("various"), &paths));
    }

    proptest! {
        /// Whatever two trees are, the changes lead from one to the other.
        #[test]
        fn changes_lead_from_one_to_the_other(
            a in prop::collection::btree_map("[a-e]{1,2}", "[x-z]{0,2}", 0..8),
            b in prop::collection::btree_map("[a-e]{1,2}", "[x-z]{0,2}", 0..8),
        ) {
            let tree = |t: &std::collections::BTreeMap<String, String>| -> Vec<EntryBuf> {
                t.iter().map(|(path, content)| file(path, content)).collect()
            };
            let mut now = a.clone();
            for change in compare(tree(&a).into_iter(), tree(&b).into_iter()) {
                let path = change.path.to_string();
                match change.change {
                    ChangeKind::Removed => { prop_assert!(now.remove(&path).is_some()); }
                    ChangeKind::Added => { prop_assert!(now.insert(path.clone(), b[&path].clone()).is_none()); }
                    ChangeKind::Modified => {
                        let before = now.insert(path.clone(), b[&path].clone());
                        prop_assert!(before.is_some_and(|before| before != b[&path]));
                    }
                }
            }
            prop_assert_eq!(now, b);
        }
    }
}
