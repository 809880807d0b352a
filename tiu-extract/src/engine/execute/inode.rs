//! Steps that need no content: directories, symlinks, devices, further names, removal, metadata.

use super::temporary::{Temporary, open_path};
use super::worker::Worker;
use crate::engine::beneath::{self, ProcPath};
use crate::engine::error::{EngineError, HARD_LINK, RENAME};
use crate::engine::join::EntryPlace;
use crate::engine::metadata::{self, MetadataWanted, Wrong};
use crate::engine::parents::Parent;
use crate::engine::plan::{Link, MakeDir};
use crate::engine::reach::Reach;
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::ffi::CStr;
use std::os::fd::AsFd;
use tiu_bundle::index::{Kind, Mtime};

impl Worker<'_> {
    /// Makes a directory. Only its owner can enter it until its metadata is set, in the last list
    /// of steps.
    pub fn make_dir(&mut self, dir: &MakeDir) -> Result<(), EngineError> {
        let entry = self.context.job.index.entry(dir.entry as usize);
        let (parent, name) = self.parents.open(entry.path.as_bytes())?;
        if let Some((_, is_dir)) = dir.instead_of {
            let flags = if is_dir { AtFlags::REMOVEDIR } else { AtFlags::empty() };
            rustix::fs::unlinkat(parent.fd(), &name, flags)
                .map_err(|e| EngineError::io("remove", entry.path.as_bytes(), e))?;
        }
        rustix::fs::mkdirat(parent.fd(), &name, Mode::RWXU)
            .map_err(|e| EngineError::io("make the directory", entry.path.as_bytes(), e))?;
        self.sum.made += 1;
        Ok(())
    }

    /// Makes a symlink, device, fifo or socket, replacing an existing inode.
    pub fn make_special(&mut self, i: u32) -> Result<(), EngineError> {
        let context = self.context;
        let entry = context.job.index.entry(i as usize);
        let inode = context.job.index.inode_of(&entry);
        let path: &[u8] = entry.path.as_bytes();
        let (parent, name) = self.parents.open(path)?;
        let made_as = context.made_as(i, &name);
        let made = match inode.kind {
            Kind::Symlink => {
                let target = inode.target.as_deref().unwrap_or_default();
                rustix::fs::symlinkat(target, parent.fd(), &made_as)
            }
            kind => {
                let kind = match kind {
                    Kind::CharDev => FileType::CharacterDevice,
                    Kind::BlockDev => FileType::BlockDevice,
                    Kind::Socket => FileType::Socket,
                    _ => FileType::Fifo,
                };
                rustix::fs::mknodat(parent.fd(), &made_as, kind, Mode::RUSR | Mode::WUSR, inode.rdev)
            }
        };
        made.map_err(|e| EngineError::io(verb(inode.kind), path, e))?;
        let temporary = Temporary::named(parent, made_as.clone());
        let fd = open_path(&temporary.directory, &made_as).map_err(|e| EngineError::io("open", path, e))?;
        let mut proc_path = ProcPath::default();
        let now =
            beneath::stat(fd.as_fd(), c"").map_err(|e| EngineError::io("read the metadata of", path, e))?;
        let (attributes, wanted) =
            (temporary.directory.default_acl, MetadataWanted::from_entry(&entry, &context.rules));
        metadata::apply(
            Reach::Descriptor(proc_path.descriptor(fd.as_fd())),
            &now,
            attributes,
            &with_kind(wanted, inode.kind),
            &context.rules,
            path,
        )?;
        temporary.rename(&name).map_err(|e| EngineError::io(RENAME, path, e))?;
        self.sum.made += 1;
        Ok(())
    }

    /// Gives an inode a further name, replacing an existing inode.
    pub fn link(&mut self, link: &Link) -> Result<(), EngineError> {
        let context = self.context;
        let entry = context.job.index.entry(link.entry as usize);
        let from = context.job.index.entry(link.to as usize);
        let (from_parent, from_name) = self.parents.open(from.path.as_bytes())?;
        let (parent, name) = self.parents.open(entry.path.as_bytes())?;
        let temporary = context.names.name(link.entry);
        rustix::fs::linkat(from_parent.fd(), &from_name, parent.fd(), &temporary, AtFlags::empty())
            .map_err(|e| EngineError::io(HARD_LINK, entry.path.as_bytes(), e))?;
        let temporary = Temporary::named(parent, temporary);
        temporary.rename(&name).map_err(|e| EngineError::io(RENAME, entry.path.as_bytes(), e))?;
        self.sum.made += 1;
        Ok(())
    }

    /// Corrects the metadata of an inode that stays.
    pub fn fix(&mut self, i: u32) -> Result<(), EngineError> {
        let context = self.context;
        let entry = context.job.index.entry(i as usize);
        let kind = context.job.index.inode_of(&entry).kind;
        self.set_metadata(
            i,
            &with_kind(MetadataWanted::from_entry(&entry, &context.rules), kind),
            entry.path.as_bytes(),
        )?;
        self.sum.metadata += 1;
        Ok(())
    }

    /// Sets the metadata of entry `i` to `wanted`. For an inode that existed, relies on what the
    /// plan found: mostly the time alone is wrong.
    fn set_metadata(&mut self, i: u32, wanted: &MetadataWanted, path: &[u8]) -> Result<(), EngineError> {
        let context = self.context;
        if let Some(EntryPlace::Here(node)) = context.plan.places.get(i as usize)
            && let Wrong { owner: false, mode: false, xattrs: false, .. } =
                metadata::differences(&context.plan.tree, *node, wanted)
        {
            return self.set_mtime(path, wanted.mtime);
        }
        let fd = beneath::open(context.job.target, path, OFlags::PATH)
            .map_err(|e| EngineError::io("open", path, e))?;
        let now =
            beneath::stat(fd.as_fd(), c"").map_err(|e| EngineError::io("read the metadata of", path, e))?;
        let mut proc_path = ProcPath::default();
        let inode = Reach::Descriptor(proc_path.descriptor(fd.as_fd()));
        metadata::apply(inode, &now, true, wanted, &context.rules, path)
    }

    /// Sets the modification time alone.
    fn set_mtime(&mut self, path: &[u8], mtime: Mtime) -> Result<(), EngineError> {
        let (parent, name) = self.parents.open(path)?;
        let name = if name.is_empty() { c"." } else { name.as_c_str() };
        let times = metadata::times(mtime);
        rustix::fs::utimensat(parent.fd(), name, &times, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|e| EngineError::io("set the modification time of", path, e))
    }

    /// Removes an inode that is not a directory.
    pub fn remove(&mut self, node: u32) -> Result<(), EngineError> {
        let path = self.context.plan.tree.path(node);
        let (parent, name) = self.parents.open(&path)?;
        self.unlink(&parent, &name, AtFlags::empty(), &path)
    }

    /// Removes a directory that is empty by now.
    pub fn remove_dir(&mut self, node: u32) -> Result<(), EngineError> {
        self.context.job.watch.check()?;
        let path = self.context.plan.tree.path(node);
        let (parent, name) = self.parents.open(&path)?;
        self.unlink(&parent, &name, AtFlags::REMOVEDIR, &path)
    }

    fn unlink(
        &mut self,
        parent: &Parent,
        name: &CStr,
        flags: AtFlags,
        path: &[u8],
    ) -> Result<(), EngineError> {
        match rustix::fs::unlinkat(parent.fd(), name, flags) {
            // Another process already removed it.
            Ok(()) | Err(Errno::NOENT) => {
                self.sum.removed += 1;
                Ok(())
            }
            Err(e) => Err(EngineError::io("remove", path, e)),
        }
    }

    /// Sets the metadata of a directory whose content no longer changes.
    pub fn dir_meta(&mut self, i: u32) -> Result<(), EngineError> {
        let context = self.context;
        let entry = context.job.index.entry(i as usize);
        let path: &[u8] = entry.path.as_bytes();
        match context.plan.places.get(i as usize) {
            // A kept directory: its time must not show that its content changed.
            Some(EntryPlace::Kept(node)) => self.set_mtime(path, context.plan.tree.node(*node).mtime),
            _ => self.set_metadata(i, &MetadataWanted::from_entry(&entry, &context.rules), path),
        }
    }
}

/// Leaves the mode out for a symlink, which has none; the entry of a hard link does not show the
/// kind of its inode.
fn with_kind(mut wanted: MetadataWanted, kind: Kind) -> MetadataWanted {
    if kind == Kind::Symlink {
        wanted.mode = None;
    }
    wanted
}

fn verb(kind: Kind) -> &'static str {
    match kind {
        Kind::Symlink => "make the symlink",
        Kind::CharDev => "make the character device",
        Kind::BlockDev => "make the block device",
        Kind::Socket => "make the socket",
        _ => "make the fifo",
    }
}
