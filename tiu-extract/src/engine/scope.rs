//! The part of a tree that is examined.

use super::beneath::split;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::ffi::CString;

/// The paths of a tree that are looked at.
#[derive(Default)]
pub(crate) struct Scope {
    /// Paths, each with all directories that lead to it.
    single: BTreeSet<Vec<u8>>,
    /// Paths that are looked at with everything below.
    whole: HashSet<Vec<u8>>,
    /// Directories whose names are all looked at.
    pub listed: BTreeSet<Vec<u8>>,
    /// Paths whose inode changed.
    pub changed: HashSet<Vec<u8>>,
    /// The names of `single`, by directory.
    names: HashMap<Vec<u8>, Vec<CString>>,
}

/// The names of a directory that are looked at.
pub(crate) enum NamesInScope<'a> {
    /// All that the directory has.
    All,
    /// These alone.
    Some(&'a [CString]),
}

impl Scope {
    /// Adds a path, and the directories that lead to it. Returns true if it is new.
    pub fn add(&mut self, path: &[u8]) -> bool {
        let mut at = path;
        let mut new = false;
        while self.single.insert(at.to_vec()) {
            new = true;
            if at.is_empty() {
                break;
            }
            let (parent, name) = split(at);
            if let Ok(name) = CString::new(name) {
                self.names.entry(parent.to_vec()).or_default().push(name);
            }
            at = parent;
        }
        new
    }

    /// Adds a path with everything below it.
    pub fn add_whole(&mut self, path: &[u8]) {
        self.add(path);
        self.whole.insert(path.to_vec());
    }

    /// Returns the paths that are looked at, without what is below those that are looked at whole.
    pub fn paths(&self) -> impl Iterator<Item = &[u8]> {
        self.single.iter().map(Vec::as_slice)
    }

    /// Returns the paths that are looked at with everything below.
    pub fn wholes(&self) -> impl Iterator<Item = &[u8]> {
        self.whole.iter().map(Vec::as_slice)
    }

    /// Returns true if `path` is looked at.
    pub fn has(&self, path: &[u8]) -> bool {
        self.single.contains(path) || self.is_whole(path)
    }

    /// Returns true if `path` is one that is looked at with everything below, or lies below one.
    pub fn is_whole(&self, path: &[u8]) -> bool {
        ancestors(path).any(|path| self.whole.contains(path))
    }

    /// Returns true if the inode at `path` is known without a look: it is what it was.
    pub fn is_proved(&self, path: &[u8]) -> bool {
        !self.is_whole(path) && !self.changed.contains(path)
    }

    /// Returns true if anything in the directory `path` is looked at.
    pub fn enters(&self, path: &[u8]) -> bool {
        self.names.contains_key(path) || self.listed.contains(path) || self.is_whole(path)
    }

    /// Returns the names in the directory `path` that are looked at, not sorted.
    pub fn names_in(&self, path: &[u8]) -> NamesInScope<'_> {
        if self.listed.contains(path) || self.is_whole(path) {
            return NamesInScope::All;
        }
        NamesInScope::Some(self.names.get(path).map_or(&[], Vec::as_slice))
    }
}

/// Returns a path and all directories that lead to it, from the path up to the root.
pub(crate) fn ancestors(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut next = Some(path);
    std::iter::from_fn(move || {
        let path = next?;
        next = (!path.is_empty()).then(|| split(path).0);
        Some(path)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_through_its_directories() {
        let mut scope = Scope::default();
        assert!(scope.add(b"a/b/c") && !scope.add(b"a/b"));
        scope.add_whole(b"e");
        scope.changed.insert(b"a/b/c".to_vec());
        assert_eq!(scope.paths().collect::<Vec<_>>(), [&b""[..], b"a", b"a/b", b"a/b/c", b"e"]);
        assert!(scope.enters(b"") && scope.enters(b"a/b") && !scope.enters(b"a/b/c"));
        assert!(scope.enters(b"e") && scope.enters(b"e/f/g") && !scope.enters(b"ef"));
        assert!(scope.is_proved(b"a/b") && !scope.is_proved(b"a/b/c") && !scope.is_proved(b"e/f"));
        assert!(matches!(scope.names_in(b"e/f"), NamesInScope::All));
        assert!(matches!(scope.names_in(b"a"), NamesInScope::Some(names) if names == [c"b".to_owned()]));
        assert!(scope.has(b"e/x") && !scope.has(b"a/x"));
    }
}
