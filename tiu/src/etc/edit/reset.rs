//! Back to the image's version, and: the host's version stays.
//!
//! A reset is what an update does, for some paths alone: the engine brings them to what the index says, with the copy of the image's
//! `/etc` as the image, and keeps all others.

use super::view::View;
use crate::accounts;
use crate::etc::pristine::{PRISTINE_PATH, index_of_etc};
use crate::etc::report::Decided;
use crate::etc::state::{InodeFacts, States, same};
use crate::etc::{ETC, EtcError, is_within, settled};
use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use tiu_bundle::index::Kind;
use tiu_extract::{Image, ImageError, Job, ReadBack, Rules, Shown, Summary};
use tiu_system::progress::{Cancel, Silent};
use tiu_system::tree::{Tree, TreeError};

/// A path in `/etc` that somebody asked for, without the leading slash.
pub fn asked(path: &str) -> Result<Vec<u8>, EtcError> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let fits = path.starts_with('/')
        && parts.first() == Some(&"etc")
        && !parts.iter().any(|part| matches!(*part, "." | ".."));
    match fits {
        true => Ok(parts.join("/").into_bytes()),
        false => Err(EtcError::NotEtc { found: path.to_owned() }),
    }
}

/// Brings `paths`, with all below them, back to the defaults. What the image does not have goes.
pub fn reset(view: &View, paths: &[Vec<u8>], cancel: &Cancel) -> Result<Summary, EtcError> {
    check_there(view, paths)?;
    let rules = Rules { keep: others(view, paths)?, host_paths: host_paths(view), ..view.rules.clone() };
    let target = view.tree.directory("etc")?;
    let index = index_of_etc(&view.index)?;
    let image = Pristine(view.tree.directory(PRISTINE_PATH)?);
    let seeds = [view.tree.path().join(PRISTINE_PATH)];
    let job = Job {
        index: &index,
        image: &image,
        target: target.as_fd(),
        seeds: &seeds,
        rules: &rules,
        progress: &Silent,
        cancel,
    };
    let plan = tiu_extract::plan(&job)?;
    let summary = tiu_extract::execute(&job, &plan)?;
    let what = ReadBack::Executed(&plan);
    let differences = tiu_extract::check(&index, target.as_fd(), &rules, what, &Silent, cancel)?;
    if !differences.is_empty() {
        return Err(EtcError::Differs(differences));
    }
    rustix::fs::syncfs(&target).map_err(|e| failed(&view.tree, "etc", e))?;
    Ok(summary)
}

/// Whether there is something to go back to, or from, at each of `paths`; an error if not.
pub fn check_there(view: &View, paths: &[Vec<u8>]) -> Result<(), EtcError> {
    let there = |states: &States, path: &[u8]| states.contains_key(path);
    if let Some(file) = paths.iter().find_map(|path| accounts::File::at(path)) {
        return Err(EtcError::Accounts { path: file.path() });
    }
    match paths.iter().find(|path| !there(&view.host, path) && !there(&view.image, path)) {
        Some(path) => Err(EtcError::NoSuchPath { path: Shown(path).to_string(), number: view.number }),
        None => Ok(()),
    }
}

/// Whether `path` goes back to the default where `asked` is asked for: accounts have none.
pub fn is_reset(path: &[u8], asked: &[Vec<u8>]) -> bool {
    accounts::File::at(path).is_none() && asked.iter().any(|top| is_within(path, top))
}

