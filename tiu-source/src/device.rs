//! A bundle at the start of a block device, which is longer than it: a medium to which a bundle was
//! copied with dd.
//!
//! The end follows from the bundle itself: the squashfs says how long it is, the hash tree's size
//! follows from that, and the DER of the signature begins with its own length. None of this is
//! trusted: the bundle is then opened like a file of this length.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use tiu_bundle::BLOCK_SIZE;
use tiu_bundle::bundle::TRAILER_SIZE;
use tiu_bundle::hash_tree::tree_size;
use tiu_bundle::read_at::ReadAt;
use tiu_bundle::signature::MAX_CMS_SIZE;
use tiu_system::hints;

const MAGIC: [u8; 4] = *b"hsqs";
/// The offset of the size in the superblock of a squashfs, as 64 bit little endian.
const SIZE_AT: u64 = 40;
/// The first byte of a CMS in DER: a sequence.
const SEQUENCE: u8 = 0x30;

/// A block device does not start with a bundle.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // Fields without documentation are what their names say.
pub enum DeviceError {
    #[error("it starts with {found:02x?}, expected {MAGIC:02x?} (`hsqs`)")]
    NoImage { found: [u8; 4] },
    #[error("its squashfs has {found} bytes, but the device has {device}")]
    ImageSize { found: u64, device: u64 },
    #[error("the bundle needs {needed} bytes, but the device has {device}")]
    Short { needed: u64, device: u64 },
    #[error("no signature begins at byte {offset}: found {found:02x?}")]
    NoSignature { offset: u64, found: [u8; 2] },
    #[error("a signature of {found} bytes begins at byte {offset}, expected 1 to {MAX_CMS_SIZE}")]
    SignatureSize { offset: u64, found: u64 },
    #[error("reading it failed: {0}")]
    Io(#[from] io::Error),
}

hints! { DeviceError {
    Io(_) => "check the medium (dmesg)",
    _ => "copy the bundle again: dd if=BUNDLE of=DEVICE bs=4M conv=fsync",
} }

/// A bundle on a block device.
#[derive(Debug)]
pub(crate) struct DeviceSource {
    file: File,
    size: u64,
}

impl DeviceSource {
    /// Finds the end of the bundle on `file`.
    pub(crate) fn new(mut file: File) -> Result<Self, DeviceError> {
        let device = file.seek(SeekFrom::End(0))?;
        let mut found = [0; 4];
        file.read_exact_at(&mut found, 0)?;
        if found != MAGIC {
            return Err(DeviceError::NoImage { found });
        }
        let mut used = [0; 8];
        file.read_exact_at(&mut used, SIZE_AT)?;
        let used = u64::from_le_bytes(used);
        let too_long = DeviceError::ImageSize { found: used, device };
        let block = BLOCK_SIZE as u64;
        let image = used.checked_next_multiple_of(block).map(|size| size.max(2 * block));
        let Some(image) = image.filter(|size| *size < device) else { return Err(too_long) };
        let offset = image + tree_size(image);
        let mut head = [0; 8];
        let needed = offset + head.len() as u64;
        if needed > device {
            return Err(DeviceError::Short { needed, device });
        }
        file.read_exact_at(&mut head, offset)?;
        let [tag, first, rest @ ..] = head;
        if tag != SEQUENCE {
            return Err(DeviceError::NoSignature { offset, found: [tag, first] });
        }
        let cms = match first {
            short @ 0..=0x7f => 2 + u64::from(short),
            0x81 => 3 + u64::from(rest[0]),
            0x82 => 4 + u64::from(u16::from_be_bytes([rest[0], rest[1]])),
            0x83 => 5 + u64::from(u32::from_be_bytes([0, rest[0], rest[1], rest[2]])),
            _ => return Err(DeviceError::NoSignature { offset, found: [tag, first] }),
        };
        let size = offset + cms + TRAILER_SIZE;
        if cms > MAX_CMS_SIZE {
            return Err(DeviceError::SignatureSize { offset, found: cms });
        }
        if size > device {
            return Err(DeviceError::Short { needed: size, device });
        }
        Ok(DeviceSource { file, size })
    }
}

impl ReadAt for DeviceSource {
    fn size(&self) -> u64 {
        self.size
    }
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        match offset.checked_add(buf.len() as u64) {
            Some(end) if end <= self.size => self.file.read_exact_at(buf, offset),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
    fn as_file(&self) -> Option<&File> {
        Some(&self.file)
    }
}
