//! Packs a root tree into a signed tiu bundle.
//!
//! The way of a tree: [`tree::scan`] reads its metadata once, [`plan`] decides on data alone what
//! the image will hold, [`pack`] carries that out in one pass over the files' content, [`sign`]
//! puts the signature on.
#![forbid(unsafe_code)]

pub mod factory;
pub mod facts;
mod files;
pub mod keygen;
pub mod pack;
pub mod plan;
pub mod recipe;
pub mod rules;
pub mod sign;
pub mod tree;

pub use tiu_system::text::printable_bytes as shown;
