//! Paths in `/etc` that the administrator names.

use super::error::EditError;
use crate::etc::is_etc;
use tiu_system::path::TreePathBuf;

/// Returns the path in `/etc` that `path` names. It must be absolute and have no `.` or `..`; more
/// slashes than needed do not count.
pub fn path_in_etc(path: &str) -> Result<TreePathBuf, EditError> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let found = path.starts_with('/').then(|| TreePathBuf::new(parts.join("/")).ok()).flatten();
    found.filter(|path| is_etc(path)).ok_or_else(|| EditError::NotEtc { found: path.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_absolute_paths_in_etc_are_taken() {
        assert_eq!(path_in_etc("/etc//a/").unwrap().as_bytes(), b"etc/a");
        assert_eq!(path_in_etc("/etc").unwrap().as_bytes(), b"etc");
        for path in ["etc/a", "/usr/a", "/etc/../usr", "/etc/./a", "/etc/a\0", "/etcetera", "", "/"] {
            assert!(matches!(path_in_etc(path), Err(EditError::NotEtc { .. })), "{path}");
        }
    }
}
