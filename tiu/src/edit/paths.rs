//! Paths in `/etc` that the administrator names.

use super::error::EditError;

/// Returns the path in `/etc` that `path` names. It must be absolute and have no `.` or `..`.
pub fn path_in_etc(path: &str) -> Result<Vec<u8>, EditError> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let fits = path.starts_with('/')
        && parts.first() == Some(&"etc")
        && !parts.iter().any(|part| matches!(*part, "." | ".."));
    if fits { Ok(parts.join("/").into_bytes()) } else { Err(EditError::NotEtc { found: path.to_owned() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_absolute_paths_in_etc_are_taken() {
        assert_eq!(path_in_etc("/etc//a/").unwrap(), b"etc/a");
        assert_eq!(path_in_etc("/etc").unwrap(), b"etc");
        for path in ["etc/a", "/usr/a", "/etc/../usr", "/etcetera", "", "/"] {
            assert!(matches!(path_in_etc(path), Err(EditError::NotEtc { .. })), "{path}");
        }
    }
}
