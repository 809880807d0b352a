//! Reads squashfs 4.0 images in this process: the names of regular files, and their content.
//!
//! ```text
//! superblock  sizes, compressor, offsets of the tables
//! metadata    the compressed tables as streams of bytes
//! inode       inodes of files and directories
//! names       all names, checked once; directories that were used last; a regular file is a reference to its inode
//! store       blocks and fragments
//! file        one file's content: blocks, holes, and a tail in a fragment that it shares with other files
//! codec       decompression of one block
//! cache       values that several readers need are decompressed once
//! ```
//!
//! Every number comes from the image and is checked before it is used; no input panics, recurses
//! without a bound, or allocates more than the image's own limits allow. Memory is small and does
//! not grow with the number or the size of files: a file's list of blocks is read from its inode as
//! the file is read. Owners, modes, times and xattrs are not read: the index has them.
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
