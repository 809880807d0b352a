//! The root tree: its metadata in memory, compactly, and access to it that never leaves it.

mod error;
mod flags;
mod model;
mod open;
mod scan;

pub use error::ScanError;
pub use flags::Flag;
pub(crate) use flags::{FLAGS, lost_flags};
pub use model::{SourceNode, SourceTree, Span};
pub use open::Root;
pub(crate) use scan::mtime;
pub use scan::scan;
