//! A squashfs 4.0 image, read in-process: which regular files there are, and their content.
//!
//! ```text
//! superblock  sizes, compressor, where the tables are
//! metadata    the compressed tables as streams of bytes
//! names       all names, read once; a regular file is a reference to its inode
//! file        one file's content: blocks, holes, and a tail in a fragment that it shares with other files
//! codec       decompression of one block
//! cache       what several readers need at once is decompressed once
//! ```
//!
//! Every number comes from the image and is checked before it is used; no input panics, recurses without a bound, or allocates more than the
//! image's own limits allow. Memory is small and does not grow with the size of files: a file's list of blocks is read from
//! its inode as the file is read. Owners, modes, times and xattrs are not read: the index has them.
//!
//! Sources: `Documentation/filesystems/squashfs.rst` and `fs/squashfs/squashfs_fs.h` of Linux.

mod block;
mod cache;
mod codec;
mod file;
mod image;
mod inode;
mod metadata;
mod names;
mod store;
mod superblock;
#[cfg(test)]
mod tests;

pub use image::Squashfs;
