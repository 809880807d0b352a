//! The facts in a snapshot about itself, read once: the signed manifest and index, the files made
//! on the host, and the report of the merge of `/etc`.

mod error;
mod image_state;
mod provenance;
mod record;
mod rules;
mod sealed;

pub use error::{StateError, StateProblem};
pub use image_state::ImageState;
pub use provenance::{NoSigner, Provenance, ProvenanceError};
pub use record::{Generated, GeneratedContent, InitrdRecord, RECORD_PATH, Record, RecordError};
pub use sealed::{NotSealed, SealedTree};
