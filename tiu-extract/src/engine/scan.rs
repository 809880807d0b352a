//! Scans whole trees: the target, joined with the index, and seeds.

use super::error::EngineError;
use super::hash::Reading;
use super::join::Joined;
use super::settle::Settle;
use super::tree::ScannedTree;
use super::walk::{ReadAttributes, Walk};
use std::os::fd::OwnedFd;
use std::path::Path;
use tiu_bundle::index::Index;
use tiu_system::progress::Unit;

/// Scans the target and joins it with the index.
pub(crate) fn scan(
    index: &Index,
    attributes: ReadAttributes,
    reading: &Reading,
) -> Result<(ScannedTree, Joined), EngineError> {
    let Reading { root, caching, rules, watch } = *reading;
    let settle = match attributes {
        ReadAttributes::Now => Settle::ByMetadata,
        ReadAttributes::WithContent => Settle::ByContent(caching),
    };
    let walk =
        Walk { root, index: Some(index), everything: false, rules, attributes, settle, scope: None, watch };
    let tree = watch.phase("Scanning", 0, Unit::Items, || walk.run())?;
    let joined = Joined::new(index, &tree, rules, attributes);
    Ok((tree, joined))
}

/// Scans a seed: kinds and sizes alone.
pub(crate) fn scan_seed(reading: &Reading) -> Result<ScannedTree, EngineError> {
    let Reading { root, rules, watch, .. } = *reading;
    let attributes = ReadAttributes::WithContent;
    let settle = Settle::Never;
    let walk = Walk { root, index: None, everything: false, rules, attributes, settle, scope: None, watch };
    watch.phase("Scanning the seed", 0, Unit::Items, || walk.run())
}

/// Opens the root of a seed.
pub(crate) fn open_seed(path: &Path) -> Result<OwnedFd, EngineError> {
    use rustix::fs::{Mode, OFlags};
    rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|e| EngineError::Io { operation: "open the seed", path: path.to_owned(), source: e.into() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::hash::Caching;
    use crate::engine::inventory::inventory;
    use crate::engine::join::EntryPlace;
    use crate::engine::rules::{Lookup, Rules};
    use std::fs;
    use std::os::fd::AsFd;
    use std::time::{Duration, SystemTime};
    use tiu_bundle::index::IndexWriter;
    use tiu_system::path::TreePath;
    use tiu_system::progress::Watch;

    const TIME: Duration = Duration::from_secs(1_600_000_000);

    fn write(path: &Path, content: &[u8]) {
        fs::write(path, content).unwrap();
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + TIME).unwrap();
    }

    /// Three directories of 200 files, and one file that is too large to be read during a walk.
    fn make_tree(root: &Path) {
        for directory in ["a", "b", "b/c"].map(|name| root.join(name)) {
            fs::create_dir(&directory).unwrap();
            for number in 0..200 {
                write(&directory.join(format!("file-{number}")), format!("content {number}").as_bytes());
            }
        }
        write(&root.join("large"), &vec![7; 2 << 20]);
        fs::hard_link(root.join("a/file-0"), root.join("a/other-name")).unwrap();
        std::os::unix::fs::symlink("b/c", root.join("link")).unwrap();
    }

    fn index_of(root: &Path) -> Index {
        let root = fs::File::open(root).unwrap();
        let mut writer = IndexWriter::default();
        let found = inventory(root.as_fd(), &Rules::default(), Watch::silent()).unwrap();
        found.into_iter().for_each(|found| writer.push(found.entry));
        Index::parse(writer.finish()).unwrap()
    }

    /// Scans `root`, and returns the paths that have a node, and the number of those that have none.
    fn scanned(root: &Path, index: &Index, attributes: ReadAttributes) -> (Vec<String>, usize) {
        let root = fs::File::open(root).unwrap();
        let rules = Rules::default();
        let lookup = &Lookup::new(&rules);
        let reading = Reading {
            root: root.as_fd(),
            caching: Caching::PageCache,
            rules: lookup,
            watch: Watch::silent(),
        };
        let (tree, joined) = scan(index, attributes, &reading).unwrap();
        let mut paths: Vec<String> =
            (0..tree.nodes.len() as u32).map(|i| tree.tree_path(i).to_string()).collect();
        paths.sort();
        (paths, joined.places.iter().filter(|place| **place == EntryPlace::Settled).count())
    }

    #[test]
    fn what_the_index_says_has_no_node() {
        let tree = tempfile::tempdir().unwrap();
        let root = tree.path();
        make_tree(root);
        let index = index_of(root);
        let directories = [".", "a", "a/file-0", "a/other-name", "b", "b/c"];
        // The content of the large file is read later, and its names decide about an inode of two.
        let (paths, settled) = scanned(root, &index, ReadAttributes::WithContent);
        assert_eq!(paths, [&directories[..], &["large"]].concat());
        assert_eq!(settled, index.len() - paths.len());
        let (paths, settled) = scanned(root, &index, ReadAttributes::Now);
        assert_eq!(paths, directories);
        assert_eq!(settled, index.len() - paths.len());
    }

    #[test]
    fn what_differs_in_anything_has_a_node() {
        let tree = tempfile::tempdir().unwrap();
        let root = tree.path();
        make_tree(root);
        let index = index_of(root);
        // Content, with its size and its time; a time; a mode; an attribute; a target; a name; a
        // kind.
        write(&root.join("a/file-1"), b"CONTENT 1");
        fs::File::open(root.join("a/file-2")).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(root.join("a/file-3"), mode).unwrap();
        let attributed = rustix::fs::XattrFlags::empty();
        rustix::fs::setxattr(root.join("a/file-4"), "user.a", b"1", attributed).unwrap();
        fs::remove_file(root.join("link")).unwrap();
        std::os::unix::fs::symlink("b/d", root.join("link")).unwrap();
        write(&root.join("b/extra"), b"");
        fs::remove_file(root.join("b/file-5")).unwrap();
        fs::create_dir(root.join("b/file-5")).unwrap();
        let (paths, settled) = scanned(root, &index, ReadAttributes::WithContent);
        let expected = [
            ".",
            "a",
            "a/file-0",
            "a/file-1",
            "a/file-2",
            "a/file-3",
            "a/file-4",
            "a/other-name",
            "b",
            "b/c",
            "b/extra",
            "b/file-5",
            "large",
            "link",
        ];
        assert_eq!(paths, expected);
        // The extra name is in no index.
        assert_eq!(settled, index.len() - (expected.len() - 1));
        assert!(index.find(TreePath::literal("b/extra")).is_none());
    }
}
