//! Certificates and revocation lists.

use std::io::Write;
use tiu_bundle::trust::Trust;

/// Reads the input as a file of certificates, and then as a file of revocation lists.
pub fn check(data: &[u8]) -> bool {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(data).expect("written");
    let Ok(mut trust) = Trust::from_paths(&[file.path()]) else { return false };
    let _ = trust.add_crls(file.path());
    true
}
