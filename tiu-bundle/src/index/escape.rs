//! The escaping of composefs-dump(5), which writes arbitrary bytes in a field.
//!
//! Printable ASCII stands for itself; backslash, newline, carriage return and tab are `\\`, `\n`,
//! `\r`, `\t`; every other byte is `\xHH`. In extended attributes `=` is escaped too. The format
//! allows more spellings of one value; this module writes and reads only this one (the one
//! composefs-info prints), so two values are equal only if their texts are.

use crate::sha256::hex_digit;
use std::borrow::Cow;

/// The place of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    /// One of the fixed fields.
    Fixed,
    /// Name or value of an extended attribute, where `=` has a meaning.
    Xattr,
}

impl Field {
    /// Returns whether `c` stands for itself.
    fn plain(self, c: u8) -> bool {
        c.is_ascii_graphic() && c != b'\\' && (c != b'=' || self == Field::Fixed)
    }
}

/// Appends `value` to `out`. The caller writes `-` for a value that is absent.
pub(super) fn escape(out: &mut Vec<u8>, value: &[u8], field: Field) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    if value == b"-" && field == Field::Fixed {
        out.extend_from_slice(br"\x2d");
        return;
    }
    for &c in value {
        match c {
            c if field.plain(c) => out.push(c),
            b'\\' => out.extend_from_slice(br"\\"),
            b'\n' => out.extend_from_slice(br"\n"),
            b'\r' => out.extend_from_slice(br"\r"),
            b'\t' => out.extend_from_slice(br"\t"),
            c => out.extend_from_slice(&[
                b'\\',
                b'x',
                DIGITS[usize::from(c >> 4)],
                DIGITS[usize::from(c & 15)],
            ]),
        }
    }
}

/// Returns the value that `text` spells, or `None` if it is not spelled as [`escape`] does, or is
/// the `-` of an absent value.
pub(super) fn unescape(text: &[u8], field: Field) -> Option<Cow<'_, [u8]>> {
    if text == b"-" && field == Field::Fixed {
        return None;
    }
    if text.iter().all(|c| field.plain(*c)) {
        return Some(Cow::Borrowed(text));
    }
    let mut value = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((c, escaped, tail)) = next(rest) {
        let spelled_right = match (c, escaped) {
            (c, Escape::None) => field.plain(c),
            (_, Escape::Short) => true,
            (b'\\' | b'\n' | b'\r' | b'\t', Escape::Hex) => false,
            (c, Escape::Hex) => !field.plain(c) || (text == br"\x2d" && field == Field::Fixed),
        };
        if !spelled_right {
            return None;
        }
        value.push(c);
        rest = tail;
    }
    rest.is_empty().then_some(Cow::Owned(value))
}

/// The bytes of a text that [`unescape`] accepts, without an allocation.
pub(super) struct Unescaped<'a>(pub &'a [u8]);

impl Iterator for Unescaped<'_> {
    type Item = u8;
    fn next(&mut self) -> Option<u8> {
        let (c, _, tail) = next(self.0)?;
        self.0 = tail;
        Some(c)
    }
}

enum Escape {
    None,
    Short,
    Hex,
}

/// Returns the first byte of the value, its spelling, and the rest; `None` at the end and at
/// something that is not an escape.
fn next(text: &[u8]) -> Option<(u8, Escape, &[u8])> {
    match text {
        [b'\\', b'x', high, low, tail @ ..] => {
            Some((hex_digit(*high)? << 4 | hex_digit(*low)?, Escape::Hex, tail))
        }
        [b'\\', b'\\', tail @ ..] => Some((b'\\', Escape::Short, tail)),
        [b'\\', b'n', tail @ ..] => Some((b'\n', Escape::Short, tail)),
        [b'\\', b'r', tail @ ..] => Some((b'\r', Escape::Short, tail)),
        [b'\\', b't', tail @ ..] => Some((b'\t', Escape::Short, tail)),
        [b'\\', ..] | [] => None,
        [c, tail @ ..] => Some((*c, Escape::None, tail)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn escaped(value: &[u8], field: Field) -> String {
        let mut out = Vec::new();
        escape(&mut out, value, field);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn spelling() {
        assert_eq!(escaped(b"/a b\n\t\r\\=\0\xff-", Field::Fixed), r"/a\x20b\n\t\r\\=\x00\xff-");
        assert_eq!(escaped(b"a=b", Field::Xattr), r"a\x3db");
        assert_eq!(escaped(b"-", Field::Fixed), r"\x2d");
        assert_eq!(escaped(b"-", Field::Xattr), "-");
    }

    #[test]
    fn other_spellings_are_refused() {
        for bad in [
            r"\", r"a\", r"\x", r"\x2", r"\x2D", r"\x4", r"\x41", r"\x2da", r"\x0a", r"\x5c", r"\q", "a b",
            "\n", "é",
        ] {
            assert_eq!(unescape(bad.as_bytes(), Field::Fixed), None, "{bad:?}");
        }
        assert_eq!(unescape(b"=", Field::Xattr), None);
        assert_eq!(unescape(br"\x3d", Field::Fixed), None);
    }

    proptest! {
        #[test]
        fn unescape_inverts_escape(value: Vec<u8>, xattr: bool) {
            let field = if xattr { Field::Xattr } else { Field::Fixed };
            let text = escaped(&value, field);
            prop_assert_eq!(unescape(text.as_bytes(), field), Some(Cow::Borrowed(value.as_slice())));
            prop_assert_eq!(Unescaped(text.as_bytes()).collect::<Vec<_>>(), value);
        }

        #[test]
        fn each_value_has_one_spelling(text in r"[a\\xnrt0-9f=\- ]{0,12}", xattr: bool) {
            let field = if xattr { Field::Xattr } else { Field::Fixed };
            if let Some(value) = unescape(text.as_bytes(), field) {
                prop_assert_eq!(escaped(&value, field), text);
            }
        }
    }
}
