//! A bundle file: trailer, signature, manifest and layout, checked in this order, each before it is
//! used.

mod checked;
mod file;
mod layout;

pub use checked::{Bundle, BundleError, append, cms_offset, read_cms};
pub use file::{OpenError, open_bundle, open_bundle_reporting};
pub use layout::{Layout, LayoutError, TRAILER_SIZE};
