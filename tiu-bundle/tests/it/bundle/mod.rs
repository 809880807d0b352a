//! Bundle files that must not be accepted, each with one thing wrong, and the error that names it.

mod changing;
mod image;
mod trailer;

use openssl::x509::X509;
use std::sync::Arc;
use tiu_bundle::BLOCK_SIZE;
use tiu_bundle::bundle::{Bundle, BundleError, LayoutError, append, cms_offset, read_cms};
use tiu_bundle::hash_tree::tree_size;
use tiu_bundle::signature::sign;
use tiu_bundle::trust::Trust;
use tiu_system::Hint;
use tiu_system::progress::Watch;
use tiu_testing::bundles::{Parts, tiny_index};
use tiu_testing::pki::{Certificate, Identity};
use tiu_testing::tree::noise;

/// Enough blocks for two levels of hashes.
const BLOCKS: usize = 200;

fn signer() -> Identity {
    Certificate::new("Signer").self_signed()
}

/// Looks like a squashfs as far as anybody looks here.
fn image(blocks: usize) -> Vec<u8> {
    let mut image = noise(1, blocks * BLOCK_SIZE);
    image[..4].copy_from_slice(b"hsqs");
    let used = image.len() as u64 - 100;
    image[40..48].copy_from_slice(&used.to_le_bytes());
    image
}

fn parts() -> Parts {
    Parts::new(image(BLOCKS), &tiny_index(b"content"))
}

fn trust(anchor: &X509) -> Trust {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("root.pem");
    std::fs::write(&file, anchor.to_pem().expect("PEM")).expect("a file");
    Trust::from_paths(&[file]).expect("a keyring")
}

fn open(bytes: Vec<u8>, signer: &Identity) -> Result<Bundle, BundleError> {
    Bundle::open(Arc::new(bytes), &trust(&signer.certificate))
}

#[track_caller]
fn error(bytes: Vec<u8>, signer: &Identity) -> BundleError {
    let error = open(bytes, signer).err().expect("a bad bundle");
    assert!(error.hint().is_some_and(|hint| hint.len() > 20), "{error}");
    error
}

/// The error of a bundle that was changed before it was put together.
#[track_caller]
fn error_of(change: impl FnOnce(&mut Parts)) -> BundleError {
    let (signer, mut parts) = (signer(), parts());
    change(&mut parts);
    error(parts.bytes(&signer.certificate, &signer.key), &signer)
}

/// The error of a bundle that was changed after it was signed.
#[track_caller]
fn error_after(change: impl FnOnce(&mut Vec<u8>)) -> BundleError {
    let signer = signer();
    // Signatures end in random bytes. After a zero byte a cut trailer would have the form of a
    // whole one.
    let mut bytes = std::iter::repeat_with(|| parts().bytes(&signer.certificate, &signer.key))
        .find(|bytes| bytes[bytes.len() - 9] != 0)
        .expect("a signature that does not end in a zero byte");
    change(&mut bytes);
    error(bytes, &signer)
}

#[track_caller]
fn layout(error: BundleError) -> LayoutError {
    match error {
        BundleError::Layout(error) => error,
        other => panic!("{other}"),
    }
}

#[test]
fn good() {
    let (signer, parts) = (signer(), parts());
    let bundle = open(parts.bytes(&signer.certificate, &signer.key), &signer).expect("a good bundle");
    assert_eq!(bundle.manifest, parts.manifest);
    assert_eq!(bundle.signer.subject, "CN=Signer, O=tiu test");
    assert_eq!(bundle.layout.image_size, parts.image.len() as u64);
    assert_eq!(bundle.layout.tree_size, tree_size(parts.image.len() as u64));
    bundle.image().verify_all(Watch::silent()).expect("a good image");
    assert_eq!(read_cms(&*bundle.source).expect("the CMS"), bundle.cms);
    let untrusted = Bundle::open_untrusted(bundle.source.clone()).expect("a good bundle");
    assert_eq!(untrusted.signer, bundle.signer);
}

#[test]
fn signed_again() {
    let (first, second) = (signer(), Certificate::new("Second").self_signed());
    let bytes = parts().bytes(&first.certificate, &first.key);
    let text = open(bytes.clone(), &first).expect("a good bundle").manifest.to_text();
    let cut = cms_offset(&bytes).expect("an offset") as usize;
    let mut again = bytes[..cut].to_vec();
    let cms = sign(text.as_bytes(), &second.certificate, &second.key, &[]).expect("a signature");
    append(&mut again, &cms).expect("appended");
    let bundle = open(again, &second).expect("a good bundle");
    assert_eq!(bundle.signer.subject, "CN=Second, O=tiu test");
    assert!(matches!(append(Vec::new(), &[]), Err(BundleError::Layout(LayoutError::CmsSize { found: 0 }))));
}
