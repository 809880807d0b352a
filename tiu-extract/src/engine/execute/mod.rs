//! Carries a plan out. Each list of steps runs on all cores; between two lists, everything of the first is done.
//!
//! A crash leaves every path with its old inode or its new one, or, where there was nothing, nothing or a part of the new one; beside them
//! files of names that begin with `.tiu-`, which are in no index. The next run mends all that. Nothing is flushed: whoever needs the result on disk calls `syncfs`.

mod content;
mod context;
mod file;
mod inode;
mod run;
mod temporary;
mod worker;

pub use run::execute;
