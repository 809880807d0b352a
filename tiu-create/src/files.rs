//! Files that appear complete or not at all: written under a temporary name in the same directory,
//! made durable, then renamed.
//!
//! A crash leaves the old file or the new one, and at worst a leftover `.NAME.XXXXXX`.

use std::ffi::OsString;
use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tempfile::NamedTempFile;

/// Returns the directory of a file.
pub fn parent_directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Creates a temporary file in the directory of `path`. It is removed unless it is [`publish`]ed.
pub fn beside(path: &Path) -> io::Result<NamedTempFile> {
    let mut name = OsString::from(".");
    name.push(path.file_name().ok_or(io::ErrorKind::IsADirectory)?);
    name.push(".");
    let mut builder = tempfile::Builder::new();
    // As any new file: what the umask leaves of it.
    builder.prefix(&name).permissions(Permissions::from_mode(0o666)).tempfile_in(parent_directory(path))
}

/// Gives a complete file its name, durably: first the content, then the name, then the directory.
pub fn publish(file: NamedTempFile, path: &Path) -> io::Result<()> {
    file.as_file().sync_all()?;
    file.persist(path).map_err(|e| e.error)?;
    File::open(parent_directory(path))?.sync_all()
}
