//! The writer of an index.

use super::escape::Unescaped;
use super::line::write_line;
use super::{EntryBuf, Kind};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use tiu_system::path::TreePathBuf;

/// Collects entries in any order and returns sorted text.
///
/// Decides the facts that follow from the whole tree: of an inode's names the first in path order
/// becomes the entry and the others hard links to it, in whatever order they were pushed; numbers
/// of links are the numbers of names (1 for directories), so that the text does not depend on the
/// filesystem the tree came from. An inode of several names must be pushed once with `nlink` above
/// 1, and its other names as [`Kind::HardLink`].
#[derive(Default)]
pub struct IndexWriter {
    /// Finished lines, in the order they came.
    text: Vec<u8>,
    lines: Vec<Line>,
    /// Inodes that may have more names.
    inodes: Vec<EntryBuf>,
    links: Vec<EntryBuf>,
}

struct Line {
    start: usize,
    len: u32,
    /// Length of the path field.
    path_len: u32,
    escaped: bool,
}

impl IndexWriter {
    /// Adds an entry.
    pub fn push(&mut self, entry: EntryBuf) {
        match entry.kind {
            Kind::HardLink => self.links.push(entry),
            kind if kind != Kind::Dir && entry.nlink > 1 => self.inodes.push(entry),
            _ => self.write(&entry, &entry, 1),
        }
    }

    /// Returns the number of entries so far.
    pub fn len(&self) -> usize {
        self.lines.len() + self.inodes.len() + self.links.len()
    }

    /// Returns whether there are no entries yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the text, sorted by path bytes.
    pub fn finish(mut self) -> Vec<u8> {
        self.settle();
        let mut out = Vec::with_capacity(self.text.len());
        self.lines.iter().for_each(|line| out.extend_from_slice(self.bytes(line)));
        out
    }

    fn settle(&mut self) {
        self.name_inodes();
        let text = std::mem::take(&mut self.text);
        self.lines.sort_by(|a, b| compare(&text, a, b));
        self.text = text;
    }

    fn bytes(&self, line: &Line) -> &[u8] {
        self.text.get(line.start..line.start + line.len as usize).unwrap_or_default()
    }

    fn write(&mut self, entry: &EntryBuf, inode: &EntryBuf, nlink: u32) {
        let start = self.text.len();
        write_line(&mut self.text, entry, inode, nlink);
        let line = self.text.get(start..).unwrap_or_default();
        let path_len = line.iter().position(|c| *c == b' ').unwrap_or(line.len());
        let escaped = line.get(..path_len).is_some_and(|path| path.contains(&b'\\'));
        self.lines.push(Line { start, len: line.len() as u32, path_len: path_len as u32, escaped });
    }

    /// Writes the inodes that have, or may have, several names.
    fn name_inodes(&mut self) {
        let mut links: BTreeMap<TreePathBuf, Vec<EntryBuf>> = BTreeMap::new();
        for link in std::mem::take(&mut self.links) {
            let inode = link.link.as_deref().unwrap_or_default().to_owned();
            links.entry(inode).or_default().push(link);
        }
        for inode in std::mem::take(&mut self.inodes) {
            let mut names = vec![inode.path.clone()];
            names.extend(
                links.remove(inode.path.as_ref()).unwrap_or_default().into_iter().map(|link| link.path),
            );
            names.sort();
            let nlink = names.len() as u32;
            let mut names = names.into_iter();
            let Some(first) = names.next() else { continue };
            self.write(&EntryBuf { path: first.clone(), ..inode.clone() }, &inode, nlink);
            for path in names {
                let link =
                    EntryBuf { path, kind: Kind::HardLink, link: Some(first.clone()), ..inode.clone() };
                self.write(&link, &inode, nlink);
            }
        }
        // Links to a missing entry are written as they came: reading reports them with their path.
        for link in links.into_values().flatten() {
            self.write(&link, &EntryBuf { kind: Kind::File, link: None, ..link.clone() }, link.nlink);
        }
    }
}

