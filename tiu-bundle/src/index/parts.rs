//! Parts of an index.

use super::{Entry, Index, IndexError, IndexWriter};
use std::ops::Range;
use tiu_system::path::TreePath;

impl Index {
    /// Returns the names of inodes that have several, except the first name of each.
    pub fn hard_links(&self) -> impl Iterator<Item = Entry<'_>> + '_ {
        self.hard_link_numbers().map(|i| self.entry(i))
    }

    /// Returns the numbers of the entries below the directory `path`, without its own.
    pub fn range_below(&self, path: &TreePath) -> Range<usize> {
        match path.as_bytes() {
            [] => 1..self.len(),
            // `0` comes right after the slash.
            path => self.first_from(&[path, b"/"].concat())..self.first_from(&[path, b"0"].concat()),
        }
    }

    /// Returns the numbers of the entries that lie in the directory `path` itself. Takes a search
    /// for each of its directories, whatever lies below those.
    pub fn children(&self, path: &TreePath) -> Vec<usize> {
        let mut start = path.as_bytes().to_vec();
        if !path.is_root() {
            start.push(b'/');
        }
        let (mut children, mut at) = (Vec::new(), self.first_from(&start));
        while at < self.len() {
            let entry = self.entry(at);
            let Some(below) = entry.path.as_bytes().strip_prefix(&start[..]) else { break };
            match below.iter().position(|c| *c == b'/') {
                // The root is its own first entry.
                None if below.is_empty() => at += 1,
                None => {
                    children.push(at);
                    at += 1;
                }
                // Everything in that directory comes before its name with the next byte.
                Some(end) => {
                    let mut next = start.clone();
                    next.extend_from_slice(below.get(..end).unwrap_or_default());
                    next.push(b'/' + 1);
                    at = self.first_from(&next);
                }
            }
        }
        children
    }

    /// Returns the names in the directory at `path`, in the order of the index.
    pub fn names(&self, path: &TreePath) -> Vec<Vec<u8>> {
        let name = |i| self.entry(i).path.file_name().map(<[u8]>::to_vec);
        self.children(path).into_iter().filter_map(name).collect()
    }

    /// Returns an index of the entries with these numbers, which ascend: with each its parents,
    /// and of an inode all names or none.
    pub fn part(&self, entries: impl IntoIterator<Item = usize>) -> Result<Index, IndexError> {
        let mut writer = IndexWriter::default();
        entries.into_iter().for_each(|i| writer.push(self.entry(i).into_owned()));
        Index::parse(writer.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::{EntryBuf, Kind};
    use std::collections::{BTreeMap, BTreeSet};

    fn entry(path: &str, kind: Kind, uid: u32) -> EntryBuf {
        EntryBuf { uid, ..EntryBuf::empty(path, kind) }
    }

    fn index(entries: &BTreeMap<String, u32>) -> Index {
        let mut writer = IndexWriter::default();
        let directories: BTreeSet<String> = entries
            .keys()
            .flat_map(|path| path.match_indices('/').map(|(at, _)| path[..at].to_owned()).collect::<Vec<_>>())
            .collect();
        writer.push(entry("", Kind::Dir, 0));
        directories.iter().for_each(|path| writer.push(entry(path, Kind::Dir, 0)));
        let others = entries.iter().filter(|(path, _)| !directories.contains(*path));
        others.for_each(|(path, uid)| writer.push(entry(path, Kind::Fifo, *uid)));
        Index::parse(writer.finish()).unwrap()
    }

    fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Index {
        index(&names.into_iter().map(|name| (name.to_owned(), 0)).collect())
    }

    fn paths(index: &Index, numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
        numbers.into_iter().map(|i| index.entry(i).path.to_string()).collect()
    }

    #[test]
    fn a_directory_is_not_all_that_begins_like_it() {
        let index = named(["a-b", "a/x", "a/x-y", "a/x/y", "a/z", "a0", "b", "a/\u{1}"]);
        let below = |at: &str| paths(&index, index.range_below(TreePath::new(at).unwrap()));
        let children = |at: &str| paths(&index, index.children(TreePath::new(at).unwrap()));
        assert_eq!(below("a"), ["a/\\x01", "a/x", "a/x-y", "a/x/y", "a/z"]);
        assert_eq!(below("").len(), index.len() - 1);
        assert_eq!(below("none"), [""; 0]);
        assert_eq!(children("a"), ["a/\\x01", "a/x", "a/x-y", "a/z"]);
        assert_eq!(children(""), ["a", "a-b", "a0", "b"]);
        assert_eq!(children("b"), [""; 0]);
    }

    #[test]
    fn a_part_without_a_parent_is_not_an_index() {
        let index = named(["a/b"]);
        assert_eq!(paths(&index, [0, 1]), [".", "a"]);
        assert_eq!(index.part([0, 1]).unwrap().len(), 2);
        assert!(index.part([0, 2]).is_err());
        assert!(index.find(TreePath::literal("a/b")).is_some());
    }
}
