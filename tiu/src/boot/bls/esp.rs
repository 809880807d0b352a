//! The boot partition itself. Nothing on it is trusted: paths are opened beneath its root without
//! following links, and no file is read beyond a limit.

use super::disk::{Disk, ENTRIES, EntryFile};
use super::entry::{Entry, EntryName, Place};
use super::error::BlsError;
use super::work::{BootFile, Partition};
use rustix::fs::{
    Advice, AtFlags, Dir, FileType, Mode, OFlags, RenameFlags, StatVfsMountFlags, fadvise, fsync, mkdirat,
    openat,
};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use tiu_bundle::content_digest::digest_reader;
use tiu_system::tree::{Tree, TreeError};

/// Most files of a directory that are looked at.
const MAX_FILES: usize = 1000;
/// Largest entry and loader.conf that are read, in bytes.
const MAX_ENTRY: u64 = 64 << 10;
/// The number of times that the directory of entries is read while names in it change.
const READS: u32 = 3;
/// The reason why an entry cannot be read that was listed.
const VANISHED: &str = "it does not exist under that name";
/// The configuration of the boot loader.
const LOADER_CONF: &str = "loader/loader.conf";
/// The directory of unified kernel images.
const UNIFIED: &str = "EFI/Linux";

/// A mounted boot partition.
pub struct Esp {
    tree: Tree,
    /// The host's own directory.
    home: String,
}

impl Esp {
    /// Opens the partition that is mounted at `path`; `home` is the host's own directory.
    pub fn open(path: &Path, home: String) -> Result<Self, BlsError> {
        Ok(Esp { tree: Tree::open(path)?, home })
    }

    /// Returns where it is mounted.
    pub fn path(&self) -> &Path {
        self.tree.path()
    }

    fn failed(&self, path: &str, what: &'static str, source: impl Into<io::Error>) -> BlsError {
        BlsError::Io { path: self.path().join(path), what, source: source.into() }
    }

    /// Fails if nothing can be written. The kernel makes a FAT read-only when it finds an error.
    pub fn check_writable(&self) -> Result<(), BlsError> {
        let stat = rustix::fs::fstatvfs(self.tree.fd()).map_err(|e| self.failed("", "measuring", e))?;
        if stat.f_flag.contains(StatVfsMountFlags::RDONLY) {
            Err(BlsError::ReadOnly { path: self.path().to_owned() })
        } else {
            Ok(())
        }
    }

