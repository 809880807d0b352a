//! Documents that begin with the version of their format, as `{"version": 1, ...}`.
//!
//! The version is read first and alone. A document of a later format can have any other structure,
//! and is reported as later, not as damaged.
//!
//! ```
//! use tiu_system::versioned::{self, VersionedError};
//!
//! #[derive(serde::Deserialize)]
//! struct Record {
//!     files: Vec<String>,
//! }
//!
//! let record: Record = versioned::from_json(br#"{"version": 1, "files": ["a"]}"#, 1)?;
//! assert_eq!(record.files, ["a"]);
//! let later = versioned::from_json::<Record>(br#"{"version": 2, "names": {}}"#, 1);
//! assert!(matches!(later, Err(VersionedError::Future { found: 2, known: 1 })));
//! # Ok::<(), VersionedError<serde_json::Error>>(())
//! ```

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// A versioned document that cannot be read; `E` is the error of its syntax.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VersionedError<E> {
    /// The document is not of the format that its version says.
    #[error("is damaged: {0}")]
    Damaged(E),
    /// A later program wrote it.
    #[error("has format {found}, this program reads up to {known}")]
    #[allow(missing_docs)]
    Future { found: u32, known: u32 },
}

impl<E> VersionedError<E> {
    /// Returns an error of the caller's: `damaged` of the cause, or `future` of the version found.
    pub fn map<T>(self, damaged: impl FnOnce(E) -> T, future: impl FnOnce(u32) -> T) -> T {
        match self {
            VersionedError::Damaged(cause) => damaged(cause),
            VersionedError::Future { found, .. } => future(found),
        }
    }
}

#[derive(Deserialize)]
struct Head {
    version: u32,
}

/// Reads a JSON document of a version up to `known`.
pub fn from_json<T: DeserializeOwned>(
    bytes: &[u8],
    known: u32,
) -> Result<T, VersionedError<serde_json::Error>> {
    check(serde_json::from_slice(bytes), known)?;
    serde_json::from_slice(bytes).map_err(VersionedError::Damaged)
}

/// Reads a YAML document of a version up to `known`.
pub fn from_yaml<T: DeserializeOwned>(
    text: &str,
    known: u32,
) -> Result<T, VersionedError<serde_yaml::Error>> {
    check(serde_yaml::from_str(text), known)?;
    serde_yaml::from_str(text).map_err(VersionedError::Damaged)
}

fn check<E>(head: Result<Head, E>, known: u32) -> Result<(), VersionedError<E>> {
    match head.map_err(VersionedError::Damaged)? {
        Head { version: found } if found > known => Err(VersionedError::Future { found, known }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Document {
        name: String,
    }

    #[test]
    fn a_later_format_is_told_from_damage() {
        let json = |text: &str| from_json::<Document>(text.as_bytes(), 3);
        let yaml = |text: &str| from_yaml::<Document>(text, 3);
        for version in [0, 1, 3] {
            let text = format!("{{\"version\": {version}, \"name\": \"a\", \"more\": 1}}");
            assert_eq!(json(&text).unwrap().name, "a");
            assert_eq!(yaml(&text).unwrap().name, "a");
        }
        for text in ["{\"version\": 4}", "{\"version\": 4, \"name\": []}"] {
            assert!(matches!(json(text), Err(VersionedError::Future { found: 4, known: 3 })), "{text}");
            assert!(matches!(yaml(text), Err(VersionedError::Future { found: 4, known: 3 })), "{text}");
        }
        for text in ["{", "[]", "{\"name\": \"a\"}", "{\"version\": \"4\"}", "{\"version\": 1}", ""] {
            assert!(matches!(json(text), Err(VersionedError::Damaged(_))), "{text}");
            assert!(matches!(yaml(text), Err(VersionedError::Damaged(_))), "{text}");
        }
    }

    #[test]
    fn the_messages_are_predicates_of_a_file() {
        let text = |text: &str| from_json::<Document>(text.as_bytes(), 1).unwrap_err().to_string();
        assert_eq!(text("{\"version\": 2}"), "has format 2, this program reads up to 1");
        assert!(text("{").starts_with("is damaged: "));
    }
}
