//! A medium, mounted.

use super::error::MediaError;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, UnmountFlags, fsconfig_create,
    fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, move_mount, unmount,
};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tiu_system::program::{BLKID, Run, RunError};

/// The folder of a medium that holds bundles.
pub const FOLDER: &str = "tiu";
/// Time in which blkid must have read a medium.
const PROBE: Duration = Duration::from_secs(30);

/// A mounted medium. It is unmounted when this value is dropped.
#[derive(Debug)]
pub struct Medium {
    at: PathBuf,
}

impl Medium {
    /// Mounts `device` read-only at the directory `at`, which is made if it does not exist. The type
    /// of its filesystem must be in `allowed`.
    pub fn mount(device: &Path, at: &Path, allowed: &[String]) -> Result<Self, MediaError> {
        let filesystem = filesystem(device)?;
        if !allowed.contains(&filesystem) {
            let (device, allowed) = (device.to_owned(), allowed.to_vec());
            return Err(MediaError::Filesystem { device, found: filesystem, allowed });
        }
        std::fs::create_dir_all(at).map_err(|source| MediaError::Place { path: at.to_owned(), source })?;
        let mounted = mount(device, at, &filesystem, MountAttrFlags::MOUNT_ATTR_RDONLY);
        mounted.map_err(|source| MediaError::Mount { device: device.to_owned(), source })?;
        Ok(Medium { at: at.to_owned() })
    }

    /// Mounts a medium that was unmounted again, this time to write to it.
    pub(super) fn mount_for_writing(device: &Path, at: &Path) -> Result<Self, MediaError> {
        let failed = |source| MediaError::Report { device: device.to_owned(), source };
        let filesystem = filesystem(device)?;
        if filesystem != "vfat" {
            let found = format!("its filesystem is {filesystem}, and only vfat is written to");
            return Err(failed(io::Error::other(found)));
        }
        mount(device, at, &filesystem, MountAttrFlags::empty()).map_err(failed)?;
        Ok(Medium { at: at.to_owned() })
    }

    /// Returns the directory.
    pub fn path(&self) -> &Path {
        &self.at
    }
}

impl Drop for Medium {
    fn drop(&mut self) {
        // A medium that was pulled cannot be written out.
        let _ = unmount(&self.at, UnmountFlags::empty())
            .or_else(|_| unmount(&self.at, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW));
    }
}

/// Returns the type of the filesystem on `device`, as blkid finds it; empty if it finds none.
fn filesystem(device: &Path) -> Result<String, MediaError> {
    let probe = Run::new(&BLKID).limit(PROBE).args(["-p", "-o", "value", "-s", "TYPE", "--"]).arg(device);
    match probe.output() {
        Ok(output) => Ok(output.stdout.trim().to_owned()),
        // blkid found nothing, or more than one.
        Err(RunError::Failed { status, .. }) if matches!(status.code(), Some(2 | 8)) => Ok(String::new()),
        Err(error) => Err(error.into()),
    }
}

fn mount(device: &Path, at: &Path, filesystem: &str, read_only: MountAttrFlags) -> io::Result<()> {
    let context = fsopen(filesystem, FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(&context, "source", device)?;
    if read_only.contains(MountAttrFlags::MOUNT_ATTR_RDONLY) {
        fsconfig_set_flag(&context, "ro")?;
        if filesystem == "ext4" {
            // A journal is somebody else's program for this kernel.
            fsconfig_set_flag(&context, "noload")?;
        }
    }
    fsconfig_create(&context)?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC
        | MountAttrFlags::MOUNT_ATTR_NOSYMFOLLOW
        | read_only;
    let mounted = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    Ok(move_mount(&mounted, "", rustix::fs::CWD, at, flags)?)
}
