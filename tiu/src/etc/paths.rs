//! Paths and index entries of `/etc`.

use tiu_bundle::index::{Entry, Index};
use tiu_system::path::TreePath;

/// The path of `/etc` in a tree.
pub const ETC: &TreePath = TreePath::literal("etc");

/// Returns whether `path` is `/etc` or below it.
pub fn is_etc(path: &TreePath) -> bool {
    path.starts_with(ETC)
}

/// Returns the entries of `/etc` in path order, without reading all other entries.
pub fn entries(index: &Index) -> impl Iterator<Item = Entry<'_>> {
    entries_at(index, ETC)
}

/// Returns the entries at `top` and below it in path order, without reading all other entries.
pub fn entries_at<'a>(index: &'a Index, top: &'static TreePath) -> impl Iterator<Item = Entry<'a>> {
    let first = index.find(top).unwrap_or(index.len());
    // In the order of bytes, names like `etc-old` are between `etc` and its content.
    let near = (first..index.len())
        .map(|i| index.entry(i))
        .take_while(move |entry| entry.path.as_bytes().starts_with(top.as_bytes()));
    near.filter(move |entry| entry.path.starts_with(top))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_begin_like_etc_are_not_etc() {
        let is_etc = |path: &'static str| is_etc(TreePath::literal(path));
        assert!(is_etc("etc") && is_etc("etc/a"));
        assert!(!is_etc("etcetera") && !is_etc("usr/etc"));
    }

    #[test]
    fn all_entries_of_etc_are_found_and_no_others() {
        let line = |path: &str| format!("{path} 0 40755 1 0 0 0 0.0 - - -\n");
        let all = ["/", "/a", "/etc", "/etc-old", "/etc-old/a", "/etc/a", "/etc/b", "/etcetera", "/usr"];
        let index = Index::parse(all.map(line).concat().into_bytes()).unwrap();
        let found: Vec<_> = entries(&index).map(|entry| entry.path.to_string()).collect();
        assert_eq!(found, ["etc", "etc/a", "etc/b"]);
    }
}
