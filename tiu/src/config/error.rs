//! Why a configuration file cannot be used.

use std::io;
use std::path::PathBuf;
use tiu_system::Hint;

/// A configuration file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It could not be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// File.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// It is not YAML, or a key is unknown or has the wrong kind of value.
    #[error("{}: {source}", path.display())]
    Syntax {
        /// File.
        path: PathBuf,
        /// Cause, with line and column.
        source: serde_yaml::Error,
    },
    /// A value cannot be used.
    #[error("{}: {key}: found {found:?}, expected {expected}", path.display())]
    Value {
        /// File.
        path: PathBuf,
        /// Key.
        key: &'static str,
        /// What it says.
        found: String,
        /// What it may say.
        expected: &'static str,
    },
}

impl Hint for ConfigError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            ConfigError::Read { path, .. } => format!("see whether {} is a readable file", path.display()),
            _ => "docs/guide/configuration.md lists all keys and their values".into(),
        })
    }
}
