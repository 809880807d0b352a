//! The differences between a default and the host's version, as text that patch(1) reads as far as
//! it is about content.

use super::view::{EtcChange, View};
use crate::etc::{ETC, PRISTINE_PATH};
use similar::TextDiff;
use tiu_system::path::TreePath;
use tiu_system::tree::Tree;

/// Largest files that are compared as text, in bytes.
const LIMIT: u64 = 4 << 20;

/// Of a change of `view`, in unified format; metadata before it, one line each.
pub fn unified(view: &View, change: &EtcChange) -> String {
    let mut text = String::new();
    if let (Some(default), Some(host)) = (&change.default, &change.host) {
        let mut line = |what: &str, old: &str, new: &str| {
            if old != new {
                text += &format!("{what} {old} -> {new}\n");
            }
        };
        line("type", &default.kind, &host.kind);
        if default.kind == host.kind {
            let or_none = |value: &Option<String>| value.clone().unwrap_or_default();
            line("mode", &or_none(&default.mode), &or_none(&host.mode));
            line("owner", &format!("{}:{}", default.uid, default.gid), &format!("{}:{}", host.uid, host.gid));
            line("device", &or_none(&default.device), &or_none(&host.device));
            for name in
                default.xattrs.keys().chain(host.xattrs.keys().filter(|n| !default.xattrs.contains_key(*n)))
            {
                let value = |of: &std::collections::BTreeMap<String, String>| {
                    of.get(name).cloned().unwrap_or_else(|| "none".into())
                };
                line(&format!("xattr {name}"), &value(&default.xattrs), &value(&host.xattrs));
            }
        }
    }
    let path = &change.path;
    let pristine = PRISTINE_PATH.join(path.strip_prefix(ETC).unwrap_or(path));
    let old = side(view.tree(), &pristine, change.default.as_ref().map(|facts| facts.kind.as_str()));
    let new = side(view.tree(), path, change.host.as_ref().map(|facts| facts.kind.as_str()));
    let contents = contents(path, &pristine, old.as_deref(), new.as_deref());
    // Both can be too large to be read.
    let is_unread = contents.is_empty() && change.what.contains(&"content");
    text + if is_unread { "Content differs\n" } else { &contents }
}

fn contents(path: &TreePath, pristine: &TreePath, old: Option<&[u8]>, new: Option<&[u8]>) -> String {
    if old.unwrap_or_default() == new.unwrap_or_default() {
        return String::new();
    }
    let is_text = |side: Option<&[u8]>| {
        side.is_none_or(|bytes| std::str::from_utf8(bytes).is_ok_and(|t| !t.contains('\0')))
    };
    let name = |side: Option<&[u8]>, name: String| if side.is_some() { name } else { "/dev/null".into() };
    let (from, to) = (name(old, format!("/{pristine}")), name(new, format!("/{path}")));
    if !is_text(old) || !is_text(new) {
        return format!("Binary files {from} and {to} differ\n");
    }
    let diff = TextDiff::from_lines(old.unwrap_or_default(), new.unwrap_or_default());
    let mut out = Vec::new();
    // Writing to memory does not fail.
    let _ = diff.unified_diff().header(&from, &to).to_writer(&mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// The content of a regular file, the target of a symlink as a line; nothing of what has none, or
/// cannot be read as such any more.
fn side(tree: &Tree, path: &TreePath, kind: Option<&str>) -> Option<Vec<u8>> {
    match kind? {
        "regular file" => match tree.read(path, LIMIT) {
            Ok(content) => content,
            // Too large: shown as what is no text.
            Err(_) => Some(vec![0]),
        },
        "symbolic link" => {
            let mut target = b"-> ".to_vec();
            target.extend(tree.link(path)?);
            target.push(b'\n');
            Some(target)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(old: Option<&[u8]>, new: Option<&[u8]>) -> String {
        super::contents(TreePath::literal("etc/a"), TreePath::literal("usr/x"), old, new)
    }

    #[test]
    fn content_is_compared_line_by_line() {
        let text = contents(Some(b"1\n2\n3\n"), Some(b"1\nzwei\n3"));
        assert_eq!(
            text,
            "--- /usr/x\n+++ /etc/a\n@@ -1,3 +1,3 @@\n 1\n-2\n-3\n+zwei\n+3\n\\ No newline at end of file\n"
        );
        assert!(contents(None, Some(b"new\n")).starts_with("--- /dev/null\n+++ /etc/a\n"));
    }

    #[test]
    fn what_is_no_text_is_not_shown() {
        let text = contents(Some(b"\xff\xfe"), Some(b"text\n"));
        assert_eq!(text, "Binary files /usr/x and /etc/a differ\n");
        assert_eq!(contents(Some(b"\xff"), Some(b"\xff")), "");
    }
}
