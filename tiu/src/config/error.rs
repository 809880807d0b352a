//! The errors of configuration files.

use std::io;
use std::path::PathBuf;
use tiu_system::hints;

/// A configuration file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
#[non_exhaustive]
pub enum ConfigError {
    /// It could not be read.
    #[error("{}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// It is not YAML, or a key is unknown or has the wrong kind of value.
    #[error("{}: {source}", path.display())]
    Syntax {
        path: PathBuf,
        /// Cause, with line and column.
        source: serde_yaml::Error,
    },
    /// A value cannot be used.
    #[error("{}: {key}: found {found:?}, expected {expected}", path.display())]
    Value { path: PathBuf, key: &'static str, found: String, expected: &'static str },
}

hints! { ConfigError {
    Read { path, .. } => format!("check that {} is a readable file", path.display()),
    Syntax { source, .. } if source.to_string().contains("unknown field") =>
        "the key is misspelt, or a later tiu has it; docs/guide/configuration.md lists all keys",
    _ => "docs/guide/configuration.md lists all keys and their values",
} }
