//! The contents of a bundle as a whole: checks every file against the index, and selects a part of
//! it.

use crate::engine::bytes_read;
use crate::image::{Image, ImageError};
use rayon::prelude::*;
use std::borrow::Cow;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use tiu_bundle::content_digest::{ContentHasher, Digest};
use tiu_bundle::hash_tree::VerityError;
use tiu_bundle::index::{Entry, EntryBuf, Index, IndexError, IndexWriter, Kind};
use tiu_system::hints;
use tiu_system::progress::{Cancelled, Unit, Watch};

/// The contents differ from the index, or a selection names a path that the image lacks.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // Of the fields, those have documentation whose names do not say all.
pub enum ContentsError {
    /// The image failed.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// Reading a file's content failed.
    #[error("reading {} from the image failed: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// The content differs from the index.
    #[error("the content of {} has the digest {found}, the index says {expected}", path.display())]
    Digest { path: PathBuf, found: Digest, expected: Digest },
    /// The size differs from the index.
    #[error("{} has {} bytes in the image, the index says {expected}", path.display(), bytes_read(*found, *expected))]
    Size {
        path: PathBuf,
        /// Bytes that were read; reading stops soon after the expected size is exceeded.
        found: u64,
        expected: u64,
    },
    /// The image lacks a path.
    #[error("the image has no {}", path.display())]
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
        None => Some("check that the medium is still there; fetch the bundle again".to_owned()),
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
    let path = || PathBuf::from(OsStr::from_bytes(&entry.path));
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
    let wanted: Vec<Vec<u8>> = paths
        .iter()
        .map(|path| {
            let bytes = path.as_os_str().as_bytes();
            let start = bytes.iter().position(|b| *b != b'/').unwrap_or(bytes.len());
            let end = bytes.iter().rposition(|b| *b != b'/').map_or(start, |at| at + 1);
            bytes.get(start..end).unwrap_or_default().to_vec()
        })
        .collect();
    for (path, given) in wanted.iter().zip(paths) {
        if index.find(path).is_none() {
            return Err(ContentsError::NoSuchPath { path: given.clone() });
        }
    }
    let below = |path: &[u8], base: &[u8]| {
        base.is_empty()
            || path.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.first() == Some(&b'/'))
    };
    let selected = |path: &[u8]| wanted.iter().any(|base| below(path, base));
    let leads = |path: &[u8]| wanted.iter().any(|target| below(target, path));
    let mut writer = IndexWriter::default();
    // The first selected link to an inode outside the selection becomes the inode.
    let mut primaries: HashMap<Vec<u8>, Vec<u8>> = HashMap::new();
    let mut kept: Vec<EntryBuf> = Vec::new();
    for entry in index.iter() {
        let wanted = selected(&entry.path) || (entry.kind == Kind::Dir && leads(&entry.path));
        if !wanted {
            continue;
        }
        let mut entry = entry.into_owned();
        if let (Kind::HardLink, Some(target)) = (entry.kind, entry.target.as_deref().map(<[u8]>::to_vec)) {
            match primaries.get(&target) {
                Some(primary) => entry.target = Some(Cow::Owned(primary.clone())),
                None if selected(&target) => {}
                None => {
                    primaries.insert(target.clone(), entry.path.to_vec());
                    if let Some(at) = index.find(&target) {
                        entry = EntryBuf { path: entry.path, ..index.entry(at).into_owned() };
                    }
                }
            }
        }
        kept.push(entry);
    }
    // The writer wants the number of names in the selection.
    let mut names: HashMap<Vec<u8>, u32> = HashMap::new();
    for entry in &kept {
        if let (Kind::HardLink, Some(target)) = (entry.kind, &entry.target) {
            *names.entry(target.to_vec()).or_insert(1) += 1;
        }
    }
    for mut entry in kept {
        if !matches!(entry.kind, Kind::HardLink | Kind::Dir) {
            entry.nlink = names.get(&*entry.path).copied().unwrap_or(1);
        }
        writer.push(entry);
    }
    Ok(Index::parse(writer.finish())?)
}
