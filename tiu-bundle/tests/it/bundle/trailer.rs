//! The end of the file: its length, the CMS, and the signed text.

use super::{error, error_after, error_of, layout, parts, signer};
use tiu_bundle::bundle::{BundleError, LayoutError};
use tiu_bundle::manifest::ManifestError;
use tiu_bundle::signature::{SignatureError, sign};
use tiu_testing::pki::Certificate;
use tiu_testing::tree::noise;

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
