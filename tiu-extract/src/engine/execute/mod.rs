//! Carries a plan out. Each list of steps runs on all cores; the next list starts when the last
//! step of the list is done.
//!
//! A crash leaves every path with its old inode or its new one. A path that was free stays free or
//! has a part of the new inode. In addition there can be files with names that begin with `.tiu-`,
//! which no index has. The next run repairs all of that. Nothing is flushed: a caller that needs
//! the result on disk calls `syncfs`.

mod content;
mod context;
mod file;
mod inode;
mod run;
mod temporary;
mod worker;

pub use run::execute;
