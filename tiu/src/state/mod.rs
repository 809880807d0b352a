//! What a snapshot says of itself, read once: the signed manifest and index, what was made on the
//! host, and what became of `/etc`.

mod error;
mod image_state;
pub mod provenance;
pub mod record;
mod rules;

pub use error::{StateError, StateProblem};
pub use image_state::ImageState;
