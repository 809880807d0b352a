//! Shared code of all tests: running programs, hosts in a file, small systems, keys, and bundles
//! with exactly one thing wrong.
//!
//! Fixtures may `unwrap`: a fixture that cannot be made fails the test that asked for it.
#![forbid(unsafe_code)]

pub mod btrfs;
pub mod bundles;
pub mod damage;
pub mod documents;
pub mod esp;
pub mod help;
pub mod host;
pub mod kit;
pub mod live;
pub mod pki;
pub mod program;
pub mod random;
pub mod running;
pub mod schema;
pub mod selinux;
pub mod server;
pub mod stable;
pub mod system;
pub mod tree;

#[doc(hidden)]
pub use insta;
