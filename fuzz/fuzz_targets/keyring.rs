//! A keyring or revocation list: nothing panics.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::io::Write;
use tiu_bundle::trust::Trust;

fuzz_target!(|data: &[u8]| {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(data).expect("written");
    if let Ok(mut trust) = Trust::from_paths(&[file.path()]) {
        let _ = trust.add_crls(file.path());
    }
});
