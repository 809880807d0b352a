//! The in-process squashfs reader against images that mksquashfs, gensquashfs and tar2sqfs made,
//! and against damaged ones.

mod content;
mod images;
mod malformed;
