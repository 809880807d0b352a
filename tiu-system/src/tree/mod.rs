//! Single files of a system's tree, read and written without trusting the tree. Paths are relative
//! to its directory descriptor, symbolic links are not followed, and sizes are limited.
//!
//! ```
//! use tiu_system::tree::{MAX_TEXT, Tree};
//!
//! let directory = tempfile::tempdir()?;
//! let tree = Tree::open(directory.path())?;
//! tree.write("version", &b"1"[..])?;
//! assert_eq!(tree.read_text("version", MAX_TEXT)?.as_deref(), Some("1"));
//! assert!(tree.read("none", MAX_TEXT)?.is_none());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod attribute;
mod error;
mod nodes;
mod read;
mod system;
mod walk;
mod write;

#[cfg(test)]
mod tests;

pub use error::TreeError;
pub use nodes::{Files, Layer, Node, NodeLookup};
pub use read::{MAX_TEXT, Tree};
pub use system::{RunningFiles, System};
pub use walk::{destination, resolve};
pub use write::Attributes;
