//! A system as its programs see it, and finding files in it.
//!
//! An absent file is different from a file that cannot be reached. Only an absent file counts as
//! "not configured": a dangling symbolic link, a directory that cannot be entered or a file in
//! place of a directory is an error that says so.

use super::error::TreeError;
use super::nodes::{Files, Layer, Node, NodeLookup, is_regular};
use super::read::Tree;
use super::walk::{Destination, WalkError, walk};
use crate::path::{TreePath, TreePathBuf};
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A system: a tree or a plan of one, and another tree that is mounted over parts of it.
///
/// Symbolic links lead within it, absolute ones too.
#[derive(Clone)]
pub struct System<'a> {
    layer: &'a dyn Layer,
    over: Option<(&'a Tree, Vec<TreePathBuf>)>,
}

impl<'a> System<'a> {
    /// Returns the system in `layer`, with what is mounted there.
    pub fn new(layer: &'a dyn Layer) -> Self {
        System { layer, over: None }
    }

    /// Returns the system in `layer` as it will be when the paths `mounted` of `other` are mounted
    /// over it.
    pub fn with_mounts(layer: &'a dyn Layer, other: &'a Tree, mounted: Vec<TreePathBuf>) -> Self {
        System { layer, over: Some((other, mounted)) }
    }

    /// Returns the path within the system of what a program of the system finds at `path`, without
    /// a symbolic link in it. Returns `None` if it does not exist or cannot be reached.
    pub fn real_path(&self, path: &Path) -> Option<PathBuf> {
        Some(self.find(path).ok()??.0.as_path().to_owned())
    }

    /// Returns whether a program of the system finds something at `path`. What cannot be reached is
    /// an error.
    pub fn has(&self, path: &Path) -> Result<bool, TreeError> {
        Ok(self.find(path)?.is_some())
    }

    /// Reads the regular file that a program of the system finds at `path`, of at most `limit`
    /// bytes. Returns `None` only if it does not exist.
    pub fn read(&self, path: &Path, limit: u64) -> Result<Option<Vec<u8>>, TreeError> {
        let Some((found, node)) = self.find(path)? else { return Ok(None) };
        let failed = |source: io::Error| TreeError { path: self.name(&found), source };
        let mut bytes = Vec::new();
        let file = self.open_file(&found, &node).map_err(failed)?;
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > limit {
            return Err(failed(io::Error::other(format!("larger than {limit} bytes"))));
        }
        Ok(Some(bytes))
    }

    /// Returns what a program of the system finds at `path`. Returns `None` only if it does not
    /// exist.
    fn find(&self, path: &Path) -> Result<Option<(TreePathBuf, Node)>, TreeError> {
        let failed = |path: &TreePath, source: io::Error| TreeError { path: self.name(path), source };
        match walk(self, path.as_os_str().as_bytes()) {
            Ok(Destination { path, node: Some(node), .. }) => Ok(Some((path, node))),
            Ok(Destination { dangling: Some((link, target)), .. }) => {
                let target = OsStr::from_bytes(&target).display();
                let text = format!("the symbolic link leads to {target}, which does not exist");
                Err(failed(&link, io::Error::other(text)))
            }
            Ok(_) | Err(WalkError::NoParent) => Ok(None),
            Err(WalkError::Links(path)) => Err(failed(&path, Errno::LOOP.into())),
            Err(WalkError::NotDirectory(path)) => Err(failed(&path, Errno::NOTDIR.into())),
            Err(WalkError::Lookup(path, source)) => Err(failed(&path, source)),
        }
    }

    /// Opens a file that was [found](Self::find).
    fn open_file(&self, path: &TreePath, node: &Node) -> io::Result<Box<dyn Read + '_>> {
        match node {
            Node::File { .. } => self.layer_of(path).open(path),
            _ => Err(io::Error::other("not a regular file")),
        }
    }

    fn name(&self, path: &TreePath) -> PathBuf {
        self.layer_of(path).shown(path)
    }

    /// Returns the layer that programs find at `path`.
    fn layer_of(&self, path: &TreePath) -> &'a dyn Layer {
        match &self.over {
            Some((other, mounted)) if mounted.iter().any(|mount| path.starts_with(mount)) => *other,
            _ => self.layer,
        }
    }
}

impl NodeLookup for System<'_> {
    fn node(&self, path: &TreePath) -> io::Result<Option<Node>> {
        self.layer_of(path).node(path)
    }

    fn names(&self, directory: &TreePath) -> io::Result<Vec<Vec<u8>>> {
        self.layer_of(directory).names(directory)
    }
}

