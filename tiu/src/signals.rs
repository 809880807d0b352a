//! SIGINT, SIGTERM and SIGHUP ask the work to stop and undo what it began, once; a second one changes nothing.

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io;
use std::sync::Arc;
use tiu_bundle::progress::Cancel;

/// A [`Cancel`] that is set when one of the signals arrives, for the rest of the process's life.
pub fn cancel_on_signals() -> io::Result<Arc<Cancel>> {
    let cancel = Arc::new(Cancel::new());
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    let set = cancel.clone();
    std::thread::spawn(move || {
        for _ in signals.forever() {
            set.cancel();
        }
    });
    Ok(cancel)
}
