//! Packs a root tree into a signed tiu bundle.
//!
//! The way of a tree: [`tree::scan`] reads its metadata once, [`plan`] decides on data alone what the image will hold,
//! [`pack`] carries that out in one pass over the files' content, [`sign`] puts the signature on.
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

/// A path as bytes for messages: control characters and what is not UTF-8 are shown escaped.
pub fn shown(path: &[u8]) -> String {
    let mut text = String::new();
    for chunk in path.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() { text.extend(c.escape_default()) } else { text.push(c) }
        }
        chunk.invalid().iter().for_each(|b| text += &format!("\\x{b:02x}"));
    }
    text
}
