//! The engine on a real btrfs in a loop device, with images in memory. Needs root, btrfs-progs and
//! loop devices.

mod attributes;
mod content;
mod failures;
mod host;
mod hostile;
mod kinds;
mod links;
mod model;
mod proved;
mod random;
mod run;
