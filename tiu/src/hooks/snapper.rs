//! The events of snapper (snapper-plugins(5)).
//!
//! snapper calls a plugin with an event, the subvolume, the filesystem, and numbers of snapshots.
//! Up to 0.10.4 an event has one name and comes after the deed, later ones have `-pre` and `-post`.
//! A plugin cannot stop the deed.

use crate::boot::{BootError, Next};
use crate::host::HostError;
use crate::snapshots::SnapshotError;
use std::path::Path;
use tiu_system::hints;
use tiu_system::program::{Run, RunError, SYSTEMCTL};

/// The directory that exists where systemd runs (sd_booted(3)).
const SYSTEMD: &str = "/run/systemd/system";
/// The unit that brings the boot loader and the default into agreement, after snapper is done.
const ADOPT: &str = "tiu-adopt.service";
/// Depth to which the callers of this process are asked for their arguments: a shell, then snapper.
const CALLERS: usize = 4;

/// An event, as far as tiu needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnapperEvent {
    /// These snapshots are about to be deleted.
    Deleting(Vec<u32>),
    /// The next boot may have changed, or snapshots are gone.
    Changed,
    /// Nothing that tiu needs to know.
    Other,
}

/// The reason why an event was not handled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum HookError {
    /// The caller left something out.
    #[error(
        "snapper-event {event}: found {found:?}, expected a subvolume, a filesystem and the number of a snapshot"
    )]
    Arguments { event: String, found: Vec<String> },
    #[error(transparent)]
    Host(#[from] HostError),
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    #[error(transparent)]
    Boot(#[from] BootError),
    #[error(transparent)]
    Run(#[from] RunError),
}

hints! { HookError {
    forward Host, Snapshot, Boot, Run;
    Arguments { .. } => "only snapper calls this, as snapper-plugins(5) says",
} }

impl SnapperEvent {
    /// Reads the arguments of a plugin. Events that are not known, and those of other subvolumes
    /// than the root, are [`Other`](Self::Other).
    pub fn parse(arguments: &[String]) -> Result<Self, HookError> {
        let Some((event, rest)) = arguments.split_first() else {
            return Err(HookError::Arguments { event: String::new(), found: Vec::new() });
        };
        let deleting = match event.as_str() {
            "delete-snapshot-pre" => true,
            "delete-snapshot"
            | "delete-snapshot-post"
            | "set-default-snapshot"
            | "set-default-snapshot-post"
            | "rollback"
            | "rollback-post" => false,
            _ => return Ok(SnapperEvent::Other),
        };
        let invalid = || HookError::Arguments { event: event.clone(), found: rest.to_vec() };
        let [subvolume, _filesystem, numbers @ ..] = rest else { return Err(invalid()) };
        let numbers: Option<Vec<u32>> = numbers.iter().map(|number| number.parse().ok()).collect();
        let numbers = numbers.filter(|numbers| !numbers.is_empty()).ok_or_else(invalid)?;
        Ok(match (subvolume.as_str(), deleting) {
            ("/", true) => SnapperEvent::Deleting(numbers),
            ("/", false) => SnapperEvent::Changed,
            _ => SnapperEvent::Other,
        })
    }
}

/// Handles an event on the running system. Returns the numbers of snapshots whose boot entries were
/// removed.
///
/// While another tiu works, nothing is done: it is that tiu's own snapper that calls, or that tiu
/// puts things in order at its end.
pub fn on_snapper_event(next: Next, event: &SnapperEvent) -> Result<Vec<u32>, HookError> {
    let host = next.host();
    if *event == SnapperEvent::Other || is_for_other_root() {
        return Ok(Vec::new());
    }
    let Some(_lock) = host.try_lock_inside()? else { return Ok(Vec::new()) };
    let mut forgotten = Vec::new();
    match event {
        SnapperEvent::Deleting(numbers) => {
            for number in numbers {
                let Some(snapshot) = host.subvolume_of(*number)? else { continue };
                // snapper refuses to delete these.
                if !snapshot.active && !snapshot.default {
                    next.forget(&snapshot)?;
                    forgotten.push(*number);
                }
            }
        }
        SnapperEvent::Changed if Path::new(SYSTEMD).is_dir() => {
            // Asks snapper, so it has to wait for its end.
            Run::new(&SYSTEMCTL).args(["--no-block", "start", ADOPT]).output()?;
        }
        SnapperEvent::Changed | SnapperEvent::Other => {}
    }
    Ok(forgotten)
}

/// Returns true if a snapper called this process that works on another root. It runs the plugins of
/// the running system, with the subvolume `/`, although it means another one.
fn is_for_other_root() -> bool {
    let mut process = rustix::process::getppid();
    for _ in 0..CALLERS {
        let Some(pid) = process.filter(|pid| !pid.is_init()) else { return false };
        let pid = pid.as_raw_nonzero();
        let Ok(arguments) = std::fs::read(format!("/proc/{pid}/cmdline")) else { return false };
        if has_root(&arguments) {
            return true;
        }
        process = parent(pid.get());
    }
    false
}

/// Returns true if `cmdline` (proc(5)) is a snapper's with another root.
fn has_root(cmdline: &[u8]) -> bool {
    let mut words = cmdline.split(|byte| *byte == 0);
    // A wrapper or a loader can stand in front.
    let is_snapper = |word: &[u8]| word == b"snapper" || word.ends_with(b"/snapper");
    words.any(is_snapper)
        && words.any(|word| word == b"--root" || word == b"-r" || word.starts_with(b"--root="))
}

fn parent(pid: i32) -> Option<rustix::process::Pid> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
    rustix::process::Pid::from_raw(line.trim().parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<SnapperEvent, HookError> {
        SnapperEvent::parse(&arguments.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn events_of_old_and_new_snappers() {
        let deleting = SnapperEvent::Deleting(vec![7]);
        for (event, expected) in [
            ("delete-snapshot-pre", deleting),
            ("delete-snapshot-post", SnapperEvent::Changed),
            ("delete-snapshot", SnapperEvent::Changed),
            ("set-default-snapshot", SnapperEvent::Changed),
            ("set-default-snapshot-post", SnapperEvent::Changed),
            ("set-default-snapshot-pre", SnapperEvent::Other),
            ("create-snapshot-post", SnapperEvent::Other),
            ("some-event-to-come", SnapperEvent::Other),
        ] {
            assert_eq!(parse(&[event, "/", "btrfs", "7"]).unwrap(), expected, "{event}");
            assert_eq!(parse(&[event, "/home", "btrfs", "7"]).unwrap(), SnapperEvent::Other, "{event}");
        }
        assert_eq!(parse(&["rollback-post", "/", "btrfs", "3", "7"]).unwrap(), SnapperEvent::Changed);
    }

    #[test]
    fn missing_arguments_are_an_error_that_shows_them() {
        for arguments in [
            &[][..],
            &["delete-snapshot-pre"],
            &["delete-snapshot-pre", "/", "btrfs"],
            &["delete-snapshot-pre", "/", "btrfs", "seven"],
            &["rollback-post", "/"],
        ] {
            assert!(matches!(parse(arguments), Err(HookError::Arguments { .. })), "{arguments:?}");
        }
    }

    #[test]
    fn a_snapper_for_another_root_is_recognized() {
        for other in [
            "snapper\0--no-dbus\0--root\0/mnt\0",
            "/usr/bin/snapper\0--root=/mnt\0",
            "ld.so\0/x/snapper\0-r\0/mnt\0",
        ] {
            assert!(has_root(other.as_bytes()), "{other}");
        }
        for own in ["snapper\0--no-dbus\0delete\x007\0", "rm\0--root\0x\0", "sh\0-c\0x\0", ""] {
            assert!(!has_root(own.as_bytes()), "{own}");
        }
    }
}
