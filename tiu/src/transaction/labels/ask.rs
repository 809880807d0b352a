//! Asks the image's setfiles(8) which labels the policy of the new snapshot has for paths.
//!
//! It labels a copy of the paths with empty files, and never works on the files themselves.

use super::super::context::Context;
use super::super::error::ApplyError;
use crate::labels::Labeller;
use crate::namespace::InTarget;
use crate::namespace::Profile;
use rustix::fs::{CWD, FileType, Mode, mkdirat, mkfifoat, mknodat};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};
use tiu_bundle::places::STATE_DIR;
use tiu_bundle::selinux::{LABEL, label_type};
use tiu_system::path::{TreePath, TreePathBuf};
use tiu_system::program::RunError;
use tiu_system::tree::{Tree, TreeError};

/// The name of the copy in the client's own directory.
const NAME: &str = "labels";

/// Returns the label that the policy has for each of `paths`, as far as it has one.
pub(super) fn labels<'a>(
    context: &Context,
    tree: &Tree,
    by: &Labeller,
    paths: impl Iterator<Item = (&'a TreePathBuf, FileType)>,
) -> Result<BTreeMap<TreePathBuf, Vec<u8>>, ApplyError> {
    let copy = Copy::new(tree)?;
    let mut before = Vec::new();
    for (path, kind) in paths {
        copy.add(path, kind)?;
        // A kernel with SELinux labels what it makes.
        before.push((path.clone(), copy.tree.attribute(path, LABEL)?));
    }
    run(context, tree, by)?;
    let mut labels = BTreeMap::new();
    for (path, before) in before {
        let after = copy.tree.attribute(&path, LABEL)?.filter(|label| label_type(label).is_some());
        // What the policy has no label for still has the one of the copy's directory.
        let is_own = path.starts_with(STATE_DIR);
        if let Some(label) = after
            && (is_own || before.as_ref() != Some(&label))
        {
            labels.insert(path, label);
        }
    }
    copy.remove()?;
    Ok(labels)
}

/// Runs the image's setfiles on the copy.
fn run(context: &Context, tree: &Tree, by: &Labeller) -> Result<(), ApplyError> {
    let (copy, contexts) = (format!("/{STATE_DIR}/{NAME}"), format!("/{}", by.policy.contexts()));
    // -F: the whole label; -m: on every filesystem.
    let words = [&format!("/{}", by.setfiles), "-F", "-m", "-r", &copy, &contexts, &copy];
    let command = words.map(Into::into).to_vec();
    let run = InTarget { target: tree.path().to_owned(), profile: Profile::Setfiles, command };
    match run.run(context.watch.cancel()) {
        Ok(_) => Ok(()),
        Err(RunError::Cancelled(cancelled)) => Err(cancelled.into()),
        Err(source) => Err(ApplyError::Setfiles(source)),
    }
}

/// A copy of paths, with an empty inode of the same type at each.
struct Copy {
    tree: Tree,
    place: PathBuf,
}

impl Copy {
    fn new(tree: &Tree) -> Result<Self, TreeError> {
        let own = Tree::from_directory(tree.directory(STATE_DIR)?, &tree.path().join(STATE_DIR));
        let place = own.path().join(NAME);
        let failed = |source| TreeError { path: place.clone(), source };
        match fs::remove_dir_all(own.descriptor_path().join(NAME)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(failed(e)),
            _ => {}
        }
        mkdirat(own.fd(), NAME, Mode::RWXU).map_err(|e| failed(e.into()))?;
        Ok(Copy { tree: Tree::from_directory(own.directory(NAME)?, &place), place })
    }

    fn add(&self, path: &TreePath, kind: FileType) -> Result<(), TreeError> {
        let at = self.tree.descriptor_path().join(path.as_path());
        let make = || {
            directory(at.parent().unwrap_or(&at))?;
            match kind {
                FileType::Directory => directory(&at),
                FileType::Symlink => symlink("x", &at),
                FileType::Fifo => Ok(mkfifoat(CWD, &at, Mode::RUSR)?),
                FileType::Socket | FileType::BlockDevice | FileType::CharacterDevice => {
                    Ok(mknodat(CWD, &at, kind, Mode::RUSR, 0)?)
                }
                _ => fs::write(&at, ""),
            }
        };
        make().map_err(|source| TreeError { path: self.place.join(path.as_path()), source })
    }

    fn remove(self) -> Result<(), TreeError> {
        fs::remove_dir_all(&self.place).map_err(|source| TreeError { path: self.place, source })
    }
}

fn directory(at: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(at)
}
