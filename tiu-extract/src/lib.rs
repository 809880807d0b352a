//! Opens images and brings directories to their trees.
//!
//! [`image`] gives the content of a verified bundle's files, through the kernel (loop, dm-verity, squashfs) or in-process;
//! [`engine`] brings a directory to exactly the tree that an index describes, reusing what is there; [`contents`] checks and
//! selects; [`command`] is the program's command line.
pub mod contents;
pub mod engine;
pub mod image;
