//! os-release(5): which distribution a tree holds.

use std::collections::HashMap;

/// The assignments of an os-release file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OsRelease(HashMap<String, String>);

impl OsRelease {
    /// Reads assignments; what is not one (comments, damaged lines) is passed over, as os-release(5) asks of readers.
    pub fn parse(text: &str) -> Self {
        let assignments = text.lines().filter_map(|line| {
            let (key, value) = line.trim().split_once('=')?;
            let valid = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            valid.then(|| (key.to_owned(), unquote(value)))
        });
        OsRelease(assignments.collect())
    }

    /// A value, unless it is absent or empty.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Whether `id` is the distribution's `ID`, or one that it says it is like.
    pub fn is_like(&self, id: &str) -> bool {
        self.get("ID") == Some(id)
            || self.get("ID_LIKE").is_some_and(|like| like.split_whitespace().any(|word| word == id))
    }
}

/// Shell quoting as far as os-release(5) allows it: one quoted or unquoted word, backslash escapes outside single quotes.
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
    fn knows_its_family() {
        let os = OsRelease::parse("ID=\"opensuse-microos\"\nID_LIKE=\"suse opensuse opensuse-tumbleweed\"\n");
        assert!(os.is_like("suse"));
        assert!(os.is_like("opensuse-microos"));
        assert!(!os.is_like("debian"));
    }

    #[test]
    fn a_lonely_quote_or_backslash_is_no_panic() {
        let os = OsRelease::parse("A=\"\nB='\nC=\\\nD=\"x\n");
        assert_eq!(os.get("D"), Some("\"x"));
    }
}
