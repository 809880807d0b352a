//! The ground on a real btrfs in a loop device. Needs root, btrfs-progs and loop devices.

mod changes;
mod trees;

use std::ffi::OsStr;
use tiu_testing::program::tool;

/// Runs a program that must succeed. Returns what it printed.
fn run(program: &str, arguments: &[&OsStr]) -> String {
    let package = if program == "btrfs" { "btrfs-progs" } else { "e2fsprogs" };
    tool(program, package, arguments).succeeded().stdout
}
