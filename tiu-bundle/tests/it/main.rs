//! The format: files that must not be accepted, each with exactly one thing wrong, and what other
//! tools make of a good one.

mod bundle;
mod index;
mod manifest;
mod other_tools;
mod signature;
mod trust;