    /// Opens a directory, or returns `None` if it does not exist.
    fn directory(&self, path: &str) -> Result<Option<OwnedFd>, BlsError> {
        match self.tree.directory(path) {
            Ok(fd) => Ok(Some(fd)),
            Err(TreeError { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    /// Returns the names in a directory, as text.
    fn names(&self, path: &str) -> Result<Vec<String>, BlsError> {
        let Some(fd) = self.directory(path)? else { return Ok(Vec::new()) };
        let failed = |e: Errno| self.failed(path, "listing", e);
        let mut names = Vec::new();
        for entry in Dir::read_from(fd).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name != "." && name != ".." {
                names.push(name);
            }
            if names.len() > MAX_FILES {
                return Err(BlsError::TooMany { path: self.path().join(path), limit: MAX_FILES });
            }
        }
        names.sort();
        Ok(names)
    }

    /// Returns the size of a regular file.
    fn size(&self, path: &str) -> Option<u64> {
        let stat = self.tree.stat(path)?;
        let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        is_file.then(|| stat.st_size.try_into().unwrap_or(0))
    }

    fn is_filled(&self, path: &str) -> bool {
        self.size(path).is_some_and(|size| size > 0)
    }

    /// Reads a file in the directory of entries, if it is an entry's.
    fn entry(&self, file: &str) -> Option<EntryFile> {
        let name = EntryName::parse(file)?;
        let path = format!("{ENTRIES}/{file}");
        if self.size(&path).is_none() && name.place != Place::Live {
            return None;
        }
        if self.tree.stat(&path).is_some_and(|stat| FileType::from_raw_mode(stat.st_mode).is_dir()) {
            return None;
        }
        let entry = match self.tree.read_text(&path, MAX_ENTRY) {
            Ok(Some(text)) => Ok(Entry::parse(&text)),
            Ok(None) => Err(VANISHED.to_owned()),
            Err(error) => Err(error.source.to_string()),
        };
        let exists = |path: &String| self.is_filled(path);
        let has_kernel = entry.as_ref().is_ok_and(|entry| entry.kernel.as_ref().is_some_and(exists));
        let is_complete = has_kernel && entry.as_ref().is_ok_and(|entry| entry.files().all(exists));
        Some(EntryFile { file: file.to_owned(), name, entry, has_kernel, is_complete })
    }

    /// Makes and opens a directory, with those above it.
    fn make_directory(&self, path: &str) -> Result<OwnedFd, BlsError> {
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        for at in ends.filter_map(|end| path.get(..end)) {
            let (above, name) = at.rsplit_once('/').unwrap_or(("", at));
            let parent = self.tree.directory(above)?;
            match mkdirat(&parent, name, Mode::RWXU) {
                Ok(()) => fsync(&parent).map_err(|e| self.failed(above, "syncing", e))?,
                Err(Errno::EXIST) => {}
                Err(e) => return Err(self.failed(at, "making the directory", e)),
            }
        }
        Ok(self.tree.directory(path)?)
    }

    /// Makes a file, which must not exist, and reads it back.
    fn create(&self, directory: &str, name: &str, mut content: impl Read + Seek) -> Result<(), BlsError> {
        let parent = self.make_directory(directory)?;
        let path = format!("{directory}/{name}");
        let mut write = || -> io::Result<()> {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let mut file = File::from(openat(&parent, name, flags, Mode::RUSR | Mode::WUSR)?);
            content.rewind()?;
            io::copy(&mut content, &mut file)?;
            file.flush()?;
            file.sync_all()?;
            // So that the disk is read, and not memory.
            let _ = fadvise(&file, 0, None, Advice::DontNeed);
            Ok(fsync(&parent)?)
        };
        if let Err(error) = write() {
            // Half a file that nothing names.
            if error.kind() != io::ErrorKind::AlreadyExists {
                let _ = rustix::fs::unlinkat(&parent, name, AtFlags::empty());
            }
            return Err(self.failed(&path, "writing", error));
        }
        self.sync()?;
        content.rewind().map_err(|e| self.failed(&path, "reading the source of", e))?;
        let expected = digest_reader(content).map_err(|e| self.failed(&path, "reading the source of", e))?;
        match self.tree.file(&path)?.map(|file| digest_reader(BufReader::new(file))) {
            Some(Ok(found)) if found == expected => Ok(()),
            Some(Err(e)) => Err(self.failed(&path, "reading back", e)),
            _ => Err(BlsError::NotReadBack { path: self.path().join(path) }),
        }
    }

    fn remove(&self, directory: &str, name: &str) -> Result<(), BlsError> {
        let parent = self.tree.directory(directory)?;
        match rustix::fs::unlinkat(&parent, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => self.sync(),
            Err(e) => Err(self.failed(&format!("{directory}/{name}"), "removing", e)),
        }
    }

    fn sync(&self) -> Result<(), BlsError> {
        rustix::fs::syncfs(self.tree.fd()).map_err(|e| self.failed("", "syncing", e))
    }
}

impl Partition for Esp {
    fn read(&self) -> Result<Disk, BlsError> {
        let mut disk = Disk { path: self.path().to_owned(), ..Disk::default() };
        // systemd-bless-boot renames entries at the same time.
        for _ in 0..READS {
            (disk.entries, disk.other_names) = (Vec::new(), Vec::new());
            for name in self.names(ENTRIES)? {
                match self.entry(&name) {
                    Some(entry) => disk.entries.push(entry),
                    None => disk.other_names.push(name),
                }
            }
            if !disk.entries.iter().any(|file| file.entry.as_ref().is_err_and(|why| why == VANISHED)) {
                break;
            }
        }
        let files = self.names(&self.home)?.into_iter();
        disk.files = files
            .filter_map(|name| Some((name.clone(), self.size(&format!("{}/{name}", self.home))?)))
            .collect::<BTreeMap<_, _>>();
        let is_unified = |name: &String| name.to_ascii_lowercase().ends_with(".efi");
        disk.unified =
            self.names(UNIFIED)?.into_iter().find(is_unified).map(|name| format!("{UNIFIED}/{name}"));
        let text = self.tree.read_text(LOADER_CONF, MAX_ENTRY)?.unwrap_or_default();
        let value = |key: &str| {
            let values = text.lines().filter_map(|line| line.trim().strip_prefix(key));
            let mut values = values.filter(|rest| rest.starts_with([' ', '\t'])).map(str::trim);
            values.rfind(|value| !value.is_empty()).map(str::to_owned)
        };
        (disk.default_file, disk.preferred_file) = (value("default"), value("preferred"));
        Ok(disk)
    }

    fn create_entry(&self, file: &str, text: &str) -> Result<(), BlsError> {
        self.create(ENTRIES, file, io::Cursor::new(text.as_bytes()))
    }

    fn rename_entry(&self, from: &str, to: &str) -> Result<(), BlsError> {
        let directory = self.tree.directory(ENTRIES)?;
        let path = format!("{ENTRIES}/{from}");
        rustix::fs::renameat_with(&directory, from, &directory, to, RenameFlags::NOREPLACE)
            .and_then(|()| fsync(&directory))
            .map_err(|e| self.failed(&path, "renaming", e))?;
        self.sync()?;
        match self.size(&format!("{ENTRIES}/{to}")) {
            Some(_) => Ok(()),
            None => Err(BlsError::NotReadBack { path: self.path().join(ENTRIES).join(to) }),
        }
    }

    fn remove_entry(&self, file: &str) -> Result<(), BlsError> {
        self.remove(ENTRIES, file)
    }

    fn create_file(&self, name: &str, content: &BootFile) -> Result<(), BlsError> {
        let path = format!("{}/{name}", self.home);
        let source = content.source.as_ref().and_then(|file| file.try_clone().ok());
        let source = source.ok_or_else(|| self.failed(&path, "copying", Errno::BADF))?;
        self.create(&self.home, name, BufReader::new(source))
    }

    fn holds(&self, name: &str, content: &BootFile) -> Result<bool, BlsError> {
        let path = format!("{}/{name}", self.home);
        let Some(file) = self.tree.file(&path)? else { return Ok(false) };
        // One that cannot be read is damaged.
        let found = digest_reader(BufReader::new(file));
        Ok(found.is_ok_and(|found| found == (content.digest, content.size)))
    }

    fn remove_file(&self, name: &str) -> Result<(), BlsError> {
        self.remove(&self.home, name)
    }

    fn free(&self) -> Result<u64, BlsError> {
        let stat = rustix::fs::fstatvfs(self.tree.fd()).map_err(|e| self.failed("", "measuring", e))?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

/// Returns the path of systemd-boot on the partition in `tree`.
pub fn systemd_boot(tree: &Tree) -> Option<PathBuf> {
    const DIRECTORY: &str = "EFI/systemd";
    let fd = tree.directory(DIRECTORY).ok()?;
    let names = Dir::read_from(fd).ok()?.take(MAX_FILES).flatten();
    let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let is_loader = |name: &String| {
        let name = name.to_ascii_lowercase();
        name.starts_with("systemd-boot") && name.ends_with(".efi")
    };
    names.into_iter().find(is_loader).map(|name| Path::new(DIRECTORY).join(name))
}
