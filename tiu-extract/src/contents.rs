//! The contents of a bundle as a whole: checking every file against the index, and selecting a part of it.

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
use tiu_system::Hint;
use tiu_system::progress::{Cancel, Progress, Unit};

/// Why the contents are not what the index says, or a selection selects nothing.
#[derive(Debug, thiserror::Error)]
pub enum ContentsError {
    /// See [`ImageError`].
    #[error(transparent)]
    Image(#[from] ImageError),
    /// Reading failed in the middle of a file.
    #[error("reading {} from the image failed: {source}", path.display())]
    Read {
        /// Path in the image.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// Other content than the index says.
    #[error("the content of {} has the digest {found}, the index says {expected}", path.display())]
    Digest {
        /// Path in the image.
        path: PathBuf,
        /// Found.
        found: Digest,
        /// Expected.
        expected: Digest,
    },
    /// Another size than the index says.
    #[error("{} has {} bytes in the image, the index says {expected}", path.display(), bytes_read(*found, *expected))]
    Size {
        /// Path in the image.
        path: PathBuf,
        /// Found; at least this many.
        found: u64,
        /// Expected.
        expected: u64,
    },
    /// A path that the image does not have.
    #[error("the image has no {}", path.display())]
    NoSuchPath {
        /// As given.
        path: PathBuf,
    },
    /// See [`IndexError`].
    #[error(transparent)]
    Index(#[from] IndexError),
    /// Cancelled.
    #[error("cancelled")]
    Cancelled,
}

impl Hint for ContentsError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            ContentsError::Image(e) => return e.hint(),
            ContentsError::Index(e) => return e.hint(),
            ContentsError::Read { source, .. } => {
                let damaged = source.get_ref().and_then(|e| e.downcast_ref::<VerityError>());
                return damaged
                    .map_or(Some("is the medium still there? fetch the bundle again".into()), Hint::hint);
            }
            ContentsError::Digest { .. } | ContentsError::Size { .. } => {
                "image and index do not belong together: ask the bundle's maker to pack it again".into()
            }
            ContentsError::NoSuchPath { .. } => "see what it has with `tiu-extract list`".into(),
            ContentsError::Cancelled => return None,
        })
    }
}

/// Reads every regular file of `image` and compares size and digest with `index`. The first error ends it.
pub fn verify(
    index: &Index,
    image: &dyn Image,
    progress: &dyn Progress,
    cancel: &Cancel,
) -> Result<(), ContentsError> {
    let mut files: Vec<usize> = (0..index.len()).filter(|i| index.entry(*i).kind == Kind::File).collect();
    files.sort_by_cached_key(|i| image.position(&index.entry(*i).path));
    progress.begin("Verifying files", index.content_size(), Unit::Bytes);
    let result = files.par_chunks(32).try_for_each_init(
        || vec![0; 1 << 20],
        |buffer, chunk| {
            chunk.iter().try_for_each(|i| verify_file(&index.entry(*i), image, buffer, progress, cancel))
        },
    );
    progress.end();
    result
}

fn verify_file(
    entry: &Entry,
    image: &dyn Image,
    buffer: &mut [u8],
    progress: &dyn Progress,
    cancel: &Cancel,
) -> Result<(), ContentsError> {
    let path = || PathBuf::from(OsStr::from_bytes(&entry.path));
    let mut reader = image.open(&entry.path)?;
    let mut hasher = ContentHasher::new();
    let mut size = 0u64;
    loop {
        if cancel.is_cancelled() {
            return Err(ContentsError::Cancelled);
        }
        let length = reader.read(buffer).map_err(|source| ContentsError::Read { path: path(), source })?;
        let Some(bytes) = buffer.get(..length).filter(|bytes| !bytes.is_empty()) else {
            break;
        };
        size = size.saturating_add(length as u64);
        if size > entry.size {
            break;
        }
        hasher.update(bytes);
        progress.advance(length as u64);
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

/// The part of `index` at and below `paths` (with or without leading slash), with the directories that lead there.
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
    let below = |path: &[u8], of: &[u8]| {
        of.is_empty()
            || path.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.first() == Some(&b'/'))
    };
    let selected = |path: &[u8]| wanted.iter().any(|of| below(path, of));
    let leads = |path: &[u8]| wanted.iter().any(|of| below(of, path));
    let mut writer = IndexWriter::default();
    // Links to an inode outside of the selection: the first of them becomes the inode.
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
    // The writer wants the number of names that are there.
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
