//! `tiu-extract` as a user runs it: the built program, its arguments, exit codes and words.
//!
//! One file for each part of a bundle that can be bad; there a test is named after the one thing that is wrong.

mod blocks;
mod files;
mod indexes;
mod kit;
mod manifests;
mod signatures;
mod trust;
