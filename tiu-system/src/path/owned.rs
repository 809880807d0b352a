//! The owned path, and the conversions between the two.

use super::borrowed::{TreePath, check};
use super::error::PathError;
use std::borrow::{Borrow, Cow};
use std::ops::Deref;
use std::path::Path;

/// A path inside a tree, owned. See the [module](super) for what it may hold.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreePathBuf(pub(super) Vec<u8>);

impl TreePathBuf {
    /// Returns `bytes` as a path.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<TreePathBuf, PathError> {
        let bytes = bytes.into();
        check(&bytes).map(|()| TreePathBuf(bytes))
    }

    /// Returns the path that `bytes` names as seen from inside the tree. See
    /// [`TreePath::parse_absolute`].
    pub fn parse_absolute<B: AsRef<[u8]> + ?Sized>(bytes: &B) -> Result<TreePathBuf, PathError> {
        TreePath::parse_absolute(bytes).map(TreePath::to_owned)
    }

    /// Returns the bytes, without a slash in front.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// Appends `below`.
    pub fn push(&mut self, below: &TreePath) {
        if !self.0.is_empty() && !below.is_root() {
            self.0.push(b'/');
        }
        self.0.extend_from_slice(&below.0);
    }

    /// Removes the last component. Returns whether there was one.
    pub fn pop(&mut self) -> bool {
        match self.parent().map(|parent| parent.0.len()) {
            Some(length) => {
                self.0.truncate(length);
                true
            }
            None => false,
        }
    }
}

impl TreePath {
    /// Returns `below` seen from this directory.
    pub fn join(&self, below: &TreePath) -> TreePathBuf {
        let mut path = TreePathBuf(Vec::with_capacity(self.0.len() + 1 + below.0.len()));
        path.push(self);
        path.push(below);
        path
    }

    /// Returns the path of the file called `name` in this directory.
    pub fn child<B: AsRef<[u8]> + ?Sized>(&self, name: &B) -> Result<TreePathBuf, PathError> {
        let name = name.as_ref();
        if name.is_empty() || name.contains(&b'/') {
            return Err(PathError::NotAName);
        }
        Ok(self.join(TreePath::new(name)?))
    }
}

/// The root.
impl Default for &TreePath {
    fn default() -> Self {
        TreePath::ROOT
    }
}

impl Deref for TreePathBuf {
    type Target = TreePath;
    fn deref(&self) -> &TreePath {
        TreePath::checked(&self.0)
    }
}

impl Borrow<TreePath> for TreePathBuf {
    fn borrow(&self) -> &TreePath {
        self
    }
}

impl ToOwned for TreePath {
    type Owned = TreePathBuf;
    fn to_owned(&self) -> TreePathBuf {
        TreePathBuf(self.0.to_vec())
    }
    fn clone_into(&self, target: &mut TreePathBuf) {
        self.0.clone_into(&mut target.0);
    }
}

impl AsRef<TreePath> for TreePath {
    fn as_ref(&self) -> &TreePath {
        self
    }
}

impl AsRef<TreePath> for TreePathBuf {
    fn as_ref(&self) -> &TreePath {
        self
    }
}

impl AsRef<[u8]> for TreePath {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for TreePathBuf {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<Path> for TreePath {
    fn as_ref(&self) -> &Path {
        self.as_path()
    }
}

impl AsRef<Path> for TreePathBuf {
    fn as_ref(&self) -> &Path {
        self.as_path()
    }
}

impl From<&TreePath> for TreePathBuf {
    fn from(path: &TreePath) -> TreePathBuf {
        path.to_owned()
    }
}

impl<'a> From<&'a TreePath> for Cow<'a, TreePath> {
    fn from(path: &'a TreePath) -> Cow<'a, TreePath> {
        Cow::Borrowed(path)
    }
}

impl From<TreePathBuf> for Cow<'_, TreePath> {
    fn from(path: TreePathBuf) -> Self {
        Cow::Owned(path)
    }
}
