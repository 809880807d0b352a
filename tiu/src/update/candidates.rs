//! The bundles of a source, each opened and verified.
//!
//! A folder can be anybody's: a stick, a share. It is read up to fixed limits. Whatever is wrong
//! with one bundle says nothing of the others.

use super::error::UpdateError;
use super::location::UpdateSource;
use crate::transaction::{Context, in_thread, signed_at};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use time::OffsetDateTime;
use tiu_bundle::manifest::Manifest;
use tiu_bundle::signature::Signer;
use tiu_bundle::trust::Trust;
use tiu_source::{Location, OpenError, open_bundle};

/// Most entries of a folder that are read.
const MAX_ENTRIES: usize = 10_000;
/// Most bundles of a folder that are opened.
const MAX_BUNDLES: usize = 200;
/// End of the name of a bundle.
const EXTENSION: &[u8] = b".tiu";

/// A bundle of the source.
#[derive(Debug)]
pub struct Candidate {
    /// The place of the bundle.
    pub location: Location,
    /// The image, or the reason why the bundle cannot be used.
    pub image: Result<CandidateImage, OpenError>,
}

/// The image of a bundle whose signature is good.
#[derive(Debug)]
pub struct CandidateImage {
    /// The manifest.
    pub manifest: Manifest,
    /// The signer.
    pub signer: Signer,
    /// The time of the signature, if it has one.
    pub signed: Option<OffsetDateTime>,
}

/// Opens every bundle of the source. A thread of its own reads them, so that a medium that hangs
/// does not outlast a cancellation.
pub fn find(context: &Context, source: &UpdateSource) -> Result<Vec<Candidate>, UpdateError> {
    let (source, trust) = (source.clone(), context.trust.clone());
    in_thread(context.watch, move || find_now(&source, &trust))?
}

fn find_now(source: &UpdateSource, trust: &Trust) -> Result<Vec<Candidate>, UpdateError> {
    let open = |location: Location| Candidate {
        image: open_bundle(&location, &source.network, trust, &mut |_| {}).map(|bundle| CandidateImage {
            signed: signed_at(&bundle.signer),
            manifest: bundle.manifest,
            signer: bundle.signer,
        }),
        location,
    };
    let Some(path) = source.path() else { return Ok(vec![open(source.location.clone())]) };
    let failed = |source: io::Error| UpdateError::Folder { path: path.to_owned(), source };
    if !path.metadata().map_err(failed)?.is_dir() {
        return Ok(vec![open(source.location.clone())]);
    }
    let mut names = Vec::new();
    for (count, entry) in std::fs::read_dir(path).map_err(failed)?.enumerate() {
        if count >= MAX_ENTRIES {
            let (path, what) = (path.to_owned(), "entries");
            return Err(UpdateError::TooMany { path, limit: MAX_ENTRIES, what });
        }
        let name = entry.map_err(failed)?.file_name();
        if is_bundle(&name) {
            names.push(name);
        }
    }
    if names.len() > MAX_BUNDLES {
        return Err(UpdateError::TooMany { path: path.to_owned(), limit: MAX_BUNDLES, what: "bundles" });
    }
    names.sort();
    Ok(names.into_iter().map(|name| open(path.join(name).into())).collect())
}

/// Returns true for the name of a bundle. A name with a dot in front is that of a file that is
/// still being copied.
fn is_bundle(name: &OsStr) -> bool {
    let name = name.as_bytes();
    name.len() > EXTENSION.len() && name.ends_with(EXTENSION) && !name.starts_with(b".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_bundles() {
        for (name, expected) in [
            ("a.tiu", true),
            ("a\n.tiu", true),
            (".a.tiu", false),
            (".tiu", false),
            ("a.tiu.part", false),
            ("tiu", false),
        ] {
            assert_eq!(is_bundle(OsStr::new(name)), expected, "{name}");
        }
    }
}
