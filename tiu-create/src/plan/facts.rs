//! Facts about a plan: defaults of `/var`, labels, and entries below mount points.

use super::model::{ImagePlan, Item, LeftOut};
use crate::factory;
use std::collections::BTreeMap;
use tiu_bundle::index::Kind;
use tiu_bundle::places::FACTORY_VAR;
use tiu_bundle::selinux::{self, Unlabelled};
use tiu_system::path::TreePath;

impl ImagePlan {
    /// Returns the entries below [`FACTORY_VAR`] in an ordered plan.
    pub(super) fn factory_entries(&self) -> impl Iterator<Item = factory::VarDefault<'_>> {
        let prefix = [FACTORY_VAR.as_bytes(), b"/"].concat();
        let start = self.items.partition_point(|item| self.path(item) < prefix.as_slice());
        self.items.get(start..).unwrap_or_default().iter().map_while(move |item| {
            let path = self.path(item).strip_prefix(prefix.as_slice())?;
            Some(factory::VarDefault {
                path,
                kind: item.node.kind,
                mode: item.node.mode,
                uid: item.node.uid,
                gid: item.node.gid,
                target: item.node.target.map(|target| self.tree.names.get(target)),
                xattrs: self.tree.xattrs.get(item.node.xattrs),
                linked: item.nlink > 1,
            })
        })
    }

    /// Returns the entries that need a label and have none.
    pub(super) fn count_unlabelled(&self) -> Option<Unlabelled> {
        let inodes = self.items.iter().filter(|item| item.link_to.is_none());
        let entries = inodes.filter_map(|item| {
            // The index refuses other paths.
            Some((TreePath::new(self.path(item)).ok()?, self.label(item).is_some()))
        });
        selinux::unlabelled(entries)
    }

    /// Returns the SELinux label of an entry.
    pub(super) fn label(&self, item: &Item) -> Option<&[u8]> {
        let xattrs = self.tree.xattrs.get(item.node.xattrs);
        selinux::label(xattrs.iter().map(|(name, value)| (&name[..], &value[..])))
    }

    /// Returns what is not a directory below each of `directories`. Of two that hold it, the outer
    /// one counts.
    pub(super) fn below(&self, directories: &[Vec<u8>]) -> BTreeMap<Vec<u8>, LeftOut> {
        let mut sorted = directories.to_vec();
        sorted.sort();
        let mut all: BTreeMap<Vec<u8>, LeftOut> = BTreeMap::new();
        for item in self.items.iter().filter(|item| item.node.kind != Kind::Dir) {
            let path = self.path(item);
            let holds =
                |dir: &&Vec<u8>| path.strip_prefix(dir.as_slice()).is_some_and(|rest| rest.starts_with(b"/"));
            if let Some(directory) = sorted.iter().find(holds) {
                all.entry(directory.clone()).or_default().add(path, item.node.size);
            }
        }
        all
    }
}
