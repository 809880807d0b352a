//! The client as an administrator runs it: the built program on loopback hosts with real snapper.
//!
//! Needs root, btrfs-progs, snapper and loop devices.

mod accounts;
mod apply;
mod bad_bundles;
mod bad_hosts;
mod boot_door;
mod boot_entries;
mod boot_units;
mod bootable;
mod command_line;
mod damage;
mod damaged_base;
mod damaged_disk;
mod diff;
mod documents;
mod etc;
mod etc_commands;
mod etc_lists;
mod etc_peers;
mod etc_reset;
mod etc_table;
mod floor;
mod foreign;
mod hidden;
mod in_target;
mod initrd;
mod interrupted;
mod journal;
mod lock;
mod marks;
mod old_records;
mod outputs;
mod persistent;
mod pin;
mod reads;
mod rollback;
mod second_update;
mod selinux;
mod servers;
mod snapshots;
mod status;
mod trust;
mod var;
mod verify;
mod verify_lies;
