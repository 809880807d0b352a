//! Files that appear complete or not at all: written under a temporary name in the same directory,
//! made durable, then renamed.
//!
//! An output replaces a regular file or makes a new one, nothing else. If its name is a symbolic
//! link, the output is the file that the link names, even if that does not exist yet; the link
//! stays. The output keeps the mode, owner and extended attributes of the file that it replaces. A
//! crash leaves the old file or the new one, and at worst a leftover `.NAME.XXXXXX`.

use rustix::fs::FileType;
use std::ffi::OsString;
use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;
use tiu_system::hints;
use tiu_system::tree::Attributes;

/// Most symbolic links from an output's name to its file, as Linux has it.
const MAX_LINKS: usize = 40;
/// Extended attributes that vouch for the content that they were made for.
const OF_CONTENT: [&[u8]; 2] = [b"security.ima", b"security.evm"];

/// A file that is not made or replaced.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // Fields without documentation are what their names say.
pub enum OutputError {
    /// Something else than a regular file has the name.
    #[error("{} is {found}, expected a regular file or a new name", path.display())]
    NotAFile {
        path: PathBuf,
        /// Its kind, with its article.
        found: &'static str,
    },
    /// The command reads the file.
    #[error("{} is what this command reads, as {}: it would be replaced", path.display(), input.display())]
    Input {
        path: PathBuf,
        /// The path of the input.
        input: PathBuf,
    },
    /// The path cannot be followed.
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

hints! { OutputError {
    NotAFile { .. } => "give the name of a file: devices, pipes, sockets and directories are never written to",
    Input { .. } => "give the output another name",
    Io { .. } => "check that the directory exists and that you can write to it",
} }

/// Returns the directory of a file.
pub fn parent_directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Checks that `path` names a regular file.
pub fn check_regular(path: &Path) -> Result<(), OutputError> {
    let failed = |source| OutputError::Io { path: path.to_owned(), source };
    match kind(path.metadata().map_err(failed)?.file_type()) {
        None => Ok(()),
        Some(found) => Err(OutputError::NotAFile { path: path.to_owned(), found }),
    }
}

/// Returns the file that an output named `path` makes or replaces.
pub fn output(path: &Path) -> Result<PathBuf, OutputError> {
    let failed = |source| OutputError::Io { path: path.to_owned(), source };
    // First, because what /proc/self/fd/N leads to cannot be named.
    match check_regular(path) {
        Err(OutputError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
        other => other?,
    }
    let mut file = path.to_owned();
    for _ in 0..=MAX_LINKS {
        match file.symlink_metadata() {
            Ok(found) if found.is_symlink() => {
                let target = file.read_link().map_err(failed)?;
                file = parent_directory(&file).join(target);
            }
            Ok(_) => return Ok(file),
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(file),
            Err(e) => return Err(failed(e)),
        }
    }
    Err(failed(rustix::io::Errno::LOOP.into()))
}

/// Checks that an output named `path` is none of the files that the command reads.
pub fn check_inputs<'a>(path: &Path, inputs: impl IntoIterator<Item = &'a Path>) -> Result<(), OutputError> {
    let same = |path: &Path| path.metadata().ok().map(|found| (found.dev(), found.ino()));
    let Some(output) = same(path) else { return Ok(()) };
    match inputs.into_iter().find(|input| same(input) == Some(output)) {
        Some(input) => Err(OutputError::Input { path: path.to_owned(), input: input.to_owned() }),
        None => Ok(()),
    }
}

/// Returns the kind of what is not a regular file, with its article.
fn kind(found: std::fs::FileType) -> Option<&'static str> {
    Some(if found.is_file() {
        return None;
    } else if found.is_dir() {
        "a directory"
    } else if found.is_block_device() {
        "a block device"
    } else if found.is_char_device() {
        "a character device"
    } else if found.is_fifo() {
        "a named pipe"
    } else if found.is_socket() {
        "a socket"
    } else {
        "something else"
    })
}

/// Creates a temporary file in the directory of `path`, which [`output`] returned. It is removed
/// unless it is [`publish`]ed.
pub fn beside(path: &Path) -> io::Result<NamedTempFile> {
    let mut name = OsString::from(".");
    name.push(path.file_name().ok_or(io::ErrorKind::IsADirectory)?);
    name.push(".");
    let mut builder = tempfile::Builder::new();
    // As any new file: what the umask leaves of it.
    builder.prefix(&name).permissions(Permissions::from_mode(0o666)).tempfile_in(parent_directory(path))
}

/// Gives a complete file its name, durably: first the content, then the name, then the directory.
/// Mode, owner and extended attributes are those of the file that is replaced.
pub fn publish(file: NamedTempFile, path: &Path) -> io::Result<()> {
    let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    match rustix::fs::open(path, flags | rustix::fs::OFlags::CLOEXEC, rustix::fs::Mode::empty()) {
        Ok(old) => {
            // It was a regular file when the work began.
            if FileType::from_raw_mode(rustix::fs::fstat(&old)?.st_mode) != FileType::RegularFile {
                return Err(io::Error::other("it is no longer a regular file"));
            }
            let mut attributes = Attributes::read(&File::from(old))?;
            attributes.xattrs.retain(|(name, _)| !OF_CONTENT.contains(&name.as_slice()));
            attributes.write(file.as_file())?;
        }
        Err(rustix::io::Errno::NOENT) => {}
        Err(e) => return Err(e.into()),
    }
    file.as_file().sync_all()?;
    file.persist(path).map_err(|e| e.error)?;
    File::open(parent_directory(path))?.sync_all()
}

/// Writes a small file.
pub fn write(path: &Path, content: &[u8]) -> Result<(), OutputError> {
    let file = output(path)?;
    let write = || -> io::Result<()> {
        let mut new = beside(&file)?;
        new.write_all(content)?;
        publish(new, &file)
    };
    write().map_err(|source| OutputError::Io { path: path.to_owned(), source })
}
