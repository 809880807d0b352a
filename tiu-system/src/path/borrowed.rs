//! The borrowed path, and the rules that every path keeps.

use super::error::PathError;
use ref_cast::{RefCastCustom, ref_cast_custom};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A path inside a tree, borrowed. See the [module](super) for what it may hold.
///
/// The order of paths is the order of their bytes, which is the order of the index.
#[derive(RefCastCustom, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct TreePath(pub(super) [u8]);

impl TreePath {
    /// The root of the tree: the empty path.
    pub const ROOT: &'static TreePath = TreePath::checked(b"");

    #[ref_cast_custom]
    pub(super) const fn checked(bytes: &[u8]) -> &TreePath;

    /// Returns `bytes` as a path.
    pub fn new<B: AsRef<[u8]> + ?Sized>(bytes: &B) -> Result<&TreePath, PathError> {
        let bytes = bytes.as_ref();
        check(bytes).map(|()| TreePath::checked(bytes))
    }

    /// Returns the path of a constant.
    ///
    /// # Panics
    /// When `text` is not a path. In a `const` that is an error of the compiler.
    pub const fn literal(text: &'static str) -> &'static TreePath {
        match check(text.as_bytes()) {
            Ok(()) => TreePath::checked(text.as_bytes()),
            Err(_) => panic!("not a path inside a tree"),
        }
    }

    /// Returns the path that `bytes` names as seen from inside the tree, with a slash in front:
    /// `/etc/passwd`, and `/` for the root.
    pub fn parse_absolute<B: AsRef<[u8]> + ?Sized>(bytes: &B) -> Result<&TreePath, PathError> {
        let relative = bytes.as_ref().strip_prefix(b"/").ok_or(PathError::NotAbsolute)?;
        // The root is `/`. Another slash is an empty component here, not the start of an absolute
        // path.
        match check(relative) {
            Ok(()) => Ok(TreePath::checked(relative)),
            Err(PathError::Absolute) => Err(PathError::EmptyComponent),
            Err(e) => Err(e),
        }
    }

    /// Returns the bytes, without a slash in front. The root is empty.
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the path for functions of the standard library: relative, empty for the root.
    pub fn as_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.0))
    }

    /// Returns the path as text, when it is UTF-8.
    pub fn to_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// Returns whether this is the root.
    pub const fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the directory that holds this path. The root has none.
    pub fn parent(&self) -> Option<&TreePath> {
        match self.0.iter().rposition(|c| *c == b'/') {
            Some(slash) => self.0.get(..slash).map(TreePath::checked),
            None if self.is_root() => None,
            None => Some(TreePath::ROOT),
        }
    }

    /// Returns the last component. The root has none.
    pub fn file_name(&self) -> Option<&[u8]> {
        self.components().next_back()
    }

    /// Returns the components from the root downwards.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.0.split(|c| *c == b'/').filter(|component| !component.is_empty())
    }

    /// Returns this path, its parent, and so on up to the root.
    pub fn ancestors(&self) -> impl Iterator<Item = &TreePath> {
        std::iter::successors(Some(self), |path| path.parent())
    }

    /// Returns the rest of this path below `base`: the root where both are equal, and `None` where
    /// this is not within `base`. Whole components count, so `etc2` is not within `etc`.
    pub fn strip_prefix(&self, base: &TreePath) -> Option<&TreePath> {
        let rest = self.0.strip_prefix(&base.0)?;
        match rest {
            [] => Some(TreePath::ROOT),
            [b'/', below @ ..] => Some(TreePath::checked(below)),
            _ => base.is_root().then(|| TreePath::checked(rest)),
        }
    }

    /// Returns whether this path is `base` or lies below it, by whole components.
    pub fn starts_with(&self, base: &TreePath) -> bool {
        self.strip_prefix(base).is_some()
    }
}

/// Checks the rules of [`TreePath`].
pub(super) const fn check(bytes: &[u8]) -> Result<(), PathError> {
    if bytes.is_empty() {
        return Ok(());
    }
    if bytes[0] == b'/' {
        return Err(PathError::Absolute);
    }
    let (mut start, mut at) = (0, 0);
    loop {
        if at == bytes.len() || bytes[at] == b'/' {
            match at - start {
                0 => return Err(PathError::EmptyComponent),
                1 if bytes[start] == b'.' => return Err(PathError::Dot),
                2 if bytes[start] == b'.' && bytes[start + 1] == b'.' => return Err(PathError::DotDot),
                _ => {}
            }
            if at == bytes.len() {
                return Ok(());
            }
            start = at + 1;
        } else if bytes[at] == 0 {
            return Err(PathError::Nul);
        }
        at += 1;
    }
}
