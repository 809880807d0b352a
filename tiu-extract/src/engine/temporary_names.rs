//! Names of files that are not complete yet.

use std::ffi::CString;

/// The prefix of every temporary name.
const TEMPORARY_PREFIX: &[u8] = b".tiu-";

/// Returns true if `name` is the temporary name of a file that a run makes. A run that is killed
/// leaves such files.
pub fn is_temporary(name: &[u8]) -> bool {
    let Some((run, number)) = name.strip_prefix(TEMPORARY_PREFIX).and_then(|rest| rest.split_at_checked(16))
    else {
        return false;
    };
    let number = number.strip_prefix(b"-").unwrap_or_default();
    run.iter().all(u8::is_ascii_hexdigit) && !number.is_empty() && number.iter().all(u8::is_ascii_digit)
}

/// Names for files that are not complete yet: `.tiu-RUN-NUMBER`. A run that is killed leaves them.
/// No index has them, so the next run removes them.
#[derive(Clone)]
pub(crate) struct TemporaryNames(String);

impl TemporaryNames {
    /// Returns names that no earlier run used.
    pub fn new() -> Self {
        use std::hash::{BuildHasher, Hasher};
        // The kernel seeds the standard library's hasher. It is enough that a collision is
        // unlikely.
        let number = std::collections::hash_map::RandomState::new().build_hasher().finish();
        TemporaryNames(format!("{}{number:016x}-", String::from_utf8_lossy(TEMPORARY_PREFIX)))
    }

    /// Returns the temporary name for entry `number`.
    pub fn name(&self, number: u32) -> CString {
        CString::new(format!("{}{number}", self.0)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temporary_names_are_known_again() {
        let names = TemporaryNames::new();
        assert!(is_temporary(names.name(0).to_bytes()) && is_temporary(names.name(u32::MAX).to_bytes()));
        for other in [
            "",
            ".tiu-",
            ".tiu-0123456789abcdef-",
            ".tiu-0123456789abcdef-x",
            ".tiu-0123456789abcdeg-1",
            ".tiu-file",
        ] {
            assert!(!is_temporary(other.as_bytes()), "{other}");
        }
    }
}
