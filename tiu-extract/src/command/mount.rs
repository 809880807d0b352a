//! `tiu-extract mount` and `umount`: a bundle's tree as a read-only mount that dm-verity watches.

use super::{BundleArguments, Failure};
use rustix::io::Errno;
use rustix::mount::UnmountFlags;
use std::io;
use std::path::PathBuf;
use tiu_extract::ImageError;
use tiu_system::Hint;

/// Mounts a bundle's tree, read-only; the kernel verifies each block that is read
///
/// Needs root and a kernel with dm-verity. POSIX ACLs and sockets are in the index only, a mount does not show them.
/// Kernels without device-mapper cannot mount safely (the file could change after a check): use `extract` there.
#[derive(clap::Args)]
#[command(after_help = "Example:
  tiu-extract mount --keyring ca.cert.pem system-1.tiu /mnt && ls /mnt && tiu-extract umount /mnt")]
pub struct Arguments {
    #[command(flatten)]
    bundle: BundleArguments,
    /// Where to mount it
    directory: PathBuf,
}

/// Mounting or unmounting failed.
#[derive(Debug, thiserror::Error)]
enum MountError {
    /// See [`ImageError`].
    #[error(transparent)]
    Image(#[from] ImageError),
    #[error("{} cannot be unmounted: {source}", directory.display())]
    Unmount { directory: PathBuf, source: io::Error },
    #[error("{} cannot be unmounted: no bundle is mounted there", directory.display())]
    NoBundle { directory: PathBuf },
}

impl Hint for MountError {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            // There is no other way to mount.
            MountError::Image(ImageError::NoKernelWay { .. }) => {
                "mounting needs root and the kernel's modules loop, dm-mod, dm-verity and squashfs; `tiu-extract extract` needs none of them"
            }
            MountError::Image(error) => return error.hint(),
            MountError::Unmount { source, .. } => match Errno::from_io_error(source) {
                Some(Errno::INVAL) => {
                    "it lies in a mounted bundle: give the directory where that is mounted, see `findmnt`"
                }
                Some(Errno::BUSY) => "something uses it: see `fuser -vm DIRECTORY`",
                Some(Errno::PERM) => "unmounting needs root",
                _ => "see whether the directory is there and may be used",
            },
            MountError::NoBundle { .. } => "see `findmnt`; for what others mounted there is `umount`",
        };
        Some(hint.into())
    }
}

impl Arguments {
    pub fn run(self) -> Result<(), Failure> {
        let bundle = self.bundle.open()?;
        tiu_extract::mount_at(&bundle, &self.directory).map_err(MountError::from)?;
        Ok(())
    }
}

/// Unmounts what `mount` mounted, and nothing else; the devices below go with it
#[derive(clap::Args)]
#[command(after_help = "Example:
  tiu-extract umount /mnt")]
pub struct UmountArguments {
    /// Where it is mounted
    directory: PathBuf,
}

impl UmountArguments {
    pub fn run(self) -> Result<(), Failure> {
        let UmountArguments { directory } = self;
        let unmount = || -> io::Result<bool> {
            let ours = tiu_extract::is_mounted_at(&directory)?;
            if ours {
                rustix::mount::unmount(&directory, UnmountFlags::NOFOLLOW)?;
            }
            Ok(ours)
        };
        match unmount() {
            Ok(true) => Ok(()),
            Ok(false) => Err(MountError::NoBundle { directory }.into()),
            Err(source) => Err(MountError::Unmount { directory, source }.into()),
        }
    }
}
