//! A bundle's trailer, signature and manifest.

use std::sync::Arc;
use tiu_bundle::bundle::{Bundle, Layout, read_cms};
use tiu_bundle::manifest::Manifest;
use tiu_bundle::signature::{content_unverified, verify_untrusted};

/// Reads the input as a whole file, as the CMS of a file, and as the manifest in a CMS.
pub fn check(data: &[u8]) -> bool {
    let file = data.to_vec();
    let mut accepted = read_cms(&file).is_ok();
    let _ = Bundle::open_untrusted(Arc::new(file));
    if let Ok(signed) = verify_untrusted(data) {
        assert_eq!(content_unverified(data).ok(), Some(signed.content));
        accepted = true;
    }
    if let Ok(manifest) = Manifest::parse(data) {
        assert_eq!(Manifest::parse(manifest.to_text().as_bytes()), Ok(manifest));
        accepted = true;
    }
    if let Some((sizes, _)) = data.split_first_chunk::<24>() {
        let size = |at: usize| u64::from_le_bytes(sizes[at..at + 8].try_into().unwrap_or_default());
        let _ = Layout::new(size(0), size(8), size(16));
    }
    accepted
}
