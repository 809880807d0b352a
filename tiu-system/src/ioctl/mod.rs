//! The ioctls that no crate offers safely. The only module with `unsafe`.
//!
//! rustix types the argument of an ioctl and asks its caller to vouch for number and type; that is all `unsafe` stands for here. Every
//! public function is safe: it borrows its descriptors, checks what the kernel gives back, and cannot be called with a wrong argument.
#![allow(unsafe_code)]

mod default_subvolume;

pub use default_subvolume::{default_subvolume, set_default_subvolume};

use rustix::io::Errno;
use rustix::ioctl::{Direction, Ioctl, IoctlOutput, NoArg, Opcode, Setter, Updater, ioctl, opcode};
use std::ffi::c_void;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// `struct file_clone_range` of `<linux/fs.h>`.
#[repr(C)]
struct FileCloneRange {
    src_fd: i64,
    src_offset: u64,
    src_length: u64,
    dest_offset: u64,
}

const FICLONERANGE: Opcode = opcode::write::<FileCloneRange>(0x94, 13);

/// Makes all of `dest` share the data of `src` (`FICLONE`): both are regular files of one filesystem that can reflink. `dest` gets the size
/// of `src` where it was shorter.
///
/// Errors: `EXDEV` different filesystems, `EOPNOTSUPP` no reflinks here, `EINVAL` e.g. one of the files is without
/// copy-on-write or checksums, ...: see ioctl_ficlonerange(2).
pub fn clone_file(src: BorrowedFd, dest: BorrowedFd) -> io::Result<()> {
    Ok(rustix::fs::ioctl_ficlone(dest, src)?)
}

/// Makes `dest` share `length` bytes of `src` (`FICLONERANGE`). Offsets and length are multiples of the filesystem's block size, but a length
/// that ends at the end of `src` (and then at or after the end of `dest`) may be any; `length` 0 means up to the end of `src`.
///
/// Errors: see [`clone_file`]; `EINVAL` also for ranges that are not aligned.
pub fn clone_range(
    src: BorrowedFd,
    src_offset: u64,
    length: u64,
    dest: BorrowedFd,
    dest_offset: u64,
) -> io::Result<()> {
    let range =
        FileCloneRange { src_fd: i64::from(src.as_raw_fd()), src_offset, src_length: length, dest_offset };
    // SAFETY: FICLONERANGE reads one `struct file_clone_range`, which `FileCloneRange` mirrors, and writes no memory of ours; both
    // descriptors are borrowed until it returns.
    unsafe { ioctl(dest, Setter::<FICLONERANGE, _>::new(range))? };
    Ok(())
}

/// `struct fsverity_digest` of `<linux/fsverity.h>`, with room for the longest digest.
#[repr(C)]
struct FsverityDigest {
    algorithm: u16,
    size: u16,
    digest: [u8; 64],
}

/// `_IOWR('f', 134, struct fsverity_digest)`; the header's struct ends in a flexible array, so 4 bytes count.
const FS_IOC_MEASURE_VERITY: Opcode = opcode::from_components(Direction::ReadWrite, b'f', 134, 4);
const FS_VERITY_HASH_ALG_SHA256: u16 = 1;

