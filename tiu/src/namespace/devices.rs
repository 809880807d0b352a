//! The `/dev` that a program in the target sees.

use super::profile::Devices;
use rustix::fs::{FileType, Mode, OFlags, fchmod, makedev, mknodat};
use rustix::io::Errno;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;

/// Deepest directory of `/dev` that is looked into: `/dev/disk/by-id` is of depth 2.
const DEPTH: usize = 4;
/// The node that the tools of the device mapper ask.
const MAPPER: &str = "mapper/control";

/// Fills the empty directory `dev`, to which `path` leads, with devices. `here` is this machine's
/// `/dev`.
pub(super) fn make(dev: &OwnedFd, path: &str, devices: Devices, here: &Path) -> io::Result<()> {
    for (name, minor) in [("null", 3), ("zero", 5), ("full", 7), ("random", 8), ("urandom", 9)] {
        let mode = Mode::from_raw_mode(0o666);
        mknodat(dev, name, FileType::CharacterDevice, mode, makedev(1, minor))?;
        let node = rustix::fs::openat(dev, name, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
        fchmod(node, mode)?;
    }
    for (name, to) in [("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")] {
        symlink(format!("/proc/self/fd{to}"), format!("{path}/{name}"))?;
    }
    fs::create_dir(format!("{path}/shm"))?;
    fs::set_permissions(format!("{path}/shm"), PermissionsExt::from_mode(0o1777))?;
    if devices == Devices::Blocks {
        let number = fs::metadata(here)?.dev();
        copy_blocks(here, Path::new(path), number, DEPTH)?;
    }
    Ok(())
}

/// Copies the block devices below `from`, the node of the device mapper, and the symlinks, which
/// are other names of devices. Does not enter mounts (`filesystem` is the number of `/dev`'s).
fn copy_blocks(from: &Path, to: &Path, filesystem: u64, depth: usize) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        // udev may remove one at any time.
        let Ok(metadata) = entry.metadata() else { continue };
        let kind = metadata.file_type();
        if kind.is_dir() {
            if depth > 0 && metadata.dev() == filesystem {
                match fs::create_dir(&target) {
                    Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
                    _ => copy_blocks(&entry.path(), &target, filesystem, depth - 1)?,
                }
            }
        } else if kind.is_symlink() {
            let Ok(link) = fs::read_link(entry.path()) else { continue };
            match symlink(link, target) {
                Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
                _ => {}
            }
        } else if kind.is_block_device() || entry.path().ends_with(MAPPER) {
            let kind = if kind.is_block_device() { FileType::BlockDevice } else { FileType::CharacterDevice };
            let mode = Mode::from_raw_mode(0o600);
            match mknodat(rustix::fs::CWD, &target, kind, mode, metadata.rdev()) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(e) => return Err(e.into()),
            }
        }
    }
    Ok(())
}
