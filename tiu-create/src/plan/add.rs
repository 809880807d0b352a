//! Adds entries that the tree does not have: persistent directories and generated files.

use super::error::PlanError;
use super::model::{ImagePlan, Item, ItemContent, PlanInput};
use crate::tree::{ScanError, SourceNode};
use tiu_bundle::index::{Kind, Mtime};
use tiu_bundle::selinux;
use tiu_system::path::TreePath;

impl ImagePlan {
    /// Adds a persistent directory unless it exists.
    pub(super) fn persistent(&mut self, path: &TreePath, input: &PlanInput) -> Result<(), PlanError> {
        match self.kind_at(path) {
            None | Some(Kind::Dir) => self.directories(path, path, input),
            Some(found) => Err(PlanError::NotPersistent { path: path.as_bytes().into(), found }),
        }
    }

    /// Adds a file of ours, with its directories. It takes the place of a file in the tree.
    pub(super) fn generate(
        &mut self,
        path: &TreePath,
        content: Vec<u8>,
        input: &PlanInput,
    ) -> Result<(), PlanError> {
        if let Some(i) = self.position(path) {
            let found = self.items.get(i).map_or(Kind::File, |item| item.node.kind);
            if found != Kind::File {
                return Err(PlanError::Taken { path: path.as_bytes().into(), found });
            }
            self.items.swap_remove(i);
        }
        if let Some(parent) = path.parent() {
            self.directories(parent, path, input)?;
        }
        let number = self.generated.len() as u32;
        self.add(path, Kind::File, 0o644, content.len() as u64, ItemContent::Generated(number), input)?;
        self.generated.push(content);
        Ok(())
    }

    /// Adds `directory` and those above it as far as they are missing.
    pub(super) fn directories(
        &mut self,
        directory: &TreePath,
        child: &TreePath,
        input: &PlanInput,
    ) -> Result<(), PlanError> {
        let above: Vec<&TreePath> = directory.ancestors().filter(|path| !path.is_root()).collect();
        for path in above.into_iter().rev() {
            match self.kind_at(path) {
                None => self.add(path, Kind::Dir, 0o755, 0, ItemContent::None, input)?,
                Some(Kind::Dir) => {}
                Some(found) => {
                    let (path, child) = (path.as_bytes().into(), child.as_bytes().into());
                    return Err(PlanError::NotADirectory { path, found, child });
                }
            }
        }
        Ok(())
    }

    /// Finds an entry while the plan is not ordered.
    fn position(&self, path: &TreePath) -> Option<usize> {
        self.items.iter().position(|item| self.path(item) == path.as_bytes())
    }

    /// Returns the kind of the entry at `path` while the plan is not ordered.
    fn kind_at(&self, path: &TreePath) -> Option<Kind> {
        self.position(path).and_then(|i| self.items.get(i)).map(|item| item.node.kind)
    }

    fn add(
        &mut self,
        path: &TreePath,
        kind: Kind,
        mode: u16,
        size: u64,
        content: ItemContent,
        input: &PlanInput,
    ) -> Result<(), PlanError> {
        let xattrs = self.inherited(path);
        let path = self.tree.names.add(path.as_bytes()).ok_or(ScanError::TooManyNames)?;
        let mtime = Mtime { sec: input.newest, nsec: 0 };
        let node = SourceNode {
            path,
            kind,
            mode,
            uid: 0,
            gid: 0,
            rdev: 0,
            size,
            mtime,
            xattrs,
            target: None,
            inode: None,
        };
        self.items.push(Item { node, content, nlink: 1, link_to: None });
        Ok(())
    }

    /// Returns the attributes of a new entry in the directory of `path`: the directory's label
    /// alone, as SELinux labels a new file.
    fn inherited(&mut self, path: &TreePath) -> u32 {
        let directory =
            path.parent().and_then(|parent| self.position(parent)).and_then(|i| self.items.get(i));
        match directory.and_then(|item| self.label(item)).map(<[u8]>::to_vec) {
            Some(label) => self.tree.xattrs.add(vec![(selinux::LABEL.into(), label)]),
            None => 0,
        }
    }
}
