//! Signals that cancel a run.

use crate::CliError;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use std::sync::OnceLock;
use tiu_system::progress::Cancel;

/// The effect of a second signal, while the work that the first one cancelled still ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecondSignal {
    /// It ends the program as it does by default. For work that leaves nothing half done wherever
    /// it stops.
    Ends,
    /// It does nothing. For work that must first undo what it began: a program that ended at once
    /// would leave an unfinished snapshot, and snapper or dracut at work in it. How long that can
    /// take is bounded by the limits that external programs have. Only SIGKILL ends it earlier.
    Waits,
}

/// Returns a request that the first SIGINT, SIGTERM or SIGHUP sets, for the rest of the process's
/// life.
///
/// The first call decides on the second signal.
pub fn cancel_on_signals(second: SecondSignal) -> Result<&'static Cancel, CliError> {
    static CANCEL: OnceLock<Cancel> = OnceLock::new();
    if let Some(cancel) = CANCEL.get() {
        return Ok(cancel);
    }
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM]).map_err(CliError::Signals)?;
    let cancel = CANCEL.get_or_init(Cancel::new);
    std::thread::spawn(move || {
        for signal in signals.forever() {
            if cancel.is_cancelled() && second == SecondSignal::Ends {
                let _ = emulate_default_handler(signal);
            }
            cancel.cancel();
        }
    });
    Ok(cancel)
}
