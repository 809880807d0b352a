//! Paths and index entries of `/etc`.

use tiu_bundle::index::{Entry, Index};

/// The path of `/etc` in a tree.
pub const ETC: &[u8] = b"etc";

/// Returns whether `path` is `/etc` or below it.
pub fn is_etc(path: &[u8]) -> bool {
    is_within(path, ETC)
}

/// Returns the entries of `/etc` in path order, without reading all other entries.
pub fn entries(index: &Index) -> impl Iterator<Item = Entry<'_>> {
    entries_at(index, ETC)
}

/// Returns the entries at `top` and below it in path order, without reading all other entries.
pub fn entries_at<'a>(index: &'a Index, top: &'static [u8]) -> impl Iterator<Item = Entry<'a>> {
    let first = index.find(top).unwrap_or(index.len());
    // In the order of bytes, names like `etc-old` are between `etc` and its content.
    let near = (first..index.len())
        .map(|i| index.entry(i))
        .take_while(move |entry| entry.path.as_bytes().starts_with(top));
    near.filter(move |entry| is_within(entry.path.as_bytes(), top))
}

/// Returns whether `path` is `top` or below it.
pub fn is_within(path: &[u8], top: &[u8]) -> bool {
    path.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_begin_like_etc_are_not_etc() {
        assert!(is_etc(b"etc") && is_etc(b"etc/a"));
        assert!(!is_etc(b"etcetera") && !is_etc(b"usr/etc"));
    }

    #[test]
    fn all_entries_of_etc_are_found_and_no_others() {
        let line = |path: &str| format!("{path} 0 40755 1 0 0 0 0.0 - - -\n");
        let all = ["/", "/a", "/etc", "/etc-old", "/etc-old/a", "/etc/a", "/etc/b", "/etcetera", "/usr"];
        let index = Index::parse(all.map(line).concat().into_bytes()).unwrap();
        let found: Vec<_> = entries(&index).map(|entry| entry.path.into_owned().into_bytes()).collect();
        assert_eq!(found, [&b"etc"[..], b"etc/a", b"etc/b"]);
    }
}
