//! `tiu-extract mount` and `umount`: a bundle's tree as a read-only mount that dm-verity watches.

use super::{CommandError, Failure};
use crate::image;
use crate::options::{TrustArguments, open_bundle};
use std::path::PathBuf;

/// Mounts a bundle's tree, read-only; the kernel verifies each block that is read
///
/// Needs root and a kernel with dm-verity. POSIX ACLs and sockets are in the index only, a mount does not show them.
/// Kernels without device-mapper cannot mount safely (the file could change after a check): use `extract` there.
#[derive(clap::Args)]
#[command(after_help = "Example:
  tiu-extract mount --keyring ca.cert.pem system-1.tiu /mnt && ls /mnt && tiu-extract umount /mnt")]
pub struct Arguments {
    /// Bundle file
    bundle: PathBuf,
    /// Where to mount it
    directory: PathBuf,
    #[command(flatten)]
    trust: TrustArguments,
}

impl Arguments {
    pub fn run(self) -> Result<(), Failure> {
        let bundle = open_bundle(&self.bundle, &self.trust.trust()?)?;
        image::mount_at(&bundle, &self.directory)?;
        Ok(())
    }
}

/// Unmounts what `mount` mounted; the devices below go with it
#[derive(clap::Args)]
pub struct UmountArguments {
    /// Where it is mounted
    directory: PathBuf,
}

impl UmountArguments {
    pub fn run(self) -> Result<(), Failure> {
        rustix::mount::unmount(&self.directory, rustix::mount::UnmountFlags::NOFOLLOW)
            .map_err(|e| CommandError::path(&self.directory)(e.into()))?;
        Ok(())
    }
}
