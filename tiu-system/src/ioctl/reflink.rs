//! Sharing data between files: ioctl_ficlonerange(2).

use rustix::ioctl::{Opcode, Setter, ioctl, opcode};
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

/// Makes all of `dest` share the data of `src` (`FICLONE`). Both are regular files of one
/// filesystem that can reflink. `dest` gets the size of `src` if it was shorter.
///
/// Errors: `EXDEV` for different filesystems, `EOPNOTSUPP` without reflinks, `EINVAL` for example
/// if one of the files has no copy-on-write or no checksums, and others of ioctl_ficlonerange(2).
pub fn clone_file(src: BorrowedFd, dest: BorrowedFd) -> io::Result<()> {
    Ok(rustix::fs::ioctl_ficlone(dest, src)?)
}

/// Makes `dest` share `length` bytes of `src` (`FICLONERANGE`). Offsets and length are multiples of
/// the filesystem's block size, except a length that ends at the end of `src`, and at or after the
/// end of `dest`. Length 0 means up to the end of `src`.
///
/// Errors: those of [`clone_file`]; `EINVAL` also for ranges that are not aligned.
pub fn clone_range(
    src: BorrowedFd,
    src_offset: u64,
    length: u64,
    dest: BorrowedFd,
    dest_offset: u64,
) -> io::Result<()> {
    let range =
        FileCloneRange { src_fd: i64::from(src.as_raw_fd()), src_offset, src_length: length, dest_offset };
    // SAFETY: FICLONERANGE reads one `struct file_clone_range`, which `FileCloneRange` mirrors, and
    // writes no memory of ours; both descriptors are borrowed until it returns.
    unsafe { ioctl(dest, Setter::<FICLONERANGE, _>::new(range))? };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::size_of;
    use std::os::fd::AsFd;

    // The values come from a C program that includes <linux/fs.h>.
    #[test]
    fn struct_and_number_are_the_kernels() {
        assert_eq!((size_of::<FileCloneRange>(), FICLONERANGE), (32, 0x4020_940d));
    }

    #[test]
    fn cloning_where_the_kernel_cannot_is_an_error() {
        let (file, pipe) = (tempfile::tempfile().unwrap(), rustix::pipe::pipe().unwrap());
        assert!(clone_range(file.as_fd(), 0, 4096, pipe.1.as_fd(), 0).is_err());
        assert!(clone_file(pipe.0.as_fd(), file.as_fd()).is_err());
    }
}
