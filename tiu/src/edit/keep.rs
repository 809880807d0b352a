//! Keeps the host's version of a conflict.

use super::error::EditError;
use super::view::View;
use crate::etc::{Decided, InodeFacts, same, settled};
use rustix::fs::Mode;
use rustix::io::Errno;
use tiu_system::path::{TreePath, TreePathBuf};
use tiu_system::tree::{Tree, TreeError};

/// Returns the conflicts at or below `paths`, each of which must have one.
pub fn conflicts_in<'a>(view: &'a View, paths: &[TreePathBuf]) -> Result<Vec<&'a Decided>, EditError> {
    let mut conflicts = view.conflicts()?;
    let within = |top: &TreePath, conflict: &Decided| conflict.path.starts_with(top);
    if let Some(path) = paths.iter().find(|path| !conflicts.iter().any(|c| within(path, c))) {
        return Err(EditError::NoConflict { path: path.clone(), number: view.number() });
    }
    conflicts.retain(|conflict| paths.iter().any(|path| within(path, conflict)));
    Ok(conflicts)
}

/// Notes that the host's versions of `paths`, or of all conflicts below them, stay. Returns their
/// paths.
pub fn keep(view: &View, paths: &[TreePathBuf]) -> Result<Vec<TreePathBuf>, EditError> {
    let mut kept = view.settled.kept.clone();
    let mut noted = Vec::new();
    for conflict in conflicts_in(view, paths)? {
        let path = &conflict.path;
        let image = view.image.get(path).map(InodeFacts::from);
        kept.insert(path.clone(), InodeFacts::fingerprint(image.as_ref()));
        noted.push(path.clone());
    }
    // A note is dropped where nothing differs any more, or where it was about another version of
    // the image's file.
    kept.retain(|path, fingerprint| {
        let image = view.image.get(path);
        let now = InodeFacts::fingerprint(image.map(InodeFacts::from).as_ref());
        !same(view.host.get(path), image) && *fingerprint == now
    });
    match rustix::fs::mkdirat(view.tree().directory("etc")?, "tiu", Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(e) => return Err(failed(view.tree(), "etc/tiu", e)),
    }
    view.tree().write_private(settled::KEPT_PATH, settled::text(&kept).as_bytes())?;
    rustix::fs::syncfs(view.tree().directory("etc")?).map_err(|e| failed(view.tree(), "etc", e))?;
    Ok(noted)
}

fn failed(tree: &Tree, path: &str, e: Errno) -> EditError {
    TreeError { path: tree.path().join(path), source: e.into() }.into()
}
