//! Signals that cancel a run.

use std::io;
use std::sync::OnceLock;
use tiu_system::progress::Cancel;

/// Set by the first SIGINT, SIGTERM or SIGHUP, for the rest of the process's life.
pub fn cancel_on_signals() -> io::Result<&'static Cancel> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    static CANCEL: OnceLock<Cancel> = OnceLock::new();
    let cancel = CANCEL.get_or_init(Cancel::new);
    let mut signals = signal_hook::iterator::Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    std::thread::spawn(move || {
        for _ in signals.forever() {
            cancel.cancel();
        }
    });
    Ok(cancel)
}
