//! os-release(5): which distribution a tree holds.

use std::collections::HashMap;

/// The places of the file in a tree: the first that exists counts.
pub const PATHS: [&str; 2] = ["etc/os-release", "usr/lib/os-release"];

/// The assignments of an os-release file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OsRelease(HashMap<String, String>);

impl OsRelease {
    /// Reads assignments. The last one of a key counts. Ignores malformed lines, as os-release(5)
    /// asks.
    pub fn parse(text: &str) -> Self {
        let assignments = text.lines().filter_map(|line| {
            let (key, value) = line.trim().split_once('=')?;
            let valid = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            valid.then(|| (key.to_owned(), unquote(value)))
        });
        OsRelease(assignments.collect())
    }

    /// Returns the value of `key`, unless it is absent or empty.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Returns true if `id` is the distribution's `ID` or one of its `ID_LIKE`.
    pub fn is_like(&self, id: &str) -> bool {
        self.get("ID") == Some(id)
            || self.get("ID_LIKE").is_some_and(|like| like.split_whitespace().any(|word| word == id))
    }
}

/// Removes shell quoting as far as os-release(5) allows it: one quoted or unquoted word, and
/// backslash escapes outside of single quotes.
fn unquote(value: &str) -> String {
    let inner = |quote: char| value.strip_prefix(quote).and_then(|v| v.strip_suffix(quote));
    if let Some(literal) = inner('\'') {
        return literal.to_owned();
    }
    let mut text = String::new();
    let mut chars = inner('"').unwrap_or(value).chars();
    while let Some(c) = chars.next() {
        text.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_kind_of_quoting() {
        let text = "# comment\nID=debian\nNAME=\"Test \\\"OS\\\"\"\nVERSION_ID='12'\n\nbroken line\nEMPTY=\n";
        let os = OsRelease::parse(text);
        assert_eq!(os.get("ID"), Some("debian"));
        assert_eq!(os.get("NAME"), Some("Test \"OS\""));
        assert_eq!(os.get("VERSION_ID"), Some("12"));
        assert_eq!(os.get("EMPTY"), None);
        assert_eq!(os.get("broken line"), None);
    }

    #[test]
    fn the_last_assignment_counts_and_a_lone_quote_is_a_character() {
        let text = "ID=debian\nNAME=\"Debian \\\"x\\\"\"\nBROKEN\nID=other\nX=\"\nY=a\\ b\n";
        let os = OsRelease::parse(text);
        let found = ["ID", "NAME", "BROKEN", "X", "Y"].map(|key| os.get(key));
        assert_eq!(found, [Some("other"), Some("Debian \"x\""), None, Some("\""), Some("a b")]);
    }

    #[test]
    fn knows_its_family() {
        let os = OsRelease::parse("ID=\"opensuse-microos\"\nID_LIKE=\"suse opensuse opensuse-tumbleweed\"\n");
        assert!(os.is_like("suse"));
        assert!(os.is_like("opensuse-microos"));
        assert!(!os.is_like("debian"));
    }

    #[test]
    fn a_lone_quote_or_backslash_does_not_panic() {
        let os = OsRelease::parse("A=\"\nB='\nC=\\\nD=\"x\n");
        assert_eq!(os.get("D"), Some("\"x"));
    }
}
