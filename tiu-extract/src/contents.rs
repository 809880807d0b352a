//! The contents of a bundle as a whole: checks every file against the index, and selects a part of
//! it.

use crate::engine::bytes_read;
use crate::image::{Image, ImageError};
use rayon::prelude::*;
use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use tiu_bundle::content_digest::{ContentHasher, Digest};
use tiu_bundle::hash_tree::VerityError;
use tiu_bundle::index::{Entry, EntryBuf, Index, IndexError, IndexWriter, Kind};
use tiu_system::hints;
use tiu_system::path::{TreePath, TreePathBuf};
use tiu_system::progress::{Cancelled, Unit, Watch};
use tiu_system::text::printable_path;

/// The contents differ from the index, or a selection names a path that the image lacks.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // Of the fields, those have documentation whose names do not say all.
pub enum ContentsError {
    /// The image failed.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// Reading a file's content failed.
    #[error("reading {} from the image failed: {source}", printable_path(path))]
    Read { path: PathBuf, source: io::Error },
    /// The content differs from the index.
    #[error("the content of {} has the digest {found}, the index says {expected}", printable_path(path))]
    Digest { path: PathBuf, found: Digest, expected: Digest },
    /// The size differs from the index.
    #[error("{} has {} bytes in the image, the index says {expected}", printable_path(path), bytes_read(*found, *expected))]
    Size {
        path: PathBuf,
        /// Bytes that were read; reading stops soon after the expected size is exceeded.
        found: u64,
        expected: u64,
    },
    /// The image lacks a path.
    #[error("the image has no {}", printable_path(path))]
    NoSuchPath { path: PathBuf },
    /// The selected part does not make an index.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The work was cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

hints! { ContentsError {
    forward Image, Index, Cancelled;
    Read { source, .. } => match source.get_ref().and_then(|e| e.downcast_ref::<VerityError>()) {
        Some(damaged) => damaged.hint(),
        None => Some("check that the medium is still attached, or fetch the bundle again".to_owned()),
    },
    Digest { .. } | Size { .. } => {
        "image and index do not belong together: ask the bundle's maker to pack it again"
    },
    NoSuchPath { .. } => "list the image's paths with `tiu-extract list`",
} }

/// Reads every regular file of `image` and compares size and digest with `index`. Stops at the
/// first error.
pub fn verify_contents(index: &Index, image: &dyn Image, watch: Watch) -> Result<(), ContentsError> {
    let mut files: Vec<usize> = (0..index.len()).filter(|i| index.entry(*i).kind == Kind::File).collect();
    files.sort_by_cached_key(|i| image.position(&index.entry(*i).path));
    watch.phase("Verifying files", index.content_size(), Unit::Bytes, || {
        files.par_chunks(32).try_for_each_init(
            || vec![0; 1 << 20],
            |buffer, chunk| {
                chunk.iter().try_for_each(|i| verify_file(&index.entry(*i), image, buffer, watch))
            },
        )
    })
}

fn verify_file(
    entry: &Entry,
    image: &dyn Image,
    buffer: &mut [u8],
    watch: Watch,
) -> Result<(), ContentsError> {
    let path = || entry.path.as_path().to_owned();
    let mut reader = image.open(&entry.path)?;
    let mut hasher = ContentHasher::new();
    let mut size = 0u64;
    loop {
        watch.check()?;
        let length = reader.read(buffer).map_err(|source| ContentsError::Read { path: path(), source })?;
        let Some(bytes) = buffer.get(..length).filter(|bytes| !bytes.is_empty()) else {
            break;
        };
        size = size.saturating_add(length as u64);
        if size > entry.size {
            break;
        }
        hasher.update(bytes);
        watch.advance(length as u64);
    }
    if size != entry.size {
        return Err(ContentsError::Size { path: path(), found: size, expected: entry.size });
    }
    match (hasher.finalize(), entry.digest) {
        (found, Some(expected)) if found != expected => {
            Err(ContentsError::Digest { path: path(), found, expected })
        }
        _ => Ok(()),
    }
}

/// Returns the part of `index` at and below `paths` (with or without a leading slash), with the
/// directories that lead there.
pub fn select(index: &Index, paths: &[PathBuf]) -> Result<Index, ContentsError> {
    let mut wanted: Vec<&TreePath> = Vec::new();
    for given in paths {
        let bytes = given.as_os_str().as_bytes();
        let start = bytes.iter().position(|b| *b != b'/').unwrap_or(bytes.len());
        let end = bytes.iter().rposition(|b| *b != b'/').map_or(start, |at| at + 1);
        match TreePath::new(bytes.get(start..end).unwrap_or_default()) {
            Ok(path) if index.find(path).is_some() => wanted.push(path),
            _ => return Err(ContentsError::NoSuchPath { path: given.clone() }),
        }
    }
    let selected = |path: &TreePath| wanted.iter().any(|base| path.starts_with(base));
    let leads = |path: &TreePath| wanted.iter().any(|target| target.starts_with(path));
    let mut writer = IndexWriter::default();
    // The first selected link to an inode outside the selection becomes the inode.
    let mut primaries: HashMap<TreePathBuf, TreePathBuf> = HashMap::new();
    let mut kept: Vec<EntryBuf> = Vec::new();
    for entry in index.iter() {
        let wanted = selected(&entry.path) || (entry.kind == Kind::Dir && leads(&entry.path));
        if !wanted {
            continue;
        }
        let mut entry = entry.into_owned();
        if let Some(inode) = entry.link.as_deref().map(TreePath::to_owned) {
            match primaries.get(&inode) {
                Some(primary) => entry.link = Some(Cow::Owned(primary.clone())),
                None if selected(&inode) => {}
                None => {
                    let at = index.find(&inode);
                    primaries.insert(inode, entry.path.as_ref().to_owned());
                    if let Some(at) = at {
                        entry = EntryBuf { path: entry.path, ..index.entry(at).into_owned() };
                    }
                }
            }
        }
        kept.push(entry);
    }
    // The writer wants the number of names in the selection.
    let mut names: HashMap<TreePathBuf, u32> = HashMap::new();
    for entry in &kept {
        if let Some(inode) = entry.link.as_deref() {
            *names.entry(inode.to_owned()).or_insert(1) += 1;
        }
    }
    for mut entry in kept {
        if !matches!(entry.kind, Kind::HardLink | Kind::Dir) {
            entry.nlink = names.get(entry.path.as_ref()).copied().unwrap_or(1);
        }
        writer.push(entry);
    }
    Ok(Index::parse(writer.finish())?)
}
