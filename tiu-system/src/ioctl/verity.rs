//! fs-verity: Documentation/filesystems/fsverity.rst of the kernel.

use rustix::io::Errno;
use rustix::ioctl::{Direction, Opcode, Updater, ioctl, opcode};
use std::io;
use std::os::fd::BorrowedFd;

/// `struct fsverity_digest` of `<linux/fsverity.h>`, with room for the longest digest.
#[repr(C)]
struct FsverityDigest {
    algorithm: u16,
    size: u16,
    digest: [u8; 64],
}

/// `_IOWR('f', 134, struct fsverity_digest)`; the header's struct ends in a flexible array, so 4
/// bytes count.
const FS_IOC_MEASURE_VERITY: Opcode = opcode::from_components(Direction::ReadWrite, b'f', 134, 4);
const FS_VERITY_HASH_ALG_SHA256: u16 = 1;

/// Returns the fs-verity digest that the kernel enforces for the file (`FS_IOC_MEASURE_VERITY`), in
/// constant time.
///
/// Returns `None` if the file has no fs-verity, if the kernel or the filesystem has none, or if the
/// digest is not SHA-256. A value that equals the expected content digest proves the content. One
/// that differs does not disprove it, because block size and salt go into it too.
pub fn measure_verity(file: BorrowedFd) -> io::Result<Option<[u8; 32]>> {
    let mut value = FsverityDigest { algorithm: 0, size: 64, digest: [0; 64] };
    // SAFETY: FS_IOC_MEASURE_VERITY reads `size` and writes the header and at most `size` bytes of
    // digest, for which there is room.
    match unsafe { ioctl(file, Updater::<FS_IOC_MEASURE_VERITY, _>::new(&mut value)) } {
        Ok(()) => {}
        Err(Errno::NODATA | Errno::NOTTY | Errno::OPNOTSUPP | Errno::NOSYS) => return Ok(None),
        Err(e) => return Err(e.into()),
    }
    let FsverityDigest { algorithm, size, digest } = value;
    match digest.first_chunk() {
        Some(sha256) if algorithm == FS_VERITY_HASH_ALG_SHA256 && size == 32 => Ok(Some(*sha256)),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::mem::offset_of;
    use std::os::fd::AsFd;

    // The values come from a C program that includes <linux/fsverity.h>.
    #[test]
    fn struct_and_number_are_the_kernels() {
        assert_eq!((offset_of!(FsverityDigest, digest), FS_IOC_MEASURE_VERITY), (4, 0xc004_6686));
    }

    #[test]
    fn a_file_without_fs_verity_measures_as_none() {
        let file = tempfile::tempfile().unwrap();
        assert_eq!(measure_verity(file.as_fd()).unwrap(), None);
        assert_eq!(measure_verity(File::open("/proc/self/status").unwrap().as_fd()).unwrap(), None);
    }
}
