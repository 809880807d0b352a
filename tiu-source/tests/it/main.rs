//! Bundles from everywhere but a file: each test is named after what is wrong with the place.

#![allow(clippy::single_range_in_vec_init)] // One range is meant.

mod device;
mod kit;
mod remote;
mod server_faults;
mod tls;
