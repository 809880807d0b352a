//! Bundle files that must not be accepted, each with one thing wrong, and the error that names it.

use openssl::x509::X509;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tiu_bundle::BLOCK_SIZE;
use tiu_bundle::bundle::{Bundle, BundleError, LayoutError, append, cms_offset, read_cms};
use tiu_bundle::hash_tree::{VerityError, tree_size};
use tiu_bundle::manifest::ManifestError;
use tiu_bundle::read_at::{FileSource, ReadAt};
use tiu_bundle::signature::{SignatureError, sign};
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

#[test]
fn empty_file() {
    assert_eq!(layout(error(Vec::new(), &signer())), LayoutError::EmptyFile);
}

#[test]
fn file_of_4_bytes() {
    assert_eq!(layout(error(vec![1; 4], &signer())), LayoutError::TooShort { size: 4 });
    assert_eq!(layout(error(vec![0; 8], &signer())), LayoutError::TooShort { size: 8 });
}

#[test]
fn random_bytes() {
    let found = layout(error(noise(2, 1024), &signer()));
    assert!(matches!(found, LayoutError::CmsSize { .. }), "{found}");
}

#[test]
fn trailer_cut_at_every_length() {
    for cut in 1..=8 {
        let found = error_after(|bytes| bytes.truncate(bytes.len() - cut));
        // What is read as the trailer is then made of bytes of the signature.
        let found = layout(found);
        assert!(matches!(found, LayoutError::CmsSize { .. }), "{cut} bytes: {found}");
    }
}

#[test]
fn bytes_after_the_trailer() {
    let found = layout(error_after(|bytes| bytes.push(0)));
    assert!(matches!(found, LayoutError::CmsSize { .. }), "{found}");
}

#[test]
fn cms_length_0() {
    assert_eq!(layout(error_of(|parts| parts.cms_length = Some(0))), LayoutError::CmsSize { found: 0 });
}

#[test]
fn cms_length_over_64_kib() {
    for found in [65_537, 1 << 40, u64::MAX] {
        assert_eq!(layout(error_of(|parts| parts.cms_length = Some(found))), LayoutError::CmsSize { found });
    }
}

#[test]
fn cms_length_over_the_file() {
    let mut bytes = vec![0; 100];
    bytes.extend_from_slice(&101u64.to_be_bytes());
    let expected = LayoutError::CmsBeyondFile { found: 101, available: 100 };
    assert_eq!(layout(error(bytes, &signer())), expected);
}

#[test]
fn cms_length_little_endian() {
    let found = error_after(|bytes| {
        let at = bytes.len() - 8;
        bytes[at..].reverse();
    });
    assert!(matches!(layout(found), LayoutError::CmsSize { .. }));
}

#[test]
fn cms_length_wrong_by_one() {
    let (signer, mut parts) = (signer(), parts());
    let right = sign(parts.manifest.to_text().as_bytes(), &signer.certificate, &signer.key, &[])
        .expect("a signature");
    parts.cms_length = Some(right.len() as u64 + 1);
    parts.cms = Some(right.clone());
    let found = error(parts.bytes(&signer.certificate, &signer.key), &signer);
    assert!(matches!(found, BundleError::Signature(SignatureError::NotCms { .. })), "{found}");
    parts.cms_length = Some(right.len() as u64 - 1);
    let found = error(parts.bytes(&signer.certificate, &signer.key), &signer);
    assert!(matches!(found, BundleError::Signature(SignatureError::NotCms { .. })), "{found}");
}

#[test]
fn garbage_cms() {
    let found = error_of(|parts| parts.cms = Some(noise(3, 900)));
    assert!(matches!(found, BundleError::Signature(SignatureError::NotCms { .. })), "{found}");
}

#[test]
fn signed_by_somebody_else() {
    let other = signer();
    let bytes = parts().bytes(&other.certificate, &other.key);
    let found = error(bytes, &Certificate::new("Trusted").self_signed());
    assert!(matches!(found, BundleError::Signature(SignatureError::UntrustedRoot { .. })), "{found}");
}

#[test]
fn signed_text_is_no_manifest() {
    let found = error_of(|parts| parts.text = Some("hello".into()));
    assert!(matches!(found, BundleError::Manifest(ManifestError::BadLine { line: 1, .. })), "{found}");
}

