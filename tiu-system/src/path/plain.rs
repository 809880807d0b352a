//! Paths in documents as plain text, without escapes:
//! `#[serde(with = "tiu_system::path::plain")]`.
//!
//! A path that is not UTF-8 cannot be written. Text that is not a path inside a tree cannot be
//! read.
//!
//! ```
//! use tiu_system::path::{TreePathBuf, plain};
//!
//! #[derive(serde::Serialize, serde::Deserialize)]
//! struct Record {
//!     #[serde(with = "plain")]
//!     path: TreePathBuf,
//! }
//!
//! let record = Record { path: TreePathBuf::new(r"a\b")? };
//! assert_eq!(serde_json::to_string(&record)?, r#"{"path":"a\\b"}"#);
//! assert!(serde_json::from_str::<Record>(r#"{"path":"../a"}"#).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::{TreePath, TreePathBuf};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

/// Writes a path as it is.
pub fn serialize<S: Serializer>(path: &TreePath, serializer: S) -> Result<S::Ok, S::Error> {
    text(path)?.serialize(serializer)
}

/// Reads a path as it is.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TreePathBuf, D::Error> {
    path(String::deserialize(deserializer)?)
}

fn text<E: ser::Error>(path: &TreePath) -> Result<&str, E> {
    path.to_str().ok_or_else(|| E::custom(format_args!("the path {path} is not UTF-8")))
}

fn path<E: de::Error>(text: String) -> Result<TreePathBuf, E> {
    TreePath::new(&text)
        .map(TreePath::to_owned)
        .map_err(|e| E::custom(format_args!("{text:?}: {e}, expected a path inside a tree")))
}

/// Lists of paths as plain text: for `#[serde(with = "tiu_system::path::plain::list")]`.
pub mod list {
    use super::{path, text};
    use crate::path::TreePathBuf;
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes paths as they are.
    pub fn serialize<S: Serializer>(paths: &[TreePathBuf], serializer: S) -> Result<S::Ok, S::Error> {
        let texts: Result<Vec<&str>, S::Error> = paths.iter().map(|path| text(path)).collect();
        serializer.collect_seq(texts?)
    }

    /// Reads paths as they are.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<TreePathBuf>, D::Error> {
        Vec::<String>::deserialize(deserializer)?.into_iter().map(path).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct PathsDocument {
        #[serde(with = "super")]
        path: TreePathBuf,
        #[serde(with = "super::list")]
        list: Vec<TreePathBuf>,
    }

    fn document(path: &[u8], list: &[&[u8]]) -> PathsDocument {
        let path_of = |bytes: &[u8]| TreePathBuf::new(bytes).unwrap();
        PathsDocument { path: path_of(path), list: list.iter().map(|path| path_of(path)).collect() }
    }

    #[test]
    fn plain_text_has_no_escapes() {
        let written = document(b"a\\x41\nb", &[b"", b"\\n", "\u{e4}".as_bytes()]);
        let text = serde_json::to_string(&written).unwrap();
        assert_eq!(text, r#"{"path":"a\\x41\nb","list":["","\\n","ä"]}"#);
        assert_eq!(serde_json::from_str::<PathsDocument>(&text).unwrap(), written);
    }

    #[test]
    fn what_is_not_utf8_cannot_be_written() {
        for odd in [document(b"a\xff", &[]), document(b"a", &[b"b", b"\xff"])] {
            let error = serde_json::to_string(&odd).unwrap_err().to_string();
            assert!(error.contains(r"\xff is not UTF-8"), "{error}");
        }
    }

    #[test]
    fn illegal_paths_cannot_be_read() {
        for bad in ["/a", "a/", "a//b", "./a", "../a", r"a\u0000"] {
            for text in [
                format!(r#"{{"path":"{bad}","list":[]}}"#),
                format!(r#"{{"path":"a","list":["b","{bad}"]}}"#),
            ] {
                let error = serde_json::from_str::<PathsDocument>(&text).unwrap_err().to_string();
                assert!(error.contains("expected a path inside a tree"), "{text}: {error}");
            }
        }
    }
}
