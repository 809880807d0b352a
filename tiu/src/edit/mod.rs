//! `tiu etc`: a snapshot's `/etc` as it is now, against its image, and changes of it.
//!
//! `view` reads both sides, `unified` shows differences of content as text, `reset` returns paths
//! to the image's version, `keep` settles conflicts, and `change` decides in which snapshot.

mod change;
mod error;
mod keep;
mod paths;
mod protected;
mod reset;
mod unified;
mod view;

pub use change::{change, makes_snapshot};
pub use error::EditError;
pub use keep::{conflicts_in, keep};
pub use paths::path_in_etc;
pub use reset::{Reset, ResetPlan, ResetRequest, plan_reset, reset};
pub use unified::unified;
pub use view::{EtcChange, View};
