//! Paths inside a tree.
//!
//! A [`TreePath`] is relative to the root of a tree and canonical: components are separated by one
//! slash, none of them is empty, `.` or `..`, and there is no NUL byte and no slash at either end.
//! The empty path is the root. Apart from that a path is any bytes. Two paths that compare equal
//! name the same place, and a path never leads out of its tree (symbolic links aside).
//!
//! [`TreePath`] is borrowed and [`TreePathBuf`] is owned, as `Path` and `PathBuf` are. Neither can
//! be built from bytes that break these rules.
//!
//! ```
//! use tiu_system::path::{PathError, TreePath};
//!
//! let passwd = TreePath::new("etc/passwd")?;
//! assert_eq!(passwd, TreePath::parse_absolute("/etc/passwd")?);
//! assert_eq!(passwd.parent(), Some(TreePath::new("etc")?));
//! assert_eq!(passwd.absolute().to_string(), "/etc/passwd");
//! assert!(!TreePath::new("etc2")?.starts_with(TreePath::new("etc")?));
//! assert_eq!(TreePath::new("etc/../root"), Err(PathError::DotDot));
//! # Ok::<(), PathError>(())
//! ```

use ref_cast::{RefCastCustom, ref_cast_custom};
use std::borrow::{Borrow, Cow};
use std::ffi::OsStr;
use std::fmt::{self, Write};
use std::ops::Deref;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::str::FromStr;

/// The reason why bytes are not a path inside a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// A relative path was expected.
    #[error("the path starts with `/`")]
    Absolute,
    /// An absolute path was expected.
    #[error("the path does not start with `/`")]
    NotAbsolute,
    /// Two slashes in a row, or one at the end.
    #[error("the path has an empty component")]
    EmptyComponent,
    /// A component `.`.
    #[error("the path has a component `.`")]
    Dot,
    /// A component `..`.
    #[error("the path has a component `..`")]
    DotDot,
    /// Linux ends a path at a NUL byte.
    #[error("the path holds a NUL byte")]
    Nul,
    /// A name was expected, and the bytes are empty or hold a slash.
    #[error("expected the name of one file, found an empty name or a path with `/`")]
    NotAName,
}

/// A path inside a tree, borrowed. See the [module](self) for what it may hold.
///
/// The order of paths is the order of their bytes, which is the order of the index.
#[derive(RefCastCustom, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct TreePath([u8]);

impl TreePath {
    /// The root of the tree: the empty path.
    pub const ROOT: &'static TreePath = TreePath::checked(b"");

    #[ref_cast_custom]
    const fn checked(bytes: &[u8]) -> &TreePath;

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

    /// Returns a form for messages: with a slash in front, escaped as `Display` does. The root is
    /// `/`.
    pub fn absolute(&self) -> Absolute<'_> {
        Absolute(self)
    }
}

/// Checks the rules of [`TreePath`].
const fn check(bytes: &[u8]) -> Result<(), PathError> {
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

/// A path inside a tree, owned. See the [module](self) for what it may hold.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreePathBuf(Vec<u8>);

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

/// Reads what `Display` writes. What is not an escape stands for itself.
impl FromStr for TreePathBuf {
    type Err = PathError;
    fn from_str(text: &str) -> Result<TreePathBuf, PathError> {
        if text == "." { Ok(TreePathBuf::default()) } else { TreePathBuf::new(unescape(text)) }
    }
}

/// One line of text that cannot steer a terminal and from which the path can be read again: a
/// newline is `\n`, a backslash `\\`, every byte of other control characters and of what is not
/// UTF-8 is `\xHH`. The root is `.`.
impl fmt::Display for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() { f.write_char('.') } else { escape(&self.0, f) }
    }
}

impl fmt::Display for TreePathBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

impl fmt::Debug for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl fmt::Debug for TreePathBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

/// A path with a slash in front, for messages. Made by [`TreePath::absolute`].
#[derive(Clone, Copy, Debug)]
pub struct Absolute<'a>(&'a TreePath);

