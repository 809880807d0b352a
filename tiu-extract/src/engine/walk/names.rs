//! The names in a directory, in little memory: a directory can have a million names.

use rustix::fs::FileType;
use rustix::io::Errno;
use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::os::fd::BorrowedFd;

/// Names, with the kinds that the directory says.
#[derive(Default)]
pub(super) struct NameList {
    /// The names, each with a NUL.
    bytes: Vec<u8>,
    /// The offset of each name.
    list: Vec<(u32, FileType)>,
}

impl NameList {
    /// Reads the names in a directory, and sorts them.
    pub fn read(directory: BorrowedFd) -> Result<Self, Errno> {
        let mut names = NameList::default();
        let mut buf = [const { MaybeUninit::uninit() }; 16 * 1024];
        let mut entries = rustix::fs::RawDir::new(directory, &mut buf);
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let name: &CStr = entry.file_name();
            if name != c"." && name != c".." {
                names.push(name, entry.file_type())?;
            }
        }
        names.sort();
        Ok(names)
    }

    /// Sorts names of which only the name is known.
    pub fn of(given: &[CString]) -> Result<Self, Errno> {
        let mut names = NameList::default();
        for name in given {
            names.push(name, FileType::Unknown)?;
        }
        names.sort();
        Ok(names)
    }

    fn push(&mut self, name: &CStr, kind: FileType) -> Result<(), Errno> {
        let start = u32::try_from(self.bytes.len()).map_err(|_| Errno::OVERFLOW)?;
        self.bytes.extend_from_slice(name.to_bytes_with_nul());
        self.list.push((start, kind));
        Ok(())
    }

    fn sort(&mut self) {
        let mut list = std::mem::take(&mut self.list);
        list.sort_unstable_by(|(a, _), (b, _)| self.name(*a).cmp(self.name(*b)));
        self.list = list;
    }

    /// Returns the number of names.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Returns the names with these numbers.
    pub fn range(&self, range: std::ops::Range<usize>) -> impl Iterator<Item = (&CStr, FileType)> {
        self.list.get(range).unwrap_or_default().iter().map(|(start, kind)| (self.name(*start), *kind))
    }

    fn name(&self, start: u32) -> &CStr {
        let bytes = self.bytes.get(start as usize..).unwrap_or_default();
        CStr::from_bytes_until_nul(bytes).unwrap_or_default()
    }
}
