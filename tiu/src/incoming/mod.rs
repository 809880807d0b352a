//! The incoming image: its content, whether it is for this host, and which of two versions is
//! newer.

mod floor;
mod identity;
mod image;
mod local_first;
mod version;

pub use floor::{Floor, FloorSource, parse_time};
pub use identity::{Allowed, HostIdentity, Mismatch};
pub use image::IncomingImage;
pub use local_first::LocalFirst;
pub use version::compare_versions;
