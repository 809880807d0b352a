//! Media that are plugged in: a filesystem that somebody else made.
//!
//! It is mounted read-only, without devices, set-user-ID bits, programs and symbolic links, and
//! only if the host's configuration allows its type. The type is asked of blkid, never guessed by
//! the kernel: a stick with a btrfs of the host's own UUID is not touched.

mod error;
mod medium;
mod report;

pub use error::MediaError;
pub use medium::{FOLDER, Medium};
pub use report::write_report;