impl fmt::Display for Absolute<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('/')?;
        escape(&self.0.0, f)
    }
}

/// Writes the bytes of a path on one line: `\n`, `\\` and `\xNN` stand for bytes that are not
/// printable text.
pub fn escape(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\n' => f.write_str("\\n")?,
                '\\' => f.write_str("\\\\")?,
                // Byte by byte, so that the path can be read again.
                c if c.is_control() => {
                    c.encode_utf8(&mut [0; 4]).bytes().try_for_each(|byte| write!(f, "\\x{byte:02x}"))?
                }
                c => f.write_char(c)?,
            }
        }
        chunk.invalid().iter().try_for_each(|byte| write!(f, "\\x{byte:02x}"))?;
    }
    Ok(())
}

fn unescape(text: &str) -> Vec<u8> {
    let digit = |c: u8| char::from(c).to_digit(16).map(|digit| digit as u8);
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escape = match (first, after) {
            (b'\\', [b'\\', after @ ..]) => Some((b'\\', after)),
            (b'\\', [b'n', after @ ..]) => Some((b'\n', after)),
            (b'\\', [b'x', high, low, after @ ..]) => {
                digit(*high).zip(digit(*low)).map(|(high, low)| (high << 4 | low, after))
            }
            _ => None,
        };
        let (byte, after) = escape.unwrap_or((first, after));
        bytes.push(byte);
        rest = after;
    }
    bytes
}

