//! The image that comes: what it holds, whether it is for this host, and which of two is newer.

pub mod identity;
mod image;
pub mod version;

pub use image::IncomingImage;
