//! `tiu-extract` as a user runs it: the built program, its arguments, exit codes and words.
//!
//! One file for each part of a bundle that can be bad; there a test is named after the one thing
//! that is wrong.

mod blocks;
mod changing;
mod extracting;
mod files;
mod hostile_text;
mod indexes;
mod keyrings;
mod kit;
mod manifests;
mod ordinary_user;
mod servers;
mod showing;
mod signatures;
mod space;
mod targets;
mod trust;
mod usage;
