//! Paths as text: for messages, and in documents.

use super::borrowed::TreePath;
use super::error::PathError;
use super::escape::{escape, unescape};
use super::owned::TreePathBuf;
use std::fmt::{self, Write};
use std::str::FromStr;

/// Reads what `Display` writes. What is not an escape stands for itself.
impl FromStr for TreePathBuf {
    type Err = PathError;
    fn from_str(text: &str) -> Result<TreePathBuf, PathError> {
        if text == "." { Ok(TreePathBuf::default()) } else { TreePathBuf::new(unescape(text)) }
    }
}

/// One line of text that cannot steer a terminal and from which the path can be read again: a
/// newline is `\n`, a backslash `\\`. Every byte of other characters that a reader cannot see, and
/// of what is not UTF-8, is `\xHH`. The root is `.`.
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

impl TreePath {
    /// Returns a form for messages: with a slash in front, escaped as `Display` does. The root is
    /// `/`.
    pub fn absolute(&self) -> Absolute<'_> {
        Absolute(self)
    }
}

/// A path with a slash in front, for messages. Made by [`TreePath::absolute`].
#[derive(Clone, Copy, Debug)]
pub struct Absolute<'a>(pub(super) &'a TreePath);

impl fmt::Display for Absolute<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('/')?;
        escape(&self.0.0, f)
    }
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