fn compare(text: &[u8], a: &Line, b: &Line) -> Ordering {
    let path = |line: &Line| text.get(line.start..line.start + line.path_len as usize).unwrap_or_default();
    if a.escaped || b.escaped { Unescaped(path(a)).cmp(Unescaped(path(b))) } else { path(a).cmp(path(b)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content_digest::digest_bytes;
    use crate::index::{Index, IndexError, LineError, MAX_DEVICE, MAX_ID, Mtime, TIMES};
    use proptest::prelude::*;
    use std::borrow::Cow;
    use std::collections::BTreeSet;
    use tiu_system::path::TreePath;

    fn file(path: &[u8], size: u64) -> EntryBuf {
        let content = vec![b'x'; size as usize];
        EntryBuf { size, digest: Some(digest_bytes(&content)), ..EntryBuf::empty(path, Kind::File) }
    }

    fn link(path: &[u8], target: &[u8]) -> EntryBuf {
        EntryBuf {
            link: Some(Cow::Owned(TreePathBuf::new(target).unwrap())),
            ..EntryBuf::empty(path, Kind::HardLink)
        }
    }

    fn text(entries: impl IntoIterator<Item = EntryBuf>) -> String {
        let mut writer = IndexWriter::default();
        entries.into_iter().for_each(|e| writer.push(e));
        String::from_utf8(writer.finish()).expect("ASCII")
    }

    #[test]
    fn lines_look_like_composefs_dump() {
        let mut special = file(b"etc/a b=c\n", 0);
        special.xattrs = vec![
            (Cow::Borrowed(b"user.b"), Cow::Borrowed(b"-")),
            (Cow::Borrowed(b"user.a=b"), Cow::Borrowed(b"1 =\0")),
        ];
        special.mtime = Mtime { sec: -3, nsec: 7 };
        special.uid = 70_000;
        let digest = digest_bytes(b"xx").to_string();
        let expected = [
            "/ 0 40755 1 0 0 0 0.0 - - -".to_owned(),
            "/- 0 20755 1 0 0 259 0.0 - - -".to_owned(),
            "/etc 0 40755 1 0 0 0 0.0 - - -".to_owned(),
            r"/etc/a\x20b=c\n 0 100755 1 70000 0 0 -3.7 - - - user.a\x3db=1\x20\x3d\x00 user.b=-".to_owned(),
            r"/etc/dash 1 120755 1 0 0 0 0.0 \x2d - -".to_owned(),
            format!("/two 2 100755 1 0 0 0 0.0 {}/{} - {digest}", &digest[..2], &digest[2..]),
        ];
        let dash =
            EntryBuf { target: Some(Cow::Borrowed(b"-")), ..EntryBuf::empty(b"etc/dash", Kind::Symlink) };
        let device = EntryBuf { rdev: 259, ..EntryBuf::empty(b"-", Kind::CharDev) };
        let given = [
            file(b"two", 2),
            special,
            EntryBuf::empty(b"etc", Kind::Dir),
            dash,
            device,
            EntryBuf::empty(b"", Kind::Dir),
        ];
        assert_eq!(text(given), expected.join("\n") + "\n");
    }

    #[test]
    fn byte_order_is_not_directory_order() {
        let names: [&[u8]; 6] = [b"", b"a/b", b"a", b"a-b", b"a\x01", b"a/b\\"];
        let kinds = [Kind::Dir, Kind::Dir, Kind::Dir, Kind::Fifo, Kind::Socket, Kind::Fifo];
        let text = text(names.into_iter().zip(kinds).map(|(name, kind)| EntryBuf::empty(name, kind)));
        let index = Index::parse(text.into_bytes()).expect("a good index");
        let paths: Vec<_> = index.iter().map(|e| e.path.into_owned().into_bytes()).collect();
        assert_eq!(paths, [b"".as_slice(), b"a", b"a\x01", b"a-b", b"a/b", b"a/b\\"]);
    }

    #[test]
    fn the_first_name_in_path_order_becomes_the_inode() {
        let inode = EntryBuf { nlink: 9, uid: 5, ..file(b"m", 3) };
        let text = text([EntryBuf::empty(b"", Kind::Dir), link(b"z", b"m"), inode, link(b"b", b"m")]);
        let index = Index::parse(text.into_bytes()).expect("a good index");
        let all: Vec<_> = index
            .iter()
            .map(|e| (e.path.into_owned(), e.kind, e.link.map(Cow::into_owned), e.nlink, e.uid))
            .collect();
        let path = |name: &'static str| TreePath::literal(name).to_owned();
        assert_eq!(
            all[1..],
            [
                (path("b"), Kind::File, None, 3, 5),
                (path("m"), Kind::HardLink, Some(path("b")), 3, 5),
                (path("z"), Kind::HardLink, Some(path("b")), 3, 5)
            ]
        );
        assert_eq!(index.content_size(), 3);
    }

    #[test]
    fn an_inode_with_one_name_left_has_one_link() {
        let text = text([EntryBuf::empty(b"", Kind::Dir), EntryBuf { nlink: 2, ..file(b"a", 1) }]);
        assert_eq!(Index::parse(text.into_bytes()).expect("a good index").entry(1).nlink, 1);
    }

    #[test]
    fn a_hard_link_to_nothing_is_found_when_reading() {
        let text = text([EntryBuf::empty(b"", Kind::Dir), link(b"z", b"m")]);
        match Index::parse(text.into_bytes()) {
            Err(IndexError::Line { line: 2, problem, .. }) => {
                assert_eq!(problem, LineError::LinkTargetMissing("m".into()));
            }
            other => panic!("{other:?}"),
        }
    }

    fn any_entry() -> impl Strategy<Value = EntryBuf> {
        let name = prop::collection::vec((1u8..=255).prop_filter("no slash", |c| *c != b'/'), 1..6)
            .prop_filter("no dots", |name| name != b"." && name != b"..");
        let xattrs = prop::collection::btree_map(
            prop::collection::vec(1u8..=255, 1..10),
            prop::collection::vec(any::<u8>(), 0..20),
            0..3,
        );
        let target = prop::collection::vec(1u8..=255, 1..20);
        let kinds = prop::sample::select(vec![
            Kind::File,
            Kind::Dir,
            Kind::Symlink,
            Kind::CharDev,
            Kind::BlockDev,
            Kind::Fifo,
            Kind::Socket,
        ]);
        let numbers =
            (0..=MAX_ID, 0..=MAX_ID, 0..=MAX_DEVICE, TIMES, 0u32..1_000_000_000, 0u64..3, 0u32..0o10000);
        (name, kinds, numbers, target, xattrs).prop_map(|(name, kind, numbers, target, xattrs)| {
            let (uid, gid, rdev, sec, nsec, size, mode) = numbers;
            let base = match kind {
                Kind::File => file(&name, size),
                Kind::Symlink => EntryBuf {
                    size: target.len() as u64,
                    target: Some(target.into()),
                    ..EntryBuf::empty(&name, kind)
                },
                Kind::CharDev | Kind::BlockDev => EntryBuf { rdev, ..EntryBuf::empty(&name, kind) },
                kind => EntryBuf::empty(&name, kind),
            };
            let xattrs = xattrs.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
            EntryBuf { uid, gid, mode, mtime: Mtime { sec, nsec }, xattrs, ..base }
        })
    }

    proptest! {
        #[test]
        fn reading_inverts_writing(mut entries in prop::collection::vec(any_entry(), 0..30)) {
            let mut seen = BTreeSet::new();
            entries.push(EntryBuf::empty(b"", Kind::Dir));
            entries.retain(|e| seen.insert(e.path.clone()));
            let text = text(entries.clone());
            entries.sort_by(|a, b| a.path.cmp(&b.path));
            let index = Index::parse(text.into_bytes()).map_err(|e| TestCaseError::fail(e.to_string()))?;
            prop_assert_eq!(index.len(), entries.len());
            for (i, expected) in entries.iter().enumerate() {
                prop_assert_eq!(&index.entry(i), expected);
                prop_assert_eq!(index.find(&expected.path), Some(i));
            }
        }
    }
}
