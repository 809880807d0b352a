//! SELinux labels in an update, on data: whether the new snapshot must and can be labelled, and
//! which label each file gets that was made on the host.
//!
//! | file | holds |
//! |---|---|
//! | `decide` | [`decide()`]: labelled, not labelled, or refused |
//! | `context` | [`wanted`]: the label that a file gets |

mod context;
mod decide;

pub use context::{Types, wanted};
pub(crate) use decide::SETFILES;
pub use decide::{LabelFacts, Labeller, Labelling, Unlabelable, decide};