impl Files for System<'_> {
    fn list(&self, path: &Path) -> Result<Option<Vec<Vec<u8>>>, TreeError> {
        let Some((found, node)) = self.find(path)? else { return Err(self.absent(path)) };
        if node != Node::Directory {
            return Ok(None);
        }
        let failed = |source| TreeError { path: self.name(&found), source };
        let mut names = self.names(&found).map_err(failed)?;
        names.sort();
        Ok(Some(names))
    }

    fn open(&self, path: &Path) -> Result<Box<dyn Read + '_>, TreeError> {
        let Some((found, node)) = self.find(path)? else { return Err(self.absent(path)) };
        self.open_file(&found, &node).map_err(|source| TreeError { path: self.name(&found), source })
    }

    fn shown(&self, path: &Path) -> PathBuf {
        let names = path.strip_prefix("/").unwrap_or(path);
        TreePath::new(names.as_os_str().as_bytes()).map_or_else(|_| path.to_owned(), |path| self.name(path))
    }
}

impl System<'_> {
    fn absent(&self, path: &Path) -> TreeError {
        TreeError { path: Files::shown(self, path), source: Errno::NOENT.into() }
    }
}

/// The files of the running system, by paths as its programs use them.
#[derive(Clone, Copy, Debug)]
pub struct RunningFiles;

impl Files for RunningFiles {
    fn list(&self, path: &Path) -> Result<Option<Vec<Vec<u8>>>, TreeError> {
        let failed = |source| TreeError { path: path.to_owned(), source };
        if !std::fs::metadata(path).map_err(failed)?.is_dir() {
            return Ok(None);
        }
        let entries = std::fs::read_dir(path).map_err(failed)?;
        let names: io::Result<Vec<_>> = entries.map(|entry| Ok(entry?.file_name().into_vec())).collect();
        let mut names = names.map_err(failed)?;
        names.sort();
        Ok(Some(names))
    }

    fn open(&self, path: &Path) -> Result<Box<dyn Read + '_>, TreeError> {
        let failed = |source| TreeError { path: path.to_owned(), source };
        // Opening a fifo must not wait for a writer.
        let flags = OFlags::NONBLOCK.bits() as i32;
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(failed)?;
        Ok(Box::new(is_regular(file).map_err(failed)?))
    }

    fn shown(&self, path: &Path) -> PathBuf {
        path.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn read(system: &System, path: &str) -> Result<Option<Vec<u8>>, String> {
        system.read(Path::new(path), 100).map_err(|e| e.to_string())
    }

    #[test]
    fn only_what_does_not_exist_is_absent() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(root.join("a/b/file"), "content").unwrap();
        let links = [
            ("link", "a/b"),
            ("a/absolute", "/a/b/file"),
            ("a/up", "../../../a/absolute"),
            ("dangling", "nowhere"),
            ("a/deep", "b/none/file"),
            ("far", "dangling"),
            ("loop", "loop"),
            ("through", "a/b/file/x"),
        ];
        for (path, target) in links {
            symlink(target, root.join(path)).unwrap();
        }
        assert!(std::process::Command::new("mkfifo").arg(root.join("fifo")).status().unwrap().success());
        let tree = Tree::open(root).unwrap();
        let system = System::new(&tree);
        for path in ["a/b/file", "link/file", "a/absolute", "a/up", "/a//b/./file", "../a/b/file"] {
            assert_eq!(read(&system, path), Ok(Some(b"content".to_vec())), "{path}");
        }
        for path in ["none", "a/none", "link/none", "link/none/none"] {
            assert_eq!(read(&system, path), Ok(None), "{path}");
        }
        for (path, expected) in [
            ("dangling", "leads to nowhere, which does not exist"),
            ("a/deep", "leads to b/none/file, which does not exist"),
            ("far", "which does not exist"),
            ("dangling/file", "which does not exist"),
            ("loop", "symbolic link"),
            ("through", "Not a directory"),
            ("a/b/file/x", "Not a directory"),
            ("a/b", "not a regular file"),
            ("fifo", "not a regular file"),
        ] {
            let error = read(&system, path).unwrap_err();
            assert!(error.contains(expected), "{path}: {error}");
        }
        assert_eq!(system.real_path(Path::new("a/up")), Some("a/b/file".into()));
        assert_eq!(system.real_path(Path::new("far")), None);
    }

    #[test]
    fn what_is_mounted_over_a_tree_is_found_there() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for (dir, text) in [(&one, "below"), (&two, "over")] {
            fs::create_dir_all(dir.path().join("var/lib")).unwrap();
            fs::create_dir_all(dir.path().join("etc")).unwrap();
            fs::write(dir.path().join("var/lib/file"), text).unwrap();
            fs::write(dir.path().join("variant"), text).unwrap();
        }
        symlink("../var/lib/file", one.path().join("etc/link")).unwrap();
        symlink("/etc/none", two.path().join("var/back")).unwrap();
        let (below, over) = (Tree::open(one.path()).unwrap(), Tree::open(two.path()).unwrap());
        let system = System::with_mounts(&below, &over, vec![TreePathBuf::new("var").unwrap()]);
        assert_eq!(read(&system, "var/lib/file"), Ok(Some(b"over".to_vec())));
        assert_eq!(read(&system, "etc/link"), Ok(Some(b"over".to_vec())));
        assert_eq!(read(&system, "variant"), Ok(Some(b"below".to_vec())));
        assert!(read(&system, "var/back").unwrap_err().contains("/etc/none"));
    }
}
