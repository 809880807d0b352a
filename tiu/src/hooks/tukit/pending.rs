//! The file that says what the plugin is to do. `tiu update --tukit` holds a lock on it: a file that
//! nobody holds was left by a run that is gone, and counts as absent.

use super::error::TukitError;
use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use tiu_system::versioned;

/// tiu's directory of the running system; only root can write there.
const DIRECTORY: &str = "/run/tiu";
/// The file.
const FILE: &str = "/run/tiu/tukit.json";
/// The file that is locked. It is never replaced.
const LOCK: &str = "/run/tiu/tukit.lock";
/// Version of the format.
const VERSION: u32 = 1;
/// Most bytes of the file that are read.
const MAX_SIZE: u64 = 64 << 10;

/// The progress of the plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Nothing was done.
    Pending,
    /// The snapshot was filled.
    Filled {
        /// Its number.
        number: u32,
    },
    /// The filled snapshot was checked.
    Checked {
        /// Its number.
        number: u32,
    },
    /// The plugin failed, for this reason.
    Failed {
        /// The reason.
        reason: String,
    },
}

/// The content of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    version: u32,
    /// The bundle.
    pub bundle: PathBuf,
    /// Root hash of its image.
    pub root_hash: String,
    /// Trusted certificates of the command line, instead of the configured ones.
    pub keyring: Vec<PathBuf>,
    /// The progress.
    pub stage: Stage,
}

/// The lock of `tiu update --tukit`. The file goes with it.
#[derive(Debug)]
pub struct PendingLock {
    _file: OwnedFd,
}

fn failed(path: &str) -> impl FnOnce(io::Error) -> TukitError {
    let path = PathBuf::from(path);
    move |source| TukitError::Io { path, source }
}

fn lock_file() -> Result<OwnedFd, TukitError> {
    let flags = OFlags::RDONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(LOCK, flags, Mode::RUSR | Mode::WUSR).map_err(|e| failed(LOCK)(e.into()))
}

impl Pending {
    /// Returns a file for a bundle, whose root hash is known.
    pub fn new(bundle: PathBuf, root_hash: String, keyring: Vec<PathBuf>) -> Self {
        Pending { version: VERSION, bundle, root_hash, keyring, stage: Stage::Pending }
    }

    /// Writes the file for the first time, and locks it. Fails if another run holds it.
    pub fn begin(&self) -> Result<PendingLock, TukitError> {
        std::fs::create_dir_all(DIRECTORY).map_err(failed(DIRECTORY))?;
        let file = lock_file()?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(TukitError::Busy),
            Err(e) => return Err(failed(LOCK)(e.into())),
        }
        self.write()?;
        Ok(PendingLock { _file: file })
    }

    /// Reads the file, if a run holds it. One that nobody holds is removed.
    pub fn read() -> Result<Option<Self>, TukitError> {
        if !Path::new(FILE).exists() {
            return Ok(None);
        }
        let lock = lock_file()?;
        match flock(&lock, FlockOperation::NonBlockingLockShared) {
            Err(Errno::WOULDBLOCK) => Self::content().map(Some),
            Ok(()) => {
                let _ = std::fs::remove_file(FILE);
                Ok(None)
            }
            Err(e) => Err(failed(LOCK)(e.into())),
        }
    }

    /// Reads the file that this process, or its caller, holds.
    pub fn content() -> Result<Self, TukitError> {
        let mut bytes = Vec::new();
        let file = File::open(FILE).map_err(failed(FILE))?;
        file.take(MAX_SIZE).read_to_end(&mut bytes).map_err(failed(FILE))?;
        let damaged = |e: String| failed(FILE)(io::Error::new(io::ErrorKind::InvalidData, e));
        versioned::from_json(&bytes, VERSION).map_err(|e| damaged(e.to_string()))
    }

    /// Writes the file. After a crash it is the old one or the new one.
    pub fn write(&self) -> Result<(), TukitError> {
        let new = format!("{FILE}.new");
        let write = || -> io::Result<()> {
            let _ = std::fs::remove_file(&new);
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let mut file = File::from(rustix::fs::open(&new, flags, Mode::RUSR | Mode::WUSR)?);
            file.write_all(&serde_json::to_vec_pretty(self)?)?;
            std::fs::rename(&new, FILE)
        };
        write().map_err(failed(FILE))
    }

    /// Writes another stage.
    pub fn at(&mut self, stage: Stage) -> Result<(), TukitError> {
        self.stage = stage;
        self.write()
    }
}

impl Drop for PendingLock {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(FILE);
    }
}
