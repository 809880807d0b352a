//! The incoming image: its content, whether it is for this host, and which of two versions is
//! newer.

pub mod floor;
pub mod identity;
mod image;
pub mod version;

pub use image::IncomingImage;
