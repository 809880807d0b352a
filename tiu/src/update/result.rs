//! The result of the last unattended update, in a file that monitoring reads.
//!
//! It lies in `/var`, which no rollback changes, and everybody can read it. It is a report: nothing
//! is decided by it.

use super::error::UpdateError;
use crate::host::{Host, HostError};
use crate::status::{ImageFacts, SignerFacts};
use rustix::fs::{AtFlags, Mode, chmodat, mkdirat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use tiu_system::tree::{MAX_TEXT, Tree};

/// The file, below the host's root.
pub const LAST_RESULT: &str = "var/lib/tiu/update.json";
/// Version of the document.
const VERSION: u32 = 1;

/// The kind of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UpdateResult {
    /// An image was applied; it boots next.
    Updated,
    /// There was nothing to do.
    NothingToDo,
    /// It failed. Nothing has changed.
    Failed,
    /// It was cancelled. Nothing has changed.
    Cancelled,
}

/// The result of a run, as `tiu update --json` prints it and as the file has it.
#[derive(Clone, Debug, Serialize)]
pub struct LastResult {
    /// The kind.
    pub result: UpdateResult,
    /// Exit code of the run.
    pub code: u8,
    /// The time at which the run ended, RFC 3339, UTC.
    pub time: String,
    /// The duration in seconds.
    pub seconds: f64,
    /// The source, if it is known.
    pub source: Option<String>,
    /// The result in words.
    pub message: String,
    /// The advice, if there is any.
    pub hint: Option<String>,
    /// The bundle that was applied.
    pub bundle: Option<String>,
    /// The image that was applied, or that a verified bundle held.
    pub image: Option<ImageFacts>,
    /// Its signer.
    pub signer: Option<SignerFacts>,
    /// The new snapshot.
    pub snapshot: Option<u32>,
    /// The last run that applied an image, perhaps this one.
    pub last_update: Option<LastUpdate>,
}

/// A run that applied an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastUpdate {
    /// The time at which it ended, RFC 3339, UTC.
    pub time: String,
    /// Version of the image.
    pub version: String,
    /// The snapshot that it made.
    pub snapshot: u32,
}

/// The parts of the file that tiu reads again.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct LastRun {
    /// The kind of the result.
    pub result: UpdateResult,
    /// The time at which the run ended, RFC 3339, UTC.
    pub time: String,
    /// The last run that applied an image.
    pub last_update: Option<LastUpdate>,
}

impl LastRun {
    /// Reads the file of the host. What cannot be read counts as absent.
    pub fn read(host: &Host) -> Option<Self> {
        let bytes = Tree::open(host.root()).ok()?.read(LAST_RESULT, MAX_TEXT).ok()??;
        serde_json::from_slice(&bytes).ok()
    }
}

impl LastResult {
    /// Writes the file of the host. After a crash it is the old one or the new one.
    pub fn write(&self, host: &Host) -> Result<(), UpdateError> {
        #[derive(Serialize)]
        struct Versioned<'a> {
            version: u32,
            #[serde(flatten)]
            result: &'a LastResult,
        }
        let path = host.root().join(LAST_RESULT);
        let failed = |source: std::io::Error| HostError::Io { path: path.clone(), source };
        let document = Versioned { version: VERSION, result: self };
        let mut text = serde_json::to_vec_pretty(&document).map_err(|e| failed(e.into()))?;
        text.push(b'\n');
        let tree = Tree::open(host.root())?;
        let mode = Mode::from_raw_mode(0o755);
        for (parent, name) in [("var", "lib"), ("var/lib", "tiu")] {
            let parent = tree.directory(parent)?;
            match mkdirat(&parent, name, mode) {
                // Regardless of the umask.
                Ok(()) => {
                    chmodat(&parent, name, mode, AtFlags::empty()).map_err(|e| failed(e.into()))?;
                }
                Err(Errno::EXIST) => {}
                Err(e) => return Err(failed(e.into()).into()),
            }
        }
        Ok(tree.write(LAST_RESULT, &text[..])?)
    }
}
