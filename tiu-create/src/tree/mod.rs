//! The root tree: its metadata in memory, compactly, and access to it that never leaves it.

mod error;
mod model;
mod open;
mod scan;

pub use error::TreeError;
pub use model::{Node, Span, Tree};
pub use open::Root;
pub(crate) use scan::mtime;
pub use scan::scan;
