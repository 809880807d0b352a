//! Paths and patterns as an administrator writes them: absolute, perhaps with doubled slashes or
//! one at the end.

use tiu_system::glob::Glob;
use tiu_system::path::TreePathBuf;

/// Reads a path below the root. Returns `None` if it is not absolute, names the root, or contains
/// `.` or `..`.
pub(crate) fn tree_path(text: &str) -> Option<TreePathBuf> {
    let parts: Vec<&str> = text.strip_prefix('/')?.split('/').filter(|part| !part.is_empty()).collect();
    TreePathBuf::new(parts.join("/")).ok().filter(|path| !path.is_root())
}

/// Reads a pattern for paths below the root, with the same rules. Only `*` is special.
pub(crate) fn pattern(text: &str) -> Option<Glob> {
    Glob::stars(&format!("/{}", tree_path(text)?.to_str()?)).ok()
}
