//! Facts about a host's snapshots, for `tiu status`, `tiu list` and `tiu rollback`.

mod facts;
mod overview;

pub use facts::{ImageFacts, SignerFacts};
pub(crate) use overview::check_bootable;
pub use overview::{Signature, SnapshotFacts, failed_images, mark_next, snapshots, ways_back};