#[test]
fn verity_size_too_large() {
    let tree = tree_size((BLOCKS * BLOCK_SIZE) as u64);
    let found = layout(error_of(|parts| parts.manifest.verity_size += BLOCK_SIZE as u64));
    assert!(matches!(found, LayoutError::TreeSize { found, .. } if found == tree + 4096), "{found}");
    let found = layout(error_of(|parts| parts.manifest.verity_size = 1 << 40));
    assert!(matches!(found, LayoutError::TreeBeyondFile { .. }), "{found}");
}

#[test]
fn verity_size_too_small() {
    let found = layout(error_of(|parts| parts.manifest.verity_size -= BLOCK_SIZE as u64));
    assert!(matches!(found, LayoutError::TreeSize { .. }), "{found}");
}

#[test]
fn image_not_a_multiple_of_4096() {
    let found = layout(error_after(|bytes| drop(bytes.drain(100..200))));
    assert_eq!(found, LayoutError::ImageSize { found: (BLOCKS * BLOCK_SIZE) as u64 - 100 });
}

#[test]
fn image_of_one_block() {
    let signer = signer();
    let mut parts = Parts::new(image(2), &tiny_index(b""));
    parts.image.truncate(BLOCK_SIZE);
    let found = layout(error(parts.bytes(&signer.certificate, &signer.key), &signer));
    assert_eq!(found, LayoutError::ImageSize { found: 4096 });
}

#[test]
fn block_put_in_front() {
    let found = error_after(|bytes| drop(bytes.splice(0..0, vec![0; BLOCK_SIZE])));
    assert!(matches!(found, BundleError::NotSquashfs { found: [0, 0, 0, 0] }), "{found}");
    // A squashfs of its own in front: that is what was not signed.
    let mut evil = image(1);
    evil[40..48].copy_from_slice(&100u64.to_le_bytes());
    let found = error_after(|bytes| drop(bytes.splice(0..0, evil)));
    assert!(
        matches!(found, BundleError::Verity(VerityError::Mismatch { level: 0, block: 0, .. })),
        "{found}"
    );
}

#[test]
fn block_put_between_image_and_tree() {
    let at = BLOCKS * BLOCK_SIZE;
    let found = error_after(|bytes| drop(bytes.splice(at..at, vec![0; BLOCK_SIZE])));
    // The sizes of image and tree fit each other, but the squashfs knows its own.
    let image_size = at as u64 + 4096;
    assert!(
        matches!(found, BundleError::SquashfsSize { image_size: size, .. } if size == image_size),
        "{found}"
    );
}

#[test]
fn image_is_no_squashfs() {
    let signer = signer();
    let mut image = image(BLOCKS);
    image[..4].copy_from_slice(b"sqsh");
    let parts = Parts::new(image, &tiny_index(b""));
    let found = error(parts.bytes(&signer.certificate, &signer.key), &signer);
    assert!(matches!(found, BundleError::NotSquashfs { found } if &found == b"sqsh"), "{found}");
}

#[test]
fn squashfs_longer_than_the_image() {
    let signer = signer();
    let mut image = image(BLOCKS);
    let image_size = image.len() as u64;
    image[40..48].copy_from_slice(&(image_size + 1).to_le_bytes());
    let parts = Parts::new(image, &tiny_index(b""));
    match error(parts.bytes(&signer.certificate, &signer.key), &signer) {
        BundleError::SquashfsSize { found, image_size: size } => {
            assert_eq!((found, size), (image_size + 1, image_size));
        }
        other => panic!("{other}"),
    }
}

#[test]
fn one_flipped_bit() {
    let signer = signer();
    let good = parts().bytes(&signer.certificate, &signer.key);
    let image = BLOCKS * BLOCK_SIZE;
    // The first block is read when a bundle is opened, and with it a path through the tree: its
    // top, and the first block of its lowest level.
    for (at, level, block) in [(1000, 0, 0), (image + 10, 2, 0), (image + BLOCK_SIZE + 10, 1, 0)] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        match error(bad, &signer) {
            BundleError::Verity(VerityError::Mismatch { level: l, block: b, .. }) => {
                assert_eq!((l, b), (level, block), "byte {at}");
            }
            other => panic!("byte {at}: {other}"),
        }
    }
    // The others are found when they are read.
    for (at, level, block) in [(image / 2, 0, 100), (image - 1, 0, 199), (image + 2 * BLOCK_SIZE + 10, 1, 1)]
    {
        let mut bad = good.clone();
        bad[at] ^= 1;
        let bundle = open(bad, &signer).expect("opened");
        match bundle.image().verify_all(Watch::silent()) {
            Err(VerityError::Mismatch { level: l, block: b, .. }) => {
                assert_eq!((l, b), (level, block), "byte {at}")
            }
            other => panic!("byte {at}: {other:?}"),
        }
    }
    // In the signature.
    let mut bad = good.clone();
    let at = cms_offset(&good).expect("an offset") as usize + 200;
    bad[at] ^= 1;
    assert!(matches!(error(bad, &signer), BundleError::Signature(_)));
}

