//! Reads one inode, and decides whether it needs a node.

use super::request::{ReadAttributes, Walk};
use crate::engine::error::EngineError;
use crate::engine::hash::{FilePlace, HashRequest, Reading};
use crate::engine::metadata::{self, MetadataWanted, Wrong};
use crate::engine::reach::Reach;
use crate::engine::settle::{self, LARGE, Settle};
use crate::engine::tree::{Listing, NONE, Node};
use crate::engine::unreadable::{Part, Unreadable};
use crate::engine::xattr::{self, XattrSet};
use std::ffi::CStr;
use std::os::fd::BorrowedFd;
use tiu_bundle::content_digest::Digest;
use tiu_bundle::index::{Entry, Kind};
use tiu_system::progress::Watch;

/// A name and the ways to it.
pub(super) struct Named<'a> {
    pub directory: BorrowedFd<'a>,
    pub name: &'a CStr,
    /// The path in the tree.
    pub path: &'a [u8],
}

/// The parts of an inode that were read besides its numbers.
#[derive(Default)]
pub(super) struct Inode {
    target: Vec<u8>,
    xattrs: Option<XattrSet>,
    digest: Option<Digest>,
    unreadable: Vec<Unreadable>,
}

impl Inode {
    /// Adds `node`, of which this was read, to `listing`.
    pub fn push(self, mut node: Node, name: &[u8], listing: &mut Listing) {
        let number = listing.nodes.len() as u32;
        node.name = listing.keep(name);
        if node.kind == Kind::Symlink {
            node.target = listing.keep(&self.target);
        }
        let xattrs = self.xattrs.filter(|xattrs| !xattrs.0.is_empty());
        listing.xattrs.extend(xattrs.map(|xattrs| (number, xattrs)));
        listing.digests.extend(self.digest.map(|digest| (number, digest)));
        listing.unreadable.extend(self.unreadable.into_iter().map(|unreadable| (number, unreadable)));
        listing.nodes.push(node);
    }
}

/// Reads what else is needed of `node`. Returns `None` if it is what the index says and needs no
/// node.
pub(super) fn read(
    walk: &Walk,
    node: &Node,
    named: &Named,
    reach: Reach,
    buf: &mut Vec<u8>,
) -> Result<Option<Inode>, EngineError> {
    let mut inode = Inode::default();
    let later = node.kind == Kind::File && walk.attributes == ReadAttributes::WithContent;
    if !later {
        match xattr::read(reach, walk.rules) {
            Ok(xattrs) => inode.xattrs = Some(xattrs),
            Err(e) => inode.unreadable.push(Unreadable::new(Part::Attributes, named.path, e)?),
        }
    }
    if node.kind == Kind::Symlink {
        match rustix::fs::readlinkat(named.directory, named.name, Vec::new()) {
            Ok(target) => inode.target = target.into_bytes(),
            Err(e) => inode.unreadable.push(Unreadable::new(Part::Target, named.path, e)?),
        }
    }
    let Some(entry) = candidate(walk, node, &inode) else { return Ok(Some(inode)) };
    let wanted = MetadataWanted::from_entry(&entry, walk.rules);
    if let Settle::ByContent(caching) = walk.settle
        && node.kind == Kind::File
    {
        let wrong = metadata::differences_of(node, None, &wanted);
        if (Wrong { xattrs: false, ..wrong }).any() || node.value >= LARGE {
            return Ok(Some(inode));
        }
        // Phases of a walk count names.
        let watch = Watch::without_progress(walk.watch.cancel());
        let reading = Reading { root: walk.root, caching, rules: walk.rules, watch };
        let place = FilePlace { directory: named.directory, name: named.name.to_bytes(), path: named.path };
        // The number is that of no node: there is none yet.
        let request = HashRequest { node: NONE, attributes: true };
        let found = reading.file(&request, &place, node.value, buf)?;
        (inode.digest, inode.xattrs) = (found.digest, found.xattrs);
        inode.unreadable.extend(found.unreadable);
        if inode.digest != entry.digest {
            return Ok(Some(inode));
        }
    }
    let wrong = metadata::differences_of(node, inode.xattrs.as_ref(), &wanted);
    Ok(if wrong.any() || !inode.unreadable.is_empty() { Some(inode) } else { None })
}

/// Returns the entry of `node`, if the node can be what it says.
fn candidate<'a>(walk: &Walk<'a>, node: &Node, inode: &Inode) -> Option<Entry<'a>> {
    if walk.settle == Settle::Never || node.entry == NONE || !inode.unreadable.is_empty() {
        return None;
    }
    let entry = walk.index?.entry(node.entry as usize);
    settle::is_candidate(node, &inode.target, &entry).then_some(entry)
}
