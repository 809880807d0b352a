//! A system as its programs see it, and finding files in it.
//!
//! A file that is absent is not one that cannot be reached. Only the first may count as "not
//! configured": a symbolic link that leads nowhere, a directory that cannot be entered or a file in
//! place of a directory is an error that says so.

use super::{Tree, TreeError};
use crate::beneath::Beneath;
use crate::path::{TreePath, TreePathBuf};
use rustix::fs::{AtFlags, FileType, OFlags, Stat, readlinkat, statat};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Most symbolic links that are followed on one path, as the kernel follows (path_resolution(7)).
const MAX_LINKS: usize = 40;

/// A system: a tree, and other trees that are mounted over parts of it.
///
/// Symbolic links lead within it, absolute ones too.
#[derive(Clone, Debug)]
pub struct System<'a> {
    tree: &'a Tree,
    over: Option<(&'a Tree, Vec<TreePathBuf>)>,
}

/// A symbolic link that is being followed.
struct Link {
    path: PathBuf,
    target: PathBuf,
    /// Number of names that remain once it has been followed.
    rest: usize,
}

impl<'a> System<'a> {
    /// Returns the system in `tree`, with what is mounted there.
    pub fn new(tree: &'a Tree) -> Self {
        System { tree, over: None }
    }

    /// Returns the system in `tree` as it will be when the paths `mounted` of `other` are mounted
    /// over it.
    pub fn with_mounts(tree: &'a Tree, other: &'a Tree, mounted: Vec<TreePathBuf>) -> Self {
        System { tree, over: Some((other, mounted)) }
    }

    /// Returns the tree.
    pub fn tree(&self) -> &'a Tree {
        self.tree
    }

    /// Returns the path, from outside, of what a program of the system finds at `path`. Returns
    /// `None` only if it does not exist.
    pub fn find(&self, path: &Path) -> Result<Option<PathBuf>, TreeError> {
        Ok(self.walk(path)?.map(|(tree, found)| tree.path().join(found)))
    }

    /// Returns the path within the system of what a program of the system finds at `path`, without
    /// a symbolic link in it. Returns `None` if it does not exist or cannot be reached.
    pub fn real_path(&self, path: &Path) -> Option<PathBuf> {
        Some(self.walk(path).ok()??.1)
    }

    /// Reads the regular file that a program of the system finds at `path`, of at most `limit`
    /// bytes. Returns `None` only if it does not exist.
    pub fn read(&self, path: &Path, limit: u64) -> Result<Option<Vec<u8>>, TreeError> {
        let Some(found) = self.find(path)? else { return Ok(None) };
        let failed = |source: io::Error| TreeError { path: found.clone(), source };
        // Opening a fifo must not block.
        let flags = (OFlags::NONBLOCK | OFlags::NOFOLLOW).bits() as i32;
        let file = OpenOptions::new().read(true).custom_flags(flags).open(&found).map_err(failed)?;
        if !file.metadata().map_err(failed)?.is_file() {
            return Err(failed(io::Error::other("not a regular file")));
        }
        let mut bytes = Vec::new();
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > limit {
            return Err(failed(io::Error::other(format!("larger than {limit} bytes"))));
        }
        Ok(Some(bytes))
    }

    /// Returns the tree in which `path` lies, and its path there without a symbolic link.
    fn walk(&self, path: &Path) -> Result<Option<(&'a Tree, PathBuf)>, TreeError> {
        let mut rest: Vec<Vec<u8>> = names(path.as_os_str().as_bytes());
        let mut done: Vec<Vec<u8>> = Vec::new();
        let mut link: Option<Link> = None;
        let mut links = 0;
        while let Some(name) = rest.pop() {
            match &name[..] {
                b"" | b"." => continue,
                b".." => {
                    done.pop();
                    continue;
                }
                _ => {}
            }
            link = link.filter(|link| rest.len() >= link.rest);
            done.push(name);
            let here = done.join(&b'/');
            let tree = self.tree_of(&here);
            let failed = |source: io::Error| TreeError { path: tree.path().join(shown(&here)), source };
            let stat = match lstat(tree, &here) {
                Ok(stat) => stat,
                Err(Errno::NOENT) => return link.map_or(Ok(None), |link| Err(self.dangling(link))),
                Err(e) => return Err(failed(e.into())),
            };
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Symlink => {
                    let target = read_link(tree, &here).map_err(|e| failed(e.into()))?;
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(failed(Errno::LOOP.into()));
                    }
                    link = link.or_else(|| {
                        Some(Link { path: shown(&here), target: shown(&target), rest: rest.len() })
                    });
                    done.pop();
                    if target.starts_with(b"/") {
                        done.clear();
                    }
                    rest.extend(names(&target));
                }
                FileType::Directory => {}
                _ if rest.is_empty() => {}
                _ => return Err(failed(Errno::NOTDIR.into())),
            }
        }
        let here = done.join(&b'/');
        Ok(Some((self.tree_of(&here), shown(&here))))
    }

    /// Returns the tree that programs find at `path`.
    fn tree_of(&self, path: &[u8]) -> &'a Tree {
        let is_within = |mount: &TreePathBuf| TreePath::new(path).is_ok_and(|path| path.starts_with(mount));
        match &self.over {
            Some((other, mounted)) if mounted.iter().any(is_within) => other,
            _ => self.tree,
        }
    }

    fn dangling(&self, link: Link) -> TreeError {
        let text = format!("the symbolic link leads to {}, which does not exist", link.target.display());
        TreeError { path: self.tree.path().join(link.path), source: io::Error::other(text) }
    }
}

/// Returns the names of a path, the last one first.
fn names(path: &[u8]) -> Vec<Vec<u8>> {
    path.rsplit(|c| *c == b'/').map(<[u8]>::to_vec).collect()
}

fn shown(path: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(path))
}

fn parent(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|c| *c == b'/') {
        Some(at) => (path.get(..at).unwrap_or_default(), path.get(at + 1..).unwrap_or_default()),
        None => (b"", path),
    }
}

fn lstat(tree: &Tree, path: &[u8]) -> Result<Stat, Errno> {
    let (parent, name) = parent(path);
    let parent = Beneath::new(tree.fd()).open(parent, OFlags::PATH | OFlags::DIRECTORY)?;
    statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)
}

fn read_link(tree: &Tree, path: &[u8]) -> Result<Vec<u8>, Errno> {
    let (parent, name) = parent(path);
    let parent = Beneath::new(tree.fd()).open(parent, OFlags::PATH | OFlags::DIRECTORY)?;
    Ok(readlinkat(parent, name, Vec::new())?.into_bytes())
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
        let system = System::with_mounts(&below, &over, vec![TreePath::literal("var").to_owned()]);
        assert_eq!(read(&system, "var/lib/file"), Ok(Some(b"over".to_vec())));
        assert_eq!(read(&system, "etc/link"), Ok(Some(b"over".to_vec())));
        assert_eq!(read(&system, "variant"), Ok(Some(b"below".to_vec())));
        assert!(read(&system, "var/back").unwrap_err().contains("/etc/none"));
    }
}