/// Everything that is not asked for stays, relative to `/etc`; but directories that are missing on the way come back.
fn others(view: &View, paths: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, EtcError> {
    let mut keep = Vec::new();
    for path in view.host.keys().chain(view.image.keys()) {
        if is_reset(path, paths) {
            continue;
        }
        let on_the_way = paths.iter().find(|asked| is_within(asked, path) && view.image.contains_key(*asked));
        match (on_the_way, view.host.get(path)) {
            (Some(_), None) => continue,
            (Some(asked), Some(host)) if host.kind != Kind::Dir => {
                return Err(EtcError::NoDirectory {
                    path: Shown(asked).to_string(),
                    above: Shown(path).to_string(),
                    found: host.kind,
                });
            }
            _ => keep.extend(inside(path)),
        }
    }
    keep.sort();
    keep.dedup();
    Ok(keep)
}

fn host_paths(view: &View) -> Vec<Vec<u8>> {
    view.rules.host_paths.iter().filter_map(|path| inside(path)).filter(|path| !path.is_empty()).collect()
}

/// A path relative to `/etc`, which is the empty one.
fn inside(path: &[u8]) -> Option<Vec<u8>> {
    let rest = path.strip_prefix(ETC)?;
    Some(rest.strip_prefix(b"/").unwrap_or(rest).to_vec())
}

/// The copy of the image's `/etc` as an image.
struct Pristine(OwnedFd);

impl Image for Pristine {
    fn open(&self, path: &[u8]) -> Result<Box<dyn Read + Send + '_>, ImageError> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match rustix::fs::openat2(&self.0, path, flags, Mode::empty(), resolve) {
            Ok(fd) => Ok(Box::new(File::from(fd))),
            Err(e) => {
                let path = Path::new(PRISTINE_PATH).join(OsStr::from_bytes(path));
                Err(ImageError::Read { path, source: e.into() })
            }
        }
    }

    fn position(&self, _: &[u8]) -> u64 {
        0
    }
}

/// Conflicts at or below `paths`, each of which must have one.
pub fn conflicts_in<'a>(view: &'a View, paths: &[Vec<u8>]) -> Result<Vec<&'a Decided>, EtcError> {
    let mut conflicts = view.conflicts();
    let within = |top: &[u8], conflict: &Decided| is_within(&conflict.raw_path(), top);
    if let Some(path) = paths.iter().find(|path| !conflicts.iter().any(|c| within(path, c))) {
        return Err(EtcError::NoConflict { path: Shown(path).to_string(), number: view.number });
    }
    conflicts.retain(|conflict| paths.iter().any(|path| within(path, conflict)));
    Ok(conflicts)
}

/// Notes that the host's versions of `paths`, or of all conflicts below them, stay.
pub fn keep(view: &View, paths: &[Vec<u8>]) -> Result<Vec<String>, EtcError> {
    let mut kept = view.settled.kept.clone();
    let mut noted = Vec::new();
    for conflict in conflicts_in(view, paths)? {
        let path = conflict.raw_path();
        let image = view.image.get(&path).map(InodeFacts::from);
        kept.insert(path, InodeFacts::fingerprint(image.as_ref()));
        noted.push(conflict.path.clone());
    }
    // What is no difference any more, or was said of another version of the image's, needs no note.
    kept.retain(|path, fingerprint| {
        let image = view.image.get(path);
        let now = InodeFacts::fingerprint(image.map(InodeFacts::from).as_ref());
        !same(view.host.get(path), image) && *fingerprint == now
    });
    match rustix::fs::mkdirat(view.tree.directory("etc")?, "tiu", Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(e) => return Err(failed(&view.tree, "etc/tiu", e)),
    }
    view.tree.write(settled::KEPT_PATH, settled::text(&kept).as_bytes())?;
    rustix::fs::syncfs(view.tree.directory("etc")?).map_err(|e| failed(&view.tree, "etc", e))?;
    Ok(noted)
}

fn failed(tree: &Tree, path: &str, e: Errno) -> EtcError {
    TreeError { path: tree.path().join(path), source: e.into() }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_absolute_paths_in_etc_are_taken() {
        assert_eq!(asked("/etc//a/").unwrap(), b"etc/a");
        assert_eq!(asked("/etc").unwrap(), b"etc");
        for path in ["etc/a", "/usr/a", "/etc/../usr", "/etcetera", "", "/"] {
            assert!(matches!(asked(path), Err(EtcError::NotEtc { .. })), "{path}");
        }
    }
}
