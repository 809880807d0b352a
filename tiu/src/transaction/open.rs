//! Opens the bundle: everything that is read before the host is examined.
//!
//! A bundle can be on a medium that hangs: a failing USB stick, a server that is gone. A thread of
//! its own reads it, so that a signal ends the run at once, and the host's lock is not held
//! meanwhile.

use super::context::{Context, Request};
use super::error::ApplyError;
use super::stage::Stage;
use crate::state::Provenance;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;
use tiu_bundle::bundle::Bundle;
use tiu_bundle::index::Index;
use tiu_extract::{Image, ImageError, Verity};
use tiu_source::open_bundle;
use tiu_system::progress::{Cancelled, Watch};

/// The time between two looks at whether the run was cancelled.
const TICK: Duration = Duration::from_millis(50);

/// A bundle's content.
pub struct OpenedImage {
    /// The image.
    pub image: Box<dyn Image>,
    /// Its index.
    pub index: Index,
}

/// Opens and verifies the bundle. The caller does not hold the host's lock.
pub(super) fn bundle(context: &Context, request: &Request) -> Result<Arc<Bundle>, ApplyError> {
    let (trust, known) = (context.trust.clone(), request.known.clone());
    let (location, network) = (request.bundle.clone(), request.network.clone());
    let open = move || open_bundle(&location, &network, &trust, &mut |signer| known.note_signer(signer));
    let bundle = context.stage(Stage::Verify, None, None, || match in_thread(context.watch, open) {
        Ok(opened) => opened.map_err(ApplyError::from),
        Err(cancelled) => Err(cancelled.into()),
    })?;
    request.known.note_image(&bundle.manifest);
    Ok(Arc::new(bundle))
}

/// Opens the image and reads its index.
pub(super) fn content(
    context: &Context,
    request: &Request,
    bundle: &Arc<Bundle>,
) -> Result<OpenedImage, ApplyError> {
    let (bundle, verity) = (bundle.clone(), request.verity);
    Ok(in_thread(context.watch, move || read(bundle, verity))??)
}

fn read(bundle: Arc<Bundle>, verity: Verity) -> Result<OpenedImage, ImageError> {
    let image = tiu_extract::open_image(bundle.clone(), verity)?;
    let index = tiu_extract::read_index(&bundle, &*image)?;
    Ok(OpenedImage { image, index })
}

/// Returns whether the running system seems to have this image. A timer that applies the newest
/// image every night has nothing to do then, and its content need not be read.
pub(super) fn seems_installed(context: &Context, bundle: &Bundle) -> bool {
    let running = Provenance::unverified(context.host().root());
    running.is_some_and(|running| running.verity_hash == bundle.manifest.verity_hash)
}

/// Runs `work` in a thread and returns its result, or at once that the run was cancelled. The
/// thread then ends with the process.
pub fn in_thread<T: Send + 'static>(
    watch: Watch,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Cancelled> {
    let (sender, receiver) = sync_channel(1);
    let thread = std::thread::spawn(move || {
        let _ = sender.send(work());
    });
    loop {
        match receiver.recv_timeout(TICK) {
            Ok(result) => return Ok(result),
            Err(RecvTimeoutError::Timeout) => watch.check()?,
            Err(RecvTimeoutError::Disconnected) => {
                // It panicked, so this thread does, too.
                let panic = thread.join().err();
                std::panic::resume_unwind(panic.unwrap_or_else(|| Box::new("the thread has no result")));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiu_system::progress::{Cancel, Silent};

    #[test]
    fn work_that_hangs_can_be_cancelled() {
        let cancel = Cancel::new();
        let watch = Watch::new(&Silent, &cancel);
        assert_eq!(in_thread(watch, || 7).unwrap(), 7);
        let (hold, held) = sync_channel::<()>(0);
        cancel.cancel();
        assert!(in_thread(watch, move || held.recv()).is_err());
        drop(hold);
    }

    #[test]
    #[should_panic = "broken"]
    fn a_panic_is_not_lost() {
        let _ = in_thread(Watch::silent(), || panic!("broken"));
    }
}
