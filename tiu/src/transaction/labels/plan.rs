//! The facts that decide about labels, before anything is touched.

use super::super::error::ApplyError;
use crate::etc::{EtcReport, Side};
use crate::host::{Host, Paper};
use crate::incoming::IncomingImage;
use crate::labels::{LabelFacts, Labelling, SETFILES, Unlabelable, decide};
use std::path::Path;
use tiu_bundle::index::Index;
use tiu_bundle::selinux::{self, CONFIG_PATH, SelinuxPolicy, Unlabelled};
use tiu_system::path::TreePath;
use tiu_system::tree::{MAX_TEXT, Node, NodeLookup, Tree, resolve};

/// A file that exists while SELinux is in use.
const ENFORCE: &str = "/sys/fs/selinux/enforce";

/// Decides about labels. `base` is the tree that the update starts from, `report` what becomes of
/// `/etc`.
pub(in super::super) fn plan(
    host: &Host,
    base: &Tree,
    incoming: IncomingImage,
    report: &EtcReport,
) -> Result<Result<Labelling, Unlabelable>, ApplyError> {
    let paper = Paper(incoming.index);
    let stays = |path: &str| is_of_host(report, &paper, path);
    let text = |path: &str| {
        if stays(path) {
            Ok(base.read_text(path, MAX_TEXT)?.unwrap_or_default())
        } else {
            Ok::<_, ApplyError>(incoming.text(&[TreePath::new(path).unwrap_or_default()])?)
        }
    };
    let has = |path: &str| {
        let path_in_tree = TreePath::new(path).unwrap_or_default();
        let found = if stays(path) { resolve(base, path_in_tree) } else { resolve(&paper, path_in_tree) };
        matches!(found, Some((_, Node::File { .. })))
    };
    let policy = SelinuxPolicy::from_config(&text(CONFIG_PATH)?);
    let setfiles = SETFILES.into_iter().find(|path| {
        matches!(resolve(&paper, TreePath::literal(path)), Some((_, Node::File { executable: true, .. })))
    });
    let contexts = policy.as_ref().is_some_and(|policy| has(&policy.contexts()));
    // Without a policy, nobody asks for labels, and the index need not be read.
    let unlabelled = if contexts { unlabelled(incoming.index) } else { None };
    Ok(decide(LabelFacts { host: uses_selinux(host, base), policy, contexts, setfiles, unlabelled }))
}

fn unlabelled(index: &Index) -> Option<Unlabelled> {
    let inodes = index.iter().filter(|entry| entry.link.is_none());
    selinux::unlabelled(inodes.map(|entry| {
        let labelled = selinux::label_of(&entry).is_some();
        (entry.path, labelled)
    }))
}

/// Returns whether the host uses SELinux: by its kernel if it is the running system, else by its
/// files. Returns `None` if they cannot be read.
fn uses_selinux(host: &Host, base: &Tree) -> Option<bool> {
    if host.is_live() {
        return Some(Path::new(ENFORCE).exists());
    }
    let config = base.read_text(CONFIG_PATH, MAX_TEXT).ok()?.unwrap_or_default();
    let Some(policy) = SelinuxPolicy::from_config(&config) else { return Some(false) };
    let contexts = policy.contexts();
    Some(matches!(resolve(base, TreePath::new(&contexts).ok()?), Some((_, Node::File { .. }))))
}

/// Returns whether the new snapshot has the host's version of a file of `/etc`.
fn is_of_host(report: &EtcReport, image: &Paper, path: &str) -> bool {
    let path = TreePath::new(path).unwrap_or_default();
    match report.decided(path) {
        Some(decided) => decided.side == Side::Host,
        // Both are the same, or neither has it.
        None => matches!(image.node(path), Ok(None)),
    }
}
