//! The identity of the btrfs that holds a file.

use rustix::ioctl::{Getter, Opcode, ioctl, opcode};
use std::fmt::Write as _;
use std::io;
use std::os::fd::BorrowedFd;

/// `struct btrfs_ioctl_fs_info_args` of `<linux/btrfs.h>`, as far as it is used.
#[repr(C)]
struct FsInfo {
    max_id: u64,
    num_devices: u64,
    fsid: [u8; 16],
    rest: [u64; 124],
}

/// `_IOR(BTRFS_IOCTL_MAGIC, 31, struct btrfs_ioctl_fs_info_args)`.
const BTRFS_IOC_FS_INFO: Opcode = opcode::read::<FsInfo>(0x94, 31);

/// Returns the UUID of the btrfs that `fd` is on, as in `/sys/fs/btrfs`.
pub fn btrfs_uuid(fd: BorrowedFd) -> io::Result<String> {
    Ok(uuid_text(&info(fd)?.fsid))
}

/// Returns the highest number of a device of the btrfs that `fd` is on.
pub(super) fn devices(fd: BorrowedFd) -> io::Result<u64> {
    Ok(info(fd)?.max_id)
}

fn info(fd: BorrowedFd) -> io::Result<FsInfo> {
    // SAFETY: BTRFS_IOC_FS_INFO writes one `struct btrfs_ioctl_fs_info_args`, which `FsInfo` is as
    // large as.
    Ok(unsafe { ioctl(fd, Getter::<BTRFS_IOC_FS_INFO, FsInfo>::new()) }?)
}

/// Returns a UUID as text.
pub(super) fn uuid_text(bytes: &[u8; 16]) -> String {
    let mut uuid = String::with_capacity(36);
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            uuid.push('-');
        }
        let _ = write!(uuid, "{byte:02x}");
    }
    uuid
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::{offset_of, size_of};
    use std::os::fd::AsFd;

    // The values come from a C program that includes <linux/btrfs.h>.
    #[test]
    fn struct_and_number_are_the_kernels() {
        assert_eq!((size_of::<FsInfo>(), offset_of!(FsInfo, fsid)), (1024, 16));
        assert_eq!(BTRFS_IOC_FS_INFO, 0x8400_941f);
    }

    #[test]
    fn another_filesystem_has_none() {
        let proc = std::fs::File::open("/proc/self/status").unwrap();
        assert!(btrfs_uuid(proc.as_fd()).is_err());
    }
}
