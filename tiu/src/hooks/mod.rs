//! The calls of other programs: snapper tells of an event, tukit of a stage.
//!
//! Such a program waits for tiu. tiu therefore never waits for a lock of that program, and inside an
//! event of snapper never calls snapper.

mod snapper;
pub mod tukit;

pub use snapper::{HookError, SnapperEvent, on_snapper_event};
