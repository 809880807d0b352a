//! The reader and the engine: the built program, the engine on a real btrfs, and the squashfs reader.

mod command_line;
mod engine;
mod squashfs;