fn written(dir: &Path, bytes: &[u8]) -> (File, Arc<FileSource>) {
    let path = dir.join("bundle");
    std::fs::write(&path, bytes).expect("a file");
    let writer = File::options().write(true).open(&path).expect("the file");
    (writer, Arc::new(FileSource::new(File::open(&path).expect("the file")).expect("a source")))
}

#[test]
fn changes_after_it_was_opened() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let signer = signer();
    let bytes = parts().bytes(&signer.certificate, &signer.key);
    let was = bytes.len() as u64;
    let (mut writer, source) = written(dir.path(), &bytes);
    let bundle = Bundle::open(source, &trust(&signer.certificate)).expect("a good bundle");
    bundle.check_unchanged().expect("unchanged");

    // Other content at the same size: the hashes tell.
    writer.seek(SeekFrom::Start(50 * BLOCK_SIZE as u64)).expect("a position");
    writer.write_all(b"evil").expect("written");
    let found = bundle.image().verify_all(Watch::silent());
    assert!(matches!(found, Err(VerityError::Mismatch { level: 0, block: 50, .. })), "{found:?}");

    // Longer and shorter.
    for is in [was + 1, 20_000] {
        writer.set_len(is).expect("set");
        match bundle.check_unchanged() {
            Err(BundleError::Changed { was: w, is: i }) => assert_eq!((w, i), (was, is)),
            other => panic!("{other:?}"),
        }
    }
    let found = bundle.image().read_exact_at(&mut [0; 4096], 100 * 4096).expect_err("cut");
    assert_eq!(found.kind(), io::ErrorKind::UnexpectedEof);
}

#[test]
fn changes_before_it_is_read() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let signer = signer();
    let bytes = parts().bytes(&signer.certificate, &signer.key);
    // Cut after its size was taken.
    let (writer, source) = written(dir.path(), &bytes);
    writer.set_len(10_000).expect("set");
    let found = Bundle::open(source, &trust(&signer.certificate)).err().expect("cut");
    assert!(matches!(&found, BundleError::Io(e) if e.kind() == io::ErrorKind::UnexpectedEof), "{found}");
    assert!(found.hint().is_some_and(|hint| hint.contains("shorter")));
    // Made longer after its size was taken.
    let (writer, source) = written(dir.path(), &bytes);
    writer.set_len(bytes.len() as u64 + 1).expect("set");
    let found = Bundle::open(source, &trust(&signer.certificate)).err().expect("longer");
    assert!(matches!(found, BundleError::Changed { .. }), "{found}");
}

/// Gives other bytes the second time the signature is read.
struct TwoFaced {
    first: Vec<u8>,
    second: Vec<u8>,
    read_cms: AtomicBool,
}

impl ReadAt for TwoFaced {
    fn size(&self) -> u64 {
        self.first.size()
    }
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let at_cms = offset == cms_offset(&self.first).expect("an offset");
        let again = if at_cms { self.read_cms.swap(true, Ordering::SeqCst) } else { false };
        if again { self.second.read_exact_at(buf, offset) } else { self.first.read_exact_at(buf, offset) }
    }
}

#[test]
fn what_was_verified_is_what_is_used() {
    let signer = signer();
    let first = parts().bytes(&signer.certificate, &signer.key);
    let mut second = first.clone();
    let at = cms_offset(&first).expect("an offset") as usize;
    second[at..].fill(0);
    let source = Arc::new(TwoFaced { first, second, read_cms: AtomicBool::new(false) });
    let bundle = Bundle::open(source.clone(), &trust(&signer.certificate)).expect("a good bundle");
    assert!(source.read_cms.load(Ordering::SeqCst));
    assert!(bundle.cms.iter().any(|byte| *byte != 0), "the CMS is read once");
}
