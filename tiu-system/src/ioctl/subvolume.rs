//! The facts that btrfs has of a subvolume: `BTRFS_IOC_GET_SUBVOL_INFO` of `<linux/btrfs.h>`, since
//! Linux 4.18.

use super::filesystem::uuid_text;
use rustix::ioctl::{Getter, Opcode, ioctl, opcode};
use std::io;
use std::os::fd::BorrowedFd;

/// `struct btrfs_ioctl_get_subvol_info_args`, as far as it is used.
#[repr(C)]
struct SubvolumeArguments {
    tree: u64,
    name: [u8; 256],
    parent: u64,
    directory: u64,
    generation: u64,
    flags: u64,
    uuid: [u8; 16],
    parent_uuid: [u8; 16],
    received_uuid: [u8; 16],
    changed: u64,
    created: u64,
    rest: [u64; 18],
}

/// `_IOR(BTRFS_IOCTL_MAGIC, 60, struct btrfs_ioctl_get_subvol_info_args)`.
const BTRFS_IOC_GET_SUBVOL_INFO: Opcode = opcode::read::<SubvolumeArguments>(0x94, 60);

/// The facts that btrfs has of a subvolume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubvolumeFacts {
    /// The number of the subvolume, and of its tree.
    pub tree: u64,
    /// The UUID. No other subvolume of the filesystem ever has it.
    pub uuid: String,
    /// The UUID of the subvolume that this one was a snapshot of.
    pub parent_uuid: Option<String>,
    /// The last committed transaction that changed the subvolume's tree. Any later change has a
    /// higher one.
    pub generation: u64,
    /// The transaction in which the subvolume was made.
    pub created: u64,
}

/// Returns the facts that btrfs has of the subvolume that `fd` is in.
pub fn subvolume_facts(fd: BorrowedFd) -> io::Result<SubvolumeFacts> {
    // SAFETY: BTRFS_IOC_GET_SUBVOL_INFO writes one `struct btrfs_ioctl_get_subvol_info_args`, which
    // `SubvolumeArguments` is as large as.
    let found = unsafe { ioctl(fd, Getter::<BTRFS_IOC_GET_SUBVOL_INFO, SubvolumeArguments>::new()) }?;
    Ok(SubvolumeFacts {
        tree: found.tree,
        uuid: uuid_text(&found.uuid),
        parent_uuid: (found.parent_uuid != [0; 16]).then(|| uuid_text(&found.parent_uuid)),
        generation: found.generation,
        created: found.created,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::{offset_of, size_of};

    // The values come from a C program that includes <linux/btrfs.h>.
    #[test]
    fn struct_and_number_are_the_kernels() {
        assert_eq!((size_of::<SubvolumeArguments>(), offset_of!(SubvolumeArguments, generation)), (504, 280));
        assert_eq!(
            (offset_of!(SubvolumeArguments, uuid), offset_of!(SubvolumeArguments, created)),
            (296, 352)
        );
        assert_eq!(BTRFS_IOC_GET_SUBVOL_INFO, 0x81f8_943c);
    }
}