/// The fs-verity digest that the kernel enforces for the file (`FS_IOC_MEASURE_VERITY`), in constant time.
///
/// `None`: the file has no fs-verity, the kernel or filesystem has none, or the digest is not SHA-256. A value that equals the expected
/// content digest proves the content; one that differs does not disprove it, as block size and salt go into it too.
pub fn measure_verity(file: BorrowedFd) -> io::Result<Option<[u8; 32]>> {
    let mut value = FsverityDigest { algorithm: 0, size: 64, digest: [0; 64] };
    // SAFETY: FS_IOC_MEASURE_VERITY reads `size` and writes the header and at most `size` bytes of digest, for which there is room.
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

/// `struct loop_info64` of `<linux/loop.h>`.
#[repr(C)]
struct LoopInfo64 {
    device: u64,
    inode: u64,
    rdevice: u64,
    offset: u64,
    size_limit: u64,
    number: u32,
    encrypt_type: u32,
    encrypt_key_size: u32,
    flags: u32,
    file_name: [u8; 64],
    crypt_name: [u8; 64],
    encrypt_key: [u8; 32],
    init: [u64; 2],
}

/// `struct loop_config` of `<linux/loop.h>`.
#[repr(C)]
struct LoopConfig {
    fd: u32,
    block_size: u32,
    info: LoopInfo64,
    reserved: [u64; 8],
}

const LOOP_CLR_FD: Opcode = 0x4C01;
const LOOP_CONFIGURE: Opcode = 0x4C0A;
const LOOP_CTL_GET_FREE: Opcode = 0x4C82;
const LO_FLAGS_READ_ONLY: u32 = 1;
const LO_FLAGS_AUTOCLEAR: u32 = 4;

struct GetFree;

// SAFETY: LOOP_CTL_GET_FREE takes no argument and touches no memory of ours; its result is the device's number.
unsafe impl Ioctl for GetFree {
    type Output = i32;
    const IS_MUTATING: bool = false;
    fn opcode(&self) -> Opcode {
        LOOP_CTL_GET_FREE
    }
    fn as_ptr(&mut self) -> *mut c_void {
        std::ptr::null_mut()
    }
    unsafe fn output_from_ptr(out: IoctlOutput, _: *mut c_void) -> rustix::io::Result<i32> {
        Ok(out)
    }
}

/// The number of a loop device that is free at this moment (another process may take it first), made if need be. `control` is `/dev/loop-control`.
pub fn loop_get_free(control: BorrowedFd) -> io::Result<u32> {
    // SAFETY: see `GetFree`.
    let number = unsafe { ioctl(control, GetFree)? };
    u32::try_from(number)
        .map_err(|_| io::Error::other(format!("the kernel gave loop device number {number}")))
}

/// Sets the loop device up over the first `size_limit` bytes of `backing` (`LOOP_CONFIGURE`, Linux 5.8), read-only, with 4096-byte blocks;
/// it is cleared when its last user closes it, however that user ends. `EBUSY`: another process took the device first.
pub fn loop_configure(device: BorrowedFd, backing: BorrowedFd, size_limit: u64) -> io::Result<()> {
    let config = LoopConfig {
        fd: backing.as_raw_fd().unsigned_abs(),
        block_size: 4096,
        info: LoopInfo64 {
            device: 0,
            inode: 0,
            rdevice: 0,
            offset: 0,
            size_limit,
            number: 0,
            encrypt_type: 0,
            encrypt_key_size: 0,
            flags: LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR,
            file_name: [0; 64],
            crypt_name: [0; 64],
            encrypt_key: [0; 32],
            init: [0; 2],
        },
        reserved: [0; 8],
    };
    // SAFETY: LOOP_CONFIGURE reads one `struct loop_config`, which `LoopConfig` mirrors, and writes no memory of ours; the kernel takes its
    // own reference to `backing`.
    unsafe { ioctl(device, Setter::<LOOP_CONFIGURE, _>::new(config))? };
    Ok(())
}

/// Clears the loop device (`LOOP_CLR_FD`): at once, or when its last user closes it.
pub fn loop_clear(device: BorrowedFd) -> io::Result<()> {
    // SAFETY: LOOP_CLR_FD takes no argument.
    unsafe { ioctl(device, NoArg::<LOOP_CLR_FD>::new())? };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::mem::{offset_of, size_of};
    use std::os::fd::AsFd;

    // The values come from a C program that includes <linux/loop.h>, <linux/fs.h>, <linux/fsverity.h>.
    #[test]
    fn structs_and_numbers_are_the_kernels() {
        assert_eq!(
            (size_of::<LoopInfo64>(), size_of::<LoopConfig>(), size_of::<FileCloneRange>()),
            (232, 304, 32)
        );
        assert_eq!((offset_of!(LoopInfo64, size_limit), offset_of!(LoopInfo64, flags)), (32, 52));
        assert_eq!((offset_of!(LoopConfig, info), offset_of!(FsverityDigest, digest)), (8, 4));
        assert_eq!((FICLONERANGE, FS_IOC_MEASURE_VERITY), (0x4020_940d, 0xc004_6686));
    }

    #[test]
    fn a_file_without_fs_verity_measures_as_none() {
        let file = tempfile::tempfile().unwrap();
        assert_eq!(measure_verity(file.as_fd()).unwrap(), None);
        assert_eq!(measure_verity(File::open("/proc/self/status").unwrap().as_fd()).unwrap(), None);
    }

    #[test]
    fn cloning_where_the_kernel_cannot_is_an_error() {
        let (file, pipe) = (tempfile::tempfile().unwrap(), rustix::pipe::pipe().unwrap());
        assert!(clone_range(file.as_fd(), 0, 4096, pipe.1.as_fd(), 0).is_err());
        assert!(clone_file(pipe.0.as_fd(), file.as_fd()).is_err());
    }
}
