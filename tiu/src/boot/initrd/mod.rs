//! The initrd of a new snapshot: where it comes from, what the program that makes it complains
//! about, and what it contains.
//!
//! | file | holds |
//! |---|---|
//! | `plan` | [`plan()`](plan::plan): where it comes from and where it lies |
//! | `complaints` | dracut's lines that say that something failed |
//! | `judge` | whether it contains what this kernel needs to mount the root filesystem |
//! | `contents` | the kernel modules in it |
//! | `archive` | its archives, compressed or not |
//! | `input` | reading them, with limits |

mod archive;
mod complaints;
mod contents;
mod input;
mod judge;
mod plan;

pub use complaints::{QUIET, complaints};
pub use contents::module_name;
pub use judge::{Judgement, Needs, judge};
pub use plan::{Dracut, InitrdError, InitrdPlan, link, path, places, plan};
