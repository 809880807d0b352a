//! The report of an update on the medium that it came from.

use super::error::MediaError;
use super::medium::{FOLDER, Medium};
use rustix::fs::{Mode, OFlags, openat};
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use tiu_system::tree::Tree;

/// Most bytes of a report.
const MAX_REPORT: usize = 64 << 10;

/// Writes `text` to the file `name` in the folder of bundles of the medium `device`, which is not
/// mounted. A file of that name is not replaced. Only vfat is written to.
pub fn write_report(device: &Path, at: &Path, name: &str, text: &str) -> Result<(), MediaError> {
    let failed = |source: io::Error| MediaError::Report { device: device.to_owned(), source };
    if text.len() > MAX_REPORT {
        return Err(failed(io::Error::other(format!("it has {} bytes, more than {MAX_REPORT}", text.len()))));
    }
    let medium = Medium::mount_for_writing(device, at)?;
    let write = || -> io::Result<()> {
        let folder = Tree::open(medium.path()).and_then(|tree| tree.directory(FOLDER));
        let folder = folder.map_err(|error| error.source)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(openat(&folder, name, flags, Mode::from_raw_mode(0o644))?);
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(failed)
}
