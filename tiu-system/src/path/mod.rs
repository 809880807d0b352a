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

mod borrowed;
mod error;
mod escape;
mod owned;
pub mod plain;
#[cfg(test)]
mod tests;
mod text;

pub use borrowed::TreePath;
pub use error::PathError;
pub use escape::escape;
pub use owned::TreePathBuf;
pub use text::Absolute;
