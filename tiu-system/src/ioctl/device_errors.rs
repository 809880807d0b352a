//! The errors that btrfs counted on the devices of a filesystem: `BTRFS_IOC_GET_DEV_STATS` of
//! `<linux/btrfs.h>`.

use super::filesystem::devices;
use rustix::io::Errno;
use rustix::ioctl::{Opcode, Updater, ioctl, opcode};
use std::io;
use std::os::fd::BorrowedFd;

/// The counters of a device: failed writes, reads and flushes, checksums that were wrong, and
/// blocks of an older transaction.
const COUNTERS: usize = 5;
/// The highest number of a device that is asked about.
const MAX_DEVICE: u64 = 4096;

/// `struct btrfs_ioctl_get_dev_stats`.
#[repr(C)]
struct DeviceErrors {
    device: u64,
    items: u64,
    flags: u64,
    values: [u64; COUNTERS],
    unused: [u64; 121],
}

/// `_IOWR(BTRFS_IOCTL_MAGIC, 52, struct btrfs_ioctl_get_dev_stats)`.
const BTRFS_IOC_GET_DEV_STATS: Opcode = opcode::read_write::<DeviceErrors>(0x94, 52);

/// Returns the counters of all devices of the btrfs that `fd` is on, as `btrfs device stats` shows
/// them: the number of the device, then its five counters, device by device. They outlast a mount
/// if a transaction was committed in it after the error.
pub fn device_errors(fd: BorrowedFd) -> io::Result<Vec<u64>> {
    let mut found = Vec::new();
    for device in 0..=devices(fd)?.min(MAX_DEVICE) {
        let mut errors = DeviceErrors {
            device,
            items: COUNTERS as u64,
            flags: 0,
            values: [0; COUNTERS],
            unused: [0; 121],
        };
        // SAFETY: BTRFS_IOC_GET_DEV_STATS reads and writes one `struct btrfs_ioctl_get_dev_stats`,
        // which `DeviceErrors` mirrors.
        match unsafe { ioctl(fd, Updater::<BTRFS_IOC_GET_DEV_STATS, DeviceErrors>::new(&mut errors)) } {
            Ok(()) => {
                found.push(device);
                found.extend(errors.values);
            }
            // Numbers are not reused when a device is removed.
            Err(Errno::NODEV) => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::{offset_of, size_of};
    use std::os::fd::AsFd;

    // The values come from a C program that includes <linux/btrfs.h>.
    #[test]
    fn struct_and_number_are_the_kernels() {
        assert_eq!((size_of::<DeviceErrors>(), offset_of!(DeviceErrors, values)), (1032, 24));
        assert_eq!(BTRFS_IOC_GET_DEV_STATS, 0xc408_9434);
    }

    #[test]
    fn another_filesystem_has_no_devices() {
        let proc = std::fs::File::open("/proc/self/status").unwrap();
        assert!(device_errors(proc.as_fd()).is_err());
    }
}
