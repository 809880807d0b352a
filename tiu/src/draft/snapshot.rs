//! The draft itself.
//!
//! The order of a commit is what makes it safe. The snapshot is complete, read-only (where its base
//! is) and marked as checked, and all of that is on the disk, before it becomes the default. The
//! default is one item of btrfs' root tree: after a power cut it is the old one or the new one.
//!
//! The mark counts as unfinished as long as the snapshot is not the default: a run that is
//! interrupted right before the switch leaves a draft, which the next run removes. From the switch
//! on it counts as done: a run that is interrupted right after the switch has done its work.

use super::error::{DraftError, LeftBehind};
use crate::boot::{Next, Standing};
use crate::snapshots::{CHECKED, COMPATIBLE_KEY, STATE_KEY, Snapshot, Start, VERSION_KEY, create};
use tiu_system::progress::Cancel;
use tiu_system::tree::Tree;

/// The part of a snapshot's userdata that names its image, for people who read snapper's table.
#[derive(Clone, Debug, Default)]
pub struct ImageName {
    /// Version of the image.
    pub version: String,
    /// Kind of host that it is for.
    pub compatible: String,
}

/// An unfinished snapshot. The caller holds the host's lock as long as it exists.
#[must_use = "a draft is committed or abandoned"]
pub struct Draft<'a> {
    next: Next<'a>,
    base: Snapshot,
    snapshot: Snapshot,
    image: ImageName,
    tree: Tree,
    own: bool,
}

impl<'a> Draft<'a> {
    /// Makes a read-write snapshot of `base` that will hold `image`.
    ///
    /// A crash leaves nothing, or a snapshot that [`clean_up`](super::clean_up) removes.
    pub fn open(
        next: Next<'a>,
        base: &Snapshot,
        description: &str,
        image: ImageName,
        start: Start,
    ) -> Result<Self, DraftError> {
        let host = next.host();
        let number = create::create(host, base, description, &image.version)?;
        let complete = || -> Result<_, DraftError> {
            Ok((create::complete(host, base, number, start)?, Tree::open(&host.snapshot_path(number))?))
        };
        match complete() {
            Ok((snapshot, tree)) => Ok(Draft { next, base: base.clone(), snapshot, image, tree, own: true }),
            Err(error) => {
                // The cause matters. What stays is marked, so the next run finds it.
                let _ = next.delete(number);
                Err(error)
            }
        }
    }

    /// Returns a draft of a snapshot that another program made from `base` and will commit or remove.
    pub fn of_other(
        next: Next<'a>,
        base: &Snapshot,
        snapshot: Snapshot,
        image: ImageName,
    ) -> Result<Self, DraftError> {
        let tree = Tree::open(&next.host().snapshot_path(snapshot.number))?;
        Ok(Draft { next, base: base.clone(), snapshot, image, tree, own: false })
    }

    /// Returns true if tiu made the snapshot: it equals its base until something is written.
    pub fn is_own(&self) -> bool {
        self.own
    }

    /// Returns the id of the snapshot's subvolume.
    pub fn subvolume(&self) -> u64 {
        self.snapshot.id
    }

    /// Returns the snapshot's number.
    pub fn number(&self) -> u32 {
        self.snapshot.number
    }

    /// Returns the snapshot's tree.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Makes the draft what boots next, and returns its number. Where that fails, the draft is
    /// abandoned.
    ///
    /// A crash leaves a draft and the old default, or the new default.
    pub fn commit<E>(self, cancel: &Cancel) -> Result<u32, E>
    where
        E: From<DraftError> + From<LeftBehind<E>>,
    {
        match self.switch(cancel) {
            Ok(()) => {
                // Whatever happens now, the new snapshot boots, and so counts as done. The next run
                // marks it where this fails.
                let _ = self.next.host().set_done(&self.snapshot);
                Ok(self.number())
            }
            Err(error) => Err(self.abandon(error.into())),
        }
    }

    fn switch(&self, cancel: &Cancel) -> Result<(), DraftError> {
        let host = self.next.host();
        if self.base.read_only {
            host.set_read_only(self.number(), true)?;
        }
        let ImageName { version, compatible } = &self.image;
        let userdata = [(STATE_KEY, CHECKED), (VERSION_KEY, version), (COMPATIBLE_KEY, compatible)];
        host.set_userdata(self.number(), &userdata)?;
        // From memory to the disk: content, metadata, the mark. Without it, a power cut after the
        // switch leaves empty files.
        host.sync().map_err(DraftError::Sync)?;
        Ok(self.next.switch(&self.snapshot, Standing::Trial, cancel)?)
    }

    /// Removes the draft because of `error`, and returns that: alone, or with why the draft could
    /// not be removed.
    pub fn abandon<E: From<LeftBehind<E>>>(self, error: E) -> E {
        match self.next.undo(&self.base, self.number()) {
            Ok(()) => error,
            Err(cleanup) => LeftBehind { error: Box::new(error), number: self.number(), cleanup }.into(),
        }
    }
}
