//! The errors of a recipe.

use std::io;
use std::path::PathBuf;
use tiu_bundle::policy::{NotInEtc, PersistentListError};
use tiu_system::glob::GlobError;
use tiu_system::hints;

/// A recipe that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // Fields without documentation are what their names say.
pub enum RecipeError {
    /// The recipe cannot be read.
    #[error("the recipe {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// Not YAML, a key that is unknown or missing, or a value of another type.
    #[error("the recipe {}: {reason}", path.display())]
    Yaml {
        path: PathBuf,
        /// The parser's message, with line and column.
        reason: String,
    },
    /// A pattern that cannot be used.
    #[error("the recipe {}: exclude: {source}", path.display())]
    Pattern { path: PathBuf, source: GlobError },
    /// A level that the compressor does not have.
    #[error("the recipe {}: compression: level is {found}, expected {expected} for {compressor}", path.display())]
    Level {
        path: PathBuf,
        found: u32,
        /// Levels of the compressor.
        expected: String,
        compressor: &'static str,
    },
    /// Not a block size of squashfs.
    #[error("the recipe {}: compression: block-size is {found}, expected a power of two from 4096 to 1048576", path.display())]
    BlockSize { path: PathBuf, found: u32 },
    /// A list of persistent paths that no client would accept.
    #[error("the recipe {}: persistent: {source}", path.display())]
    Persistent { path: PathBuf, source: PersistentListError },
    /// A path of the lists that is not in `/etc`.
    #[error("the recipe {}: etc: found {source}", path.display())]
    Etc { path: PathBuf, source: NotInEtc },
}

hints! { RecipeError {
    forward Pattern.source, Persistent.source;
    Read { .. } => "give the recipe with --recipe; examples/bundle.yaml shows every key",
    Yaml { reason, .. } if reason.contains("missing field `compatible`") =>
        "add `compatible: NAME`: hosts whose `compatible` is NAME accept the image",
    Yaml { .. } => "examples/bundle.yaml shows every key",
    Level { .. } => "leave `level` out for the compressor's own default",
    BlockSize { .. } => "131072 (128 KiB) is the default",
    Etc { .. } => "these lists are about the merge of /etc; all other paths always come from the image",
} }
