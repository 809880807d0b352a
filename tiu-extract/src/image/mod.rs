//! The content of images: two ways to open an image, behind one trait.
//!
//! Metadata always comes from the index. Content is checked against the hash tree when it is read,
//! by the kernel or by this process.

mod error;
mod kernel;
mod open;
mod reader;
mod squashfs;
mod user;

pub use error::ImageError;
pub use kernel::{is_mounted_at, mount_at};
pub use open::{Verity, open_image, read_index};
pub use reader::Image;
pub use squashfs::Squashfs;
