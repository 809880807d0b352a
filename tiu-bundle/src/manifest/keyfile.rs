//! The syntax of the manifest: a subset of GLib's key file that every reader understands in the
//! same way.
//!
//! ```text
//! # comment
//! [group]
//! key=value
//! ```
//! No spaces before or after key and value, each group and key once, no keys with a language. In
//! values `\s`, `\n`, `\t`, `\r` and `\\` are a space, newline, tab, carriage return and backslash.
//! Source: "Desktop Entry Specification" and GLib's documentation of `GKeyFile`.

use super::ManifestError;

/// A group and its keys in the order of the text.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub name: String,
    pub line: usize,
    pub entries: Vec<KeyfileEntry>,
}

/// One key of a group.
#[derive(Debug)]
pub(super) struct KeyfileEntry {
    pub key: String,
    /// Unescaped.
    pub value: String,
    pub line: usize,
}

/// Returns all groups.
pub(super) fn parse(text: &[u8]) -> Result<Vec<Group>, ManifestError> {
    let text = std::str::from_utf8(text).map_err(|e| ManifestError::NotText { offset: e.valid_up_to() })?;
    let mut groups: Vec<Group> = Vec::new();
    for (line, content) in (1..).zip(text.strip_suffix('\n').unwrap_or(text).split('\n')) {
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let bad_line = || ManifestError::BadLine { line, text: shown(content) };
        if let Some(name) = content.strip_prefix('[') {
            let name = name.strip_suffix(']').filter(|name| is_group_name(name)).ok_or_else(bad_line)?;
            if groups.iter().any(|group| group.name == name) {
                return Err(ManifestError::GroupTwice { line, group: name.to_owned() });
            }
            groups.push(Group { name: name.to_owned(), line, entries: Vec::new() });
            continue;
        }
        let (key, value) = content.split_once('=').ok_or_else(bad_line)?;
        if !is_key(key) || value.trim_ascii() != value {
            return Err(bad_line());
        }
        let value = unescape(value).ok_or_else(|| ManifestError::BadEscape { line, value: shown(value) })?;
        let group = groups.last_mut().ok_or_else(|| ManifestError::NoGroup { line, text: shown(content) })?;
        if group.entries.iter().any(|entry| entry.key == key) {
            return Err(ManifestError::KeyTwice { line, key: format!("[{}] {key}", group.name) });
        }
        group.entries.push(KeyfileEntry { key: key.to_owned(), value, line });
    }
    Ok(groups)
}

/// Returns at most 200 characters, for an error message.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(200).collect()
}

fn is_group_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

fn is_key(key: &str) -> bool {
    !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
}

fn unescape(value: &str) -> Option<String> {
    let mut out = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        out.push(match c {
            '\\' => match chars.next()? {
                's' => ' ',
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                '\\' => '\\',
                _ => return None,
            },
            c => c,
        });
    }
    Some(out)
}

/// Returns the spelling of `value` that [`parse`] reads. Only spaces at its ends need an escape.
pub(super) fn escape(value: &str) -> String {
    let inner = value.trim_matches(' ');
    let (head, tail) = if inner.is_empty() {
        (value.len(), 0)
    } else {
        let (from_start, from_end) = (value.trim_start_matches(' '), value.trim_end_matches(' '));
        (value.len() - from_start.len(), value.len() - from_end.len())
    };
    let inner = inner.replace('\\', r"\\").replace('\n', r"\n").replace('\t', r"\t").replace('\r', r"\r");
    format!("{}{inner}{}", r"\s".repeat(head), r"\s".repeat(tail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn reading_inverts_writing(value in r"[ \\\n\t\rsn=#\[a-cü]{0,12}") {
            let text = format!("[g]\nk={}\n", escape(&value));
            let groups = parse(text.as_bytes()).map_err(|e| TestCaseError::fail(e.to_string()))?;
            prop_assert_eq!(&groups[0].entries[0].value, &value);
        }

        #[test]
        fn nothing_panics(text: Vec<u8>) {
            let _ = parse(&text);
        }
    }
}
