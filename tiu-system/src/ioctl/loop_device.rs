//! Loop devices: loop(4) and `<linux/loop.h>`.

use rustix::ioctl::{Ioctl, IoctlOutput, NoArg, Opcode, Setter, ioctl};
use std::ffi::c_void;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

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

// SAFETY: LOOP_CTL_GET_FREE takes no argument and touches no memory of ours; its result is the
// device's number.
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

/// Returns the number of a loop device that is free at this moment, and makes one if there is none.
/// Another process may take it first. `control` is `/dev/loop-control`.
pub fn loop_get_free(control: BorrowedFd) -> io::Result<u32> {
    // SAFETY: see `GetFree`.
    let number = unsafe { ioctl(control, GetFree)? };
    u32::try_from(number)
        .map_err(|_| io::Error::other(format!("the kernel returned loop device number {number}")))
}

/// Sets the loop device up over the first `size_limit` bytes of `backing` (`LOOP_CONFIGURE`, Linux
/// 5.8), read-only, with blocks of 4096 bytes. It is cleared when its last user closes it, however
/// that user ends. `EBUSY` means that another process took the device first.
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
    // SAFETY: LOOP_CONFIGURE reads one `struct loop_config`, which `LoopConfig` mirrors, and writes
    // no memory of ours; the kernel takes its own reference to `backing`.
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
    use std::mem::{offset_of, size_of};

    // The values come from a C program that includes <linux/loop.h>.
    #[test]
    fn structs_are_the_kernels() {
        assert_eq!((size_of::<LoopInfo64>(), size_of::<LoopConfig>()), (232, 304));
        assert_eq!((offset_of!(LoopInfo64, size_limit), offset_of!(LoopInfo64, flags)), (32, 52));
        assert_eq!(offset_of!(LoopConfig, info), 8);
    }
}
