//! Fixtures of the whole-program tests: programs to run, small systems, keys, and bundles with exactly one thing wrong.
//!
//! Fixtures may `unwrap`: a fixture that cannot be made fails the test that asked for it.
#![forbid(unsafe_code)]

pub mod btrfs;
pub mod bundles;
pub mod host;
pub mod kit;
pub mod pki;
pub mod program;
pub mod tree;
