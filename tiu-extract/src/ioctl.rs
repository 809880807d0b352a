//! The ioctls that no crate offers safely. The only module with `unsafe`.
#![allow(unsafe_code)]
