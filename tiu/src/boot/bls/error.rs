//! The errors of reading and changing the boot partition.

use std::io;
use std::path::PathBuf;
use tiu_system::errno;
use tiu_system::hints;
use tiu_system::text::printable;
use tiu_system::tree::TreeError;

/// An error of reading or changing the boot partition, or of what it boots.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum BlsError {
    /// `boot: bls`, and there is no boot partition.
    #[error("boot: bls is configured, but {0}")]
    NoPartition(String),
    /// A step failed.
    #[error("{}: {what}: {source}", path.display())]
    Io {
        path: PathBuf,
        /// The step, such as `writing`.
        what: &'static str,
        source: io::Error,
    },
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// More entries than can be meant.
    #[error("{}: more than {limit} files", path.display())]
    TooMany { path: PathBuf, limit: usize },
    /// An entry that the boot loader may read, but tiu does not.
    #[error("{}: the boot entry cannot be read: {why}", path.display())]
    Unreadable { path: PathBuf, why: String },
    /// Their place in the menu is not known.
    #[error("{}: tiu does not know the place of unified kernel images in the menu", path.display())]
    Unified { path: PathBuf },
    /// The content that was read back differs from what was written.
    #[error("{}: what was written could not be read back", path.display())]
    NotReadBack { path: PathBuf },
    /// Nothing can be written.
    #[error("{}: the boot partition is mounted read-only", path.display())]
    ReadOnly { path: PathBuf },
    /// The boot partition is too full.
    #[error(
        "{}: the boot partition needs {} KiB more, and {} KiB are free",
        path.display(),
        needed.div_ceil(1 << 10),
        free >> 10
    )]
    NoSpace {
        path: PathBuf,
        /// Bytes.
        needed: u64,
        /// Bytes.
        free: u64,
    },
    /// There is nothing to boot.
    #[error("snapshot {number}: no kernel that a boot entry could name was found")]
    NoKernel { number: u32 },
    /// The image brings no kernel.
    #[error("the image has no kernel, and this host starts kernels by boot entries")]
    ImageWithoutKernel,
    /// The kernel has no initrd.
    #[error("snapshot {number}: found no initrd of kernel {version}")]
    NoInitrd { number: u32, version: String },
    /// Select without stage.
    #[error("snapshot {number} has no staged boot entry")]
    NotStaged { number: u32 },
    /// A path that cannot stand in the arguments of the kernel.
    #[error("the path {path:?} of snapshot {number} cannot be an argument of the kernel")]
    Subvolume { number: u32, path: String },
    /// Something comes first, although the new entry would be the newest.
    #[error("a new snapshot would not boot next: {} would, because {why}", printable(found))]
    NotFirst {
        /// The entry that would boot.
        found: String,
        /// The reason.
        why: String,
    },
    /// A default names the new entry.
    #[error("the boot loader could not go back from a new snapshot: {why}")]
    Defeated {
        /// The reason.
        why: String,
    },
}

hints! { BlsError {
    forward Tree;
    NoPartition(_) =>
        "mount the EFI system partition at /efi, /boot/efi or /boot, or set boot: none in tiu.yaml",
    Io { source, .. } => errno::hint(source).unwrap_or(
        "see whether the boot partition is mounted and writable; dmesg shows errors of its filesystem"
    ),
    TooMany { .. } | Unreadable { .. } => "remove what is not a boot entry from that directory",
    Unified { .. } => "set boot: none in tiu.yaml, or remove the image",
    NotReadBack { .. } => "the disk or the filesystem may be failing: see dmesg, then fsck.vfat",
    ReadOnly { path } => format!(
        "dmesg says whether its filesystem has an error (then unmount it and run fsck.vfat); else mount -o \
         remount,rw {}", path.display()
    ),
    NoSpace { .. } =>
        "delete snapshots that are no longer needed (snapper delete N), then run tiu cleanup, which removes \
         their kernels and initrds",
    NoKernel { .. } | ImageWithoutKernel =>
        "put a kernel into the image, or set boot: none in tiu.yaml if something else starts this host",
    NoInitrd { .. } =>
        "put an initrd or dracut into the image; or set initrd: none in tiu.yaml if the kernel needs none",
    NotStaged { .. } => "run the command again",
    Subvolume { .. } => "use a path without blanks, quotes and commas for the subvolume of the snapshots",
    NotFirst { .. } | Defeated { .. } =>
        "remove the default: bootctl set-default '' for the variable, the line in loader/loader.conf for \
         the file; entries of other systems need a sort-key after tiu",
} }
