//! Paths and names as text.

use std::fmt;

/// A path as text that stays on one line: as in the index, `\n`, `\\` and `\xNN` stand for bytes
/// that are not printable text.
pub struct Shown<'a>(pub &'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        if self.0.is_empty() {
            return f.write_char('.');
        }
        tiu_system::path::escape(self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_would_break_a_line() {
        let text = |path: &[u8]| Shown(path).to_string();
        assert_eq!(text(b"a\nb\\c\xff\x01\xc3\xa4"), "a\\nb\\\\c\\xff\\x01\u{e4}");
        assert_eq!(text(b""), ".");
    }
}
