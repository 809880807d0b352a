//! The content of an image: two ways to open one, one trait.
//!
//! Metadata never comes from here: the index has it. What is read was checked against the hash tree, by the kernel or by us.

mod error;
mod kernel;
mod open;
mod reader;
mod squashfs;
mod user;

pub use error::ImageError;
pub use kernel::{is_mounted_at, mount_at};
pub use open::open_image as open; // Until all callers use the face.
pub use open::{Verity, open_image, read_index};
pub use reader::Image;
