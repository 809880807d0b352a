//! Signs bundles, replaces signatures, and inserts signatures that were made elsewhere.
//!
//! A bundle that is not signed yet holds its bare manifest in place of the signature, so the one
//! file has everything that a signer needs: `--write-payload` writes the manifest to a file,
//! `--cms` inserts a CMS over exactly this manifest. Before a manifest is signed or written out for
//! signing, the whole image is compared with its hash tree: a damaged file is not signed.

mod error;
mod hosts;
mod identity;
mod passphrase;
mod pin_source;
mod pkcs11;

pub use error::SignError;
pub use hosts::{Hosts, SignerWarning};
pub use identity::{KeySource, SigningIdentity};
pub use passphrase::Secret;

use crate::files::{self, beside, publish};
use rustix::fs::ioctl_ficlone;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tiu_bundle::bundle::{self, Bundle, BundleError, Layout};
use tiu_bundle::hash_tree::{VerifiedImage, VerityError};
use tiu_bundle::manifest::Manifest;
use tiu_bundle::read_at::FileSource;
use tiu_bundle::signature::{self, Signer};
use tiu_system::progress::Watch;

/// A bundle whose signature is to be made or replaced; its image has been compared with its hash
/// tree.
pub struct UnsignedBundle {
    path: PathBuf,
    file: File,
    manifest: Manifest,
    payload: Vec<u8>,
    signed: bool,
    offset: u64,
}

impl UnsignedBundle {
    /// Opens the bundle at `path`, signed or not, and checks everything except the signer.
    pub fn open(path: &Path, watch: Watch) -> Result<Self, SignError> {
        let fail = |source| SignError::Read { path: path.to_owned(), source };
        // Opening a named pipe would wait for its writer.
        path.metadata().map_err(fail)?;
        files::check_regular(path)?;
        let file = File::open(path).map_err(fail)?;
        let source = Arc::new(FileSource::new(file.try_clone().map_err(fail)?).map_err(fail)?);
        let bad = |source| SignError::Bundle { path: path.to_owned(), source };
        let tail = bundle::read_cms(&*source).map_err(bad)?;
        // A CMS in DER starts with 0x30, a manifest with its first group.
        let signed = tail.first() != Some(&b'[');
        let payload = if signed {
            signature::verify_untrusted(&tail).map_err(|e| bad(e.into()))?.content
        } else {
            tail.clone()
        };
        let manifest = Manifest::parse(&payload).map_err(|e| bad(e.into()))?;
        let size = tiu_bundle::read_at::ReadAt::size(&*source);
        let layout = Layout::new(size, tail.len() as u64, manifest.verity_size).map_err(|e| bad(e.into()))?;
        let image = VerifiedImage::new(source, layout.image_size, manifest.verity_salt, manifest.verity_hash);
        image.verify_all(watch).map_err(|e| match e {
            VerityError::Cancelled(cancelled) => cancelled.into(),
            other => bad(other.into()),
        })?;
        Ok(UnsignedBundle {
            path: path.to_owned(),
            file,
            manifest,
            payload,
            signed,
            offset: layout.cms_offset(),
        })
    }

    /// Returns the manifest's text, which is to be signed.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Returns the manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Returns whether the bundle is already signed.
    pub fn is_signed(&self) -> bool {
        self.signed
    }

    /// Signs with `identity` and writes the bundle to `out` (in place when that is its own path).
    pub fn sign(
        &self,
        identity: &SigningIdentity,
        out: &Path,
    ) -> Result<(Signer, Vec<SignerWarning>), SignError> {
        self.put_in(&identity.sign(&self.payload)?, identity.hosts(), out)
    }

    /// Takes in a CMS that was made elsewhere, if it holds this bundle's manifest and is one that
    /// `hosts` accept.
    pub fn put_in(
        &self,
        cms: &[u8],
        hosts: &Hosts,
        out: &Path,
    ) -> Result<(Signer, Vec<SignerWarning>), SignError> {
        let signed = signature::verify_untrusted(cms).map_err(SignError::Cms)?;
        if signed.content != self.payload {
            return Err(other_content(&signed.content, &self.payload));
        }
        let (signed, warnings) = hosts.judge_signature(cms)?;
        self.write(cms, out)?;
        Ok((signed.signer, warnings))
    }

    /// Writes the payload to a file.
    pub fn write_payload(&self, path: &Path) -> Result<(), SignError> {
        Ok(files::write(path, &self.payload)?)
    }

    /// Writes the bundle with another signature, complete or not at all.
    fn write(&self, cms: &[u8], out: &Path) -> Result<(), SignError> {
        let target = files::output(out)?;
        let fail = |source| SignError::Write { path: out.to_owned(), source };
        let new = beside(&target).map_err(fail)?;
        self.fill(new.as_file(), cms).map_err(fail)?;
        read_back(new.as_file(), cms).map_err(|source| SignError::Bundle { path: out.to_owned(), source })?;
        publish(new, &target).map_err(fail)
    }

    fn fill(&self, mut file: &File, cms: &[u8]) -> io::Result<()> {
        // Shares the image's blocks where the filesystem can, so that this takes neither room nor
        // time.
        if ioctl_ficlone(file, &self.file).is_err() {
            let mut old = &self.file;
            old.seek(SeekFrom::Start(0))?;
            io::copy(&mut old, &mut file)?;
        }
        file.set_permissions(self.file.metadata()?.permissions())?;
        file.set_len(self.offset)?;
        file.seek(SeekFrom::End(0))?;
        bundle::append(file, cms).map_err(io::Error::other)?;
        file.flush()
    }

    /// Returns the path of the bundle.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Reads a finished bundle as hosts do: its signature, which must be `cms`, manifest, layout and
/// the first block of the image.
pub(crate) fn read_back(file: &File, cms: &[u8]) -> Result<(), BundleError> {
    let source = FileSource::new(file.try_clone()?)?;
    let bundle = Bundle::open_untrusted(Arc::new(source))?;
    if bundle.cms == cms {
        Ok(())
    } else {
        Err(io::Error::other("the signature that was written is not the one that was made").into())
    }
}

/// Returns the error for a payload that differs. Line ends changed by a mail program are
/// distinguished from another bundle's manifest.
fn other_content(found: &[u8], expected: &[u8]) -> SignError {
    let line_ends = |text: &[u8]| text.iter().copied().filter(|b| *b != b'\r').collect::<Vec<_>>();
    if line_ends(found) == line_ends(expected) {
        return SignError::LineEnds;
    }
    let lines = |text: &[u8]| String::from_utf8_lossy(text).lines().map(str::to_owned).collect::<Vec<_>>();
    let (found, expected) = (lines(found), lines(expected));
    let line = |lines: &[String], i: usize| lines.get(i).cloned().unwrap_or_else(|| "(nothing)".to_owned());
    let at = (0..found.len().max(expected.len())).find(|i| found.get(*i) != expected.get(*i)).unwrap_or(0);
    SignError::OtherContent { line: at + 1, found: line(&found, at), expected: line(&expected, at) }
}
