//! The order in which what boots next changes, and what becomes of a change that was interrupted.
//!
//! | boot loader | order |
//! |---|---|
//! | the default decides | stage, then the default: the one moment that counts |
//! | the loader decides | stage, note, select: the one moment that counts; then the default, which follows |
//!
//! The note says which snapshot is being made what boots next. With it, a loader and a default that
//! disagree can be told apart: a change that was interrupted, or another program's.

use super::error::BootError;
use super::loader::{Boots, Decides, EntryState, Standing};
use tiu_system::progress::Cancel;

/// The steps of the order, on a host or on paper.
pub(super) trait Steps {
    /// Returns what decides.
    fn decides(&self) -> Decides;
    /// Writes the entry of `to` where the loader ignores it.
    fn stage(&self, to: u32) -> Result<(), BootError>;
    /// Notes that `to` is being made what boots next. Lasts when it returns.
    fn note(&self, to: u32) -> Result<(), BootError>;
    /// Returns what was noted.
    fn noted(&self) -> Result<Option<u32>, BootError>;
    /// Removes the note.
    fn clear_note(&self) -> Result<(), BootError>;
    /// Makes the loader boot `to`. Lasts when it returns.
    fn select(&self, to: u32, standing: Standing) -> Result<(), BootError>;
    /// Returns what boots next.
    fn boots_next(&self) -> Result<Boots, BootError>;
    /// Returns the snapshot that is the default.
    fn default(&self) -> Result<Option<u32>, BootError>;
    /// Makes `to` the default. Lasts when it returns.
    fn set_default(&self, to: u32) -> Result<(), BootError>;
    /// Returns the state of the entry of `number`.
    fn entry(&self, number: u32) -> Result<EntryState, BootError>;
    /// Returns true if `number` is complete, but not yet noted as done.
    fn is_checked(&self, number: u32) -> Result<bool, BootError>;
    /// Returns true if `number` is running.
    fn runs(&self, number: u32) -> Result<bool, BootError>;
    /// Makes the host remember that `number` did not start in so many boots.
    fn note_failed(&self, number: u32, boots: u32) -> Result<(), BootError>;
    /// Removes what interrupted runs left.
    fn tidy(&self) -> Result<(), BootError>;
}

/// Makes `to` what boots next. A cancellation before the moment that counts changes nothing.
///
/// A crash before this returns leaves what booted before or `to`, and both boot.
pub(super) fn switch(
    steps: &impl Steps,
    to: u32,
    standing: Standing,
    cancel: &Cancel,
) -> Result<(), BootError> {
    steps.stage(to)?;
    cancel.check()?;
    if steps.decides() == Decides::Loader {
        steps.note(to)?;
        steps.select(to, standing)?;
        check(steps, to)?;
    }
    steps.set_default(to)?;
    if steps.decides() == Decides::Loader {
        steps.clear_note()?;
    }
    check(steps, to)
}

/// Fails unless snapshot `to` boots next.
pub(super) fn check(steps: &impl Steps, to: u32) -> Result<(), BootError> {
    match steps.boots_next()? {
        Boots::Snapshot { number } if number == to => Ok(()),
        found => Err(BootError::NotSelected { number: to, found: found.to_string() }),
    }
}

/// The disorder that had to be repaired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reconciled {
    /// Nothing.
    InOrder,
    /// A change was interrupted after the moment that counts; it is complete now.
    Completed {
        /// The snapshot that boots next.
        number: u32,
    },
    /// A snapshot did not start, and the boot loader went back. The default follows.
    WentBack {
        /// The snapshot that boots next.
        to: u32,
        /// The snapshot that did not start.
        failed: u32,
    },
    /// The default cannot boot. It is now the snapshot that the boot loader boots.
    Kept {
        /// The snapshot that boots next.
        to: u32,
        /// The snapshot that was the default.
        unbootable: u32,
    },
    /// Another program had made a snapshot the default. The boot loader boots it now.
    Adopted {
        /// The snapshot that boots next.
        number: u32,
    },
}

/// Brings the boot loader and the default into agreement.
pub(super) fn reconcile(steps: &impl Steps) -> Result<Reconciled, BootError> {
    if steps.decides() == Decides::Default {
        return Ok(Reconciled::InOrder);
    }
    let (noted, next, default) = (steps.noted()?, steps.boots_next()?, steps.default()?);
    let reconciled = match (next, default) {
        (Boots::Snapshot { number }, Some(default)) if number == default => Reconciled::InOrder,
        (Boots::Snapshot { number }, _) if noted == Some(number) || steps.is_checked(number)? => {
            steps.set_default(number)?;
            Reconciled::Completed { number }
        }
        // Its last attempt goes on: what says that it succeeded has not run yet.
        (_, Some(running))
            if matches!(steps.entry(running)?, EntryState::Exhausted(_)) && steps.runs(running)? =>
        {
            Reconciled::InOrder
        }
        (Boots::Snapshot { number: to }, Some(failed))
            if let EntryState::Exhausted(boots) = steps.entry(failed)? =>
        {
            // First: afterwards nothing shows that it failed.
            steps.note_failed(failed, boots)?;
            steps.set_default(to)?;
            Reconciled::WentBack { to, failed }
        }
        (next @ (Boots::Snapshot { .. } | Boots::Nothing), Some(number)) => {
            match (switch(steps, number, Standing::Kept, &Cancel::new()), next) {
                (Ok(()), _) => Reconciled::Adopted { number },
                // A host must not be stuck with a default that cannot boot.
                (Err(error), Boots::Snapshot { number: to }) if error.cannot_boot() => {
                    steps.set_default(to)?;
                    Reconciled::Kept { to, unbootable: number }
                }
                (Err(error), _) if error.cannot_boot() => Reconciled::InOrder,
                (Err(error), _) => return Err(error),
            }
        }
        // Another system on the same disk, or a default that is not a snapshot.
        _ => Reconciled::InOrder,
    };
    if noted.is_some() {
        steps.clear_note()?;
    }
    steps.tidy()?;
    Ok(reconciled)
}
