//! The built program, and the engine on a real btrfs.

mod command_line;
mod engine;
