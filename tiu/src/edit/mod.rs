//! `tiu etc`: a snapshot's `/etc` as it is now, against its image, and changes of it.
//!
//! `view` reads both sides, `unified` shows differences of content as text, `reset` returns paths to
//! the image's version, `keep` settles conflicts, and `change` decides in which snapshot.

pub mod change;
mod error;
pub mod keep;
pub mod paths;
pub mod reset;
pub mod unified;
pub mod view;

pub use error::EditError;