/// As `Display` writes it.
impl serde::Serialize for TreePath {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// As `Display` writes it.
impl serde::Serialize for TreePathBuf {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Reads what `Display` writes.
impl<'de> serde::Deserialize<'de> for TreePathBuf {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = TreePathBuf;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a path inside a tree, without a slash in front")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<TreePathBuf, E> {
                text.parse().map_err(|e| E::custom(format_args!("{text:?}: {e}")))
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const fn path(text: &'static str) -> &'static TreePath {
        TreePath::literal(text)
    }

    #[test]
    fn illegal_paths_cannot_be_built() {
        use PathError::*;
        let cases: [(&[u8], PathError); 13] = [
            (b"/", Absolute),
            (b"/etc", Absolute),
            (b"etc/", EmptyComponent),
            (b"etc//passwd", EmptyComponent),
            (b".", Dot),
            (b"./etc", Dot),
            (b"etc/./passwd", Dot),
            (b"etc/.", Dot),
            (b"..", DotDot),
            (b"../etc", DotDot),
            (b"etc/..", DotDot),
            (b"etc/../passwd", DotDot),
            (b"a\0b", Nul),
        ];
        for (bytes, error) in cases {
            assert_eq!(TreePath::new(bytes), Err(error), "{bytes:?}");
            assert_eq!(TreePathBuf::new(bytes), Err(error), "{bytes:?}");
        }
    }

    #[test]
    fn names_that_look_like_dots_are_names() {
        for good in ["", "...", ".a", "a.", "..a", "a..", "a/...", " ", "\n", "a/ /b", "-"] {
            assert_eq!(TreePath::new(good).unwrap().as_bytes(), good.as_bytes());
        }
        assert!(TreePath::new(b"\xff\xfe/\x01").is_ok());
    }

    #[test]
    fn absolute_paths_start_with_one_slash() {
        assert_eq!(TreePath::parse_absolute("/"), Ok(TreePath::ROOT));
        assert_eq!(TreePath::parse_absolute("/etc/passwd"), Ok(path("etc/passwd")));
        assert_eq!(TreePathBuf::parse_absolute("/etc").unwrap(), path("etc").to_owned());
        for (bytes, error) in [
            ("", PathError::NotAbsolute),
            ("etc", PathError::NotAbsolute),
            ("//", PathError::EmptyComponent),
            ("//etc", PathError::EmptyComponent),
            ("/etc/", PathError::EmptyComponent),
            ("/.", PathError::Dot),
            ("/etc/..", PathError::DotDot),
        ] {
            assert_eq!(TreePath::parse_absolute(bytes), Err(error), "{bytes:?}");
        }
    }

    #[test]
    fn within_counts_whole_components() {
        let etc = path("etc");
        for inside in ["etc", "etc/passwd", "etc/a/b"] {
            assert!(path(inside).starts_with(etc), "{inside}");
        }
        for outside in ["", "etc2", "etc2/passwd", "et", "usr/etc", "etc-/a"] {
            assert!(!path(outside).starts_with(etc), "{outside}");
        }
        assert!(path("etc").starts_with(TreePath::ROOT) && TreePath::ROOT.starts_with(TreePath::ROOT));
        assert_eq!(path("etc/a/b").strip_prefix(etc), Some(path("a/b")));
        assert_eq!(path("etc").strip_prefix(etc), Some(TreePath::ROOT));
        assert_eq!(path("etc/a").strip_prefix(TreePath::ROOT), Some(path("etc/a")));
    }

    #[test]
    fn parents_and_names() {
        assert_eq!(TreePath::ROOT.parent(), None);
        assert_eq!(TreePath::ROOT.file_name(), None);
        assert_eq!(path("etc").parent(), Some(TreePath::ROOT));
        assert_eq!(path("etc").file_name(), Some(&b"etc"[..]));
        assert_eq!(path("a/b/c").parent(), Some(path("a/b")));
        assert_eq!(path("a/b/c").file_name(), Some(&b"c"[..]));
        let all: Vec<_> = path("a/b/c").ancestors().collect();
        assert_eq!(all, [path("a/b/c"), path("a/b"), path("a"), TreePath::ROOT]);
        let mut owned = path("a/b").to_owned();
        assert!(owned.pop() && owned.pop() && !owned.pop());
        assert!(owned.is_root());
    }

    #[test]
    fn a_child_has_one_name() {
        assert_eq!(path("etc").child("passwd").unwrap(), path("etc/passwd").to_owned());
        assert_eq!(TreePath::ROOT.child("etc").unwrap(), path("etc").to_owned());
        for (name, error) in [
            ("", PathError::NotAName),
            ("a/b", PathError::NotAName),
            ("/", PathError::NotAName),
            (".", PathError::Dot),
            ("..", PathError::DotDot),
            ("\0", PathError::Nul),
        ] {
            assert_eq!(path("etc").child(name), Err(error), "{name:?}");
        }
    }

    #[test]
    fn text_is_escaped() {
        let odd = TreePath::new(b"a b\n\\\t\x1b\xc2\x85\xff/\xc3\xa9").unwrap();
        assert_eq!(odd.to_string(), r"a b\n\\\x09\x1b\xc2\x85\xff/é");
        assert_eq!(odd.absolute().to_string(), r"/a b\n\\\x09\x1b\xc2\x85\xff/é");
        assert_eq!(TreePath::ROOT.to_string(), ".");
        assert_eq!(TreePath::ROOT.absolute().to_string(), "/");
        assert_eq!(format!("{:?}", path("etc")), "\"etc\"");
    }

    #[test]
    fn text_without_escapes_stands_for_itself() {
        assert_eq!(r"a\xzzb\".parse::<TreePathBuf>().unwrap().as_bytes(), br"a\xzzb\");
        assert_eq!(r"a\x+1".parse::<TreePathBuf>().unwrap().as_bytes(), br"a\x+1");
        assert_eq!(".".parse(), Ok(TreePathBuf::default()));
        assert_eq!(r"\x2e\x2e/a".parse::<TreePathBuf>(), Err(PathError::DotDot));
        assert_eq!(r"a\x00".parse::<TreePathBuf>(), Err(PathError::Nul));
    }

    #[test]
    fn maps_of_owned_paths_are_searched_with_borrowed_ones() {
        let map = BTreeMap::from([(path("etc").to_owned(), 1)]);
        assert_eq!(map.get(path("etc")), Some(&1));
    }

    #[test]
    fn json_is_the_text() {
        let odd = TreePathBuf::new(b"a\xff".to_vec()).unwrap();
        let json = serde_json::to_string(&(&odd, TreePath::ROOT)).unwrap();
        assert_eq!(json, r#"["a\\xff","."]"#);
        let read: (TreePathBuf, TreePathBuf) = serde_json::from_str(&json).unwrap();
        assert_eq!(read, (odd, TreePathBuf::default()));
        let error = serde_json::from_str::<TreePathBuf>("\"/etc\"").unwrap_err();
        assert!(error.to_string().starts_with("\"/etc\": the path starts with `/`"), "{error}");
    }

    fn any_path() -> impl Strategy<Value = TreePathBuf> {
        let name = prop::collection::vec(1u8..=255, 1..5)
            .prop_filter("a name", |name| !name.contains(&b'/') && name != b"." && name != b"..");
        prop::collection::vec(name, 0..5).prop_map(|names| TreePathBuf::new(names.join(&b'/')).unwrap())
    }

    proptest! {
        #[test]
        fn a_path_is_accepted_as_the_standard_library_reads_it(bytes in "[./a\0]{0,8}") {
            use std::path::Component;
            // `Path` drops empty components and `.` (but not in front), so joining what is left
            // must give the same bytes.
            let read = Path::new(&bytes);
            let normal = read.components().all(|c| matches!(c, Component::Normal(_)));
            let joined = read.components().collect::<std::path::PathBuf>();
            let good = normal && joined.as_os_str().as_bytes() == bytes.as_bytes() && !bytes.contains('\0');
            prop_assert_eq!(TreePath::new(&bytes).is_ok(), good);
        }

        #[test]
        fn any_bytes_are_refused_or_kept(bytes: Vec<u8>) {
            if let Ok(path) = TreePath::new(&bytes) {
                prop_assert_eq!(path.as_bytes(), &bytes);
                let absolute = [b"/", &bytes[..]].concat();
                prop_assert_eq!(TreePath::parse_absolute(&absolute), Ok(path));
                prop_assert_eq!(TreePathBuf::new(bytes.clone()).unwrap().into_bytes(), bytes);
            }
        }

        #[test]
        fn reading_inverts_writing(path in any_path()) {
            prop_assert_eq!(path.to_string().parse::<TreePathBuf>(), Ok(path.clone()));
            prop_assert_eq!(path.absolute().to_string()[1..].to_owned(),
                if path.is_root() { String::new() } else { path.to_string() });
        }

        #[test]
        fn text_is_one_line_without_control_characters(path in any_path()) {
            prop_assert!(!path.to_string().chars().any(char::is_control));
        }

        #[test]
        fn what_is_taken_apart_can_be_put_together(path in any_path()) {
            match (path.parent(), path.file_name()) {
                (Some(parent), Some(name)) => prop_assert_eq!(parent.child(name), Ok(path.clone())),
                (parent, name) => prop_assert!(path.is_root() && parent.is_none() && name.is_none()),
            }
            let names: Vec<_> = path.components().collect();
            prop_assert_eq!(names.join(&b'/'), path.as_bytes());
            prop_assert_eq!(path.ancestors().count(), names.len() + 1);
        }

        #[test]
        fn stripping_inverts_joining(base in any_path(), below in any_path()) {
            let joined = base.join(&below);
            prop_assert_eq!(TreePath::new(joined.as_bytes()), Ok(&*joined));
            prop_assert_eq!(joined.strip_prefix(&base), Some(&*below));
            prop_assert!(joined.starts_with(&base));
        }

        #[test]
        fn within_is_what_the_standard_library_says(a in any_path(), b in any_path()) {
            prop_assert_eq!(a.starts_with(&b), a.as_path().starts_with(b.as_path()));
            prop_assert_eq!(a.strip_prefix(&b).map(TreePath::as_path), a.as_path().strip_prefix(b.as_path()).ok());
        }

        #[test]
        fn order_is_that_of_the_bytes(a in any_path(), b in any_path()) {
            prop_assert_eq!(a.cmp(&b), a.as_bytes().cmp(b.as_bytes()));
            prop_assert_eq!((*a).cmp(&*b), a.cmp(&b));
        }
    }
}
