//! A bundle's trailer, signature and manifest: nothing panics, and what is accepted means the same
//! when it is written again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::Arc;
use tiu_bundle::bundle::{Bundle, Layout, read_cms};
use tiu_bundle::manifest::Manifest;
use tiu_bundle::signature::{content_unverified, verify_untrusted};

fuzz_target!(|data: &[u8]| {
    // As a whole file, as the CMS of one, and as the manifest in it.
    let file = data.to_vec();
    let _ = read_cms(&file);
    let _ = Bundle::open_untrusted(Arc::new(file));
    if let Ok(signed) = verify_untrusted(data) {
        assert_eq!(content_unverified(data).ok(), Some(signed.content));
    }
    if let Ok(manifest) = Manifest::parse(data) {
        assert_eq!(Manifest::parse(manifest.to_text().as_bytes()), Ok(manifest));
    }
    if let Some((sizes, _)) = data.split_first_chunk::<24>() {
        let size = |at: usize| u64::from_le_bytes(sizes[at..at + 8].try_into().unwrap_or_default());
        let _ = Layout::new(size(0), size(8), size(16));
    }
});
