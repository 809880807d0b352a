//! The outcome of a change, which may have been unnecessary.
//!
//! "Already so" is an answer, not a failure: a timer that applies the newest image every night must
//! be able to tell the two apart. The programs end with exit code 77 for it.

use std::fmt;

/// The outcome of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Outcome<T> {
    /// The change was made.
    Done(T),
    /// The host is already as asked. Nothing was changed.
    NothingToDo(NothingToDo),
}

/// The reason why there was nothing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NothingToDo {
    /// The image already boots next.
    Installed {
        /// Kind of host that the image is for.
        compatible: String,
        /// Version of the image.
        version: String,
    },
    /// The snapshot already boots next.
    BootsNext(u32),
    /// The snapshot is already good.
    Good(u32),
    /// The snapshot is already pinned.
    Pinned(u32),
    /// The snapshot is not pinned.
    NotPinned(u32),
    /// A snapshot with another image boots next and does not run yet.
    RebootPending {
        /// Number of the snapshot.
        number: u32,
        /// Version of its image, if it has one.
        version: Option<String>,
    },
    /// The source has no image that is newer than the host's and meant for it.
    NothingNewer {
        /// The source.
        source: String,
    },
    /// The snapshot that runs is on trial: it has not yet proved that it works.
    OnTrial(u32),
    /// Media that are plugged in are ignored.
    MediaIgnored,
    /// Another program works on the host's snapshots.
    Busy(String),
}

impl fmt::Display for NothingToDo {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            NothingToDo::Installed { compatible, version } => {
                write!(f, "version {version} of {compatible} is already installed and boots next")
            }
            NothingToDo::BootsNext(number) => write!(f, "snapshot {number} already boots next"),
            NothingToDo::Good(number) => {
                write!(f, "snapshot {number} is not on trial, and its image is not noted as failed")
            }
            NothingToDo::Pinned(number) => write!(f, "snapshot {number} is already pinned"),
            NothingToDo::NotPinned(number) => write!(f, "snapshot {number} is not pinned"),
            NothingToDo::RebootPending { number, version } => {
                write!(f, "snapshot {number}")?;
                if let Some(version) = version {
                    write!(f, " (version {version})")?;
                }
                write!(f, " boots next and does not run yet: a reboot is pending")
            }
            NothingToDo::NothingNewer { source } => {
                write!(f, "{source} has no image that this host takes and does not have")
            }
            NothingToDo::OnTrial(number) => write!(f, "snapshot {number} runs and is still on trial"),
            NothingToDo::MediaIgnored => f.write_str("media are ignored on this host"),
            NothingToDo::Busy(why) => f.write_str(why),
        }
    }
}

impl NothingToDo {
    /// Returns what the administrator may want instead.
    pub fn hint(&self) -> String {
        match self {
            NothingToDo::Installed { .. } => "to apply it again: --force".into(),
            NothingToDo::BootsNext(_) => "reboot to start it, or name another one".into(),
            NothingToDo::Good(_) => "tiu status shows what is on trial".into(),
            NothingToDo::Pinned(number) => {
                format!("tiu pin --remove {number} returns it to snapper's clean-up")
            }
            NothingToDo::NotPinned(_) => "tiu list shows which snapshots are pinned".into(),
            NothingToDo::RebootPending { .. } => {
                "reboot; to replace what boots next before that: tiu apply BUNDLE".into()
            }
            NothingToDo::NothingNewer { .. } => "tiu update --check shows each bundle and why".into(),
            NothingToDo::OnTrial(_) => {
                "wait until the boot is complete: systemctl status boot-complete.target".into()
            }
            NothingToDo::MediaIgnored => "set usb in /etc/tiu/tiu.yaml to apply or announce".into(),
            NothingToDo::Busy(_) => "the next run of the timer tries again".into(),
        }
    }
}
