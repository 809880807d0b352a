//! `tiu-extract mount` and `umount`: mounts the tree of a bundle read-only, verified by dm-verity.

use super::bundle::BundleArguments;
use rustix::io::Errno;
use rustix::mount::UnmountFlags;
use std::io;
use std::path::PathBuf;
use tiu_cli::{CommandResult, TrustArguments, exit};
use tiu_extract::ImageError;
use tiu_system::hints;
use tiu_system::progress::Watch;

/// Mount the tree of a bundle read-only; the kernel verifies each block that is read
///
/// This needs root and a kernel with dm-verity. A mount does not show POSIX ACLs and sockets, which
/// are in the index only. A kernel without device-mapper cannot mount safely, because the file
/// could change after a check: use `extract` there.
#[derive(clap::Args)]
#[command(after_help = "Example:
  tiu-extract mount --keyring ca.cert.pem system-1.tiu /mnt
  ls /mnt
  tiu-extract umount /mnt")]
pub struct MountArguments {
    #[command(flatten)]
    bundle: BundleArguments,
    /// Mount point
    directory: PathBuf,
}

/// Mounting or unmounting failed.
#[derive(Debug, thiserror::Error)]
enum MountError {
    #[error(transparent)]
    Image(#[from] ImageError),
    #[error("{} cannot be unmounted: {source}", directory.display())]
    Unmount { directory: PathBuf, source: io::Error },
    #[error("{} cannot be unmounted: no bundle is mounted there", directory.display())]
    NoBundle { directory: PathBuf },
}

hints! { MountError {
    forward Image;
    // Only the kernel can mount.
    Image(ImageError::NoKernelWay { .. }) =>
        "mounting needs root and the kernel's modules loop, dm-mod, dm-verity and squashfs; \
         `tiu-extract extract` needs none of them",
    Unmount { source, .. } => match Errno::from_io_error(source) {
        Some(Errno::INVAL) =>
            "the directory is inside a mounted bundle: give the mount point of the bundle, see `findmnt`",
        Some(Errno::BUSY) => "a process uses it: see `fuser -vm DIRECTORY`",
        Some(Errno::PERM) => "unmounting needs root",
        _ => "check that the directory exists and can be used",
    },
    NoBundle { .. } => "see `findmnt`; other mounts are for umount(8)",
} }

impl MountArguments {
    pub fn run(self, trust: &TrustArguments) -> CommandResult {
        // The mount must not need the server, and only a file can have a loop device.
        let bundle = self.bundle.open_whole(trust, None, Watch::silent())?;
        tiu_extract::mount_at(&bundle, &self.directory).map_err(MountError::from)?;
        Ok(exit::DONE)
    }
}

/// Unmount a bundle that `mount` mounted, with the devices below it
#[derive(clap::Args)]
#[command(after_help = "Example:
  tiu-extract umount /mnt")]
pub struct UmountArguments {
    /// Mount point of the bundle
    directory: PathBuf,
}

impl UmountArguments {
    pub fn run(self) -> CommandResult {
        let UmountArguments { directory } = self;
        let unmount = || -> io::Result<bool> {
            let ours = tiu_extract::is_mounted_at(&directory)?;
            if ours {
                rustix::mount::unmount(&directory, UnmountFlags::NOFOLLOW)?;
            }
            Ok(ours)
        };
        match unmount() {
            Ok(true) => Ok(exit::DONE),
            Ok(false) => Err(MountError::NoBundle { directory }.into()),
            Err(source) => Err(MountError::Unmount { directory, source }.into()),
        }
    }
}
