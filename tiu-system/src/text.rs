//! Text from outside, made safe for a terminal.

use std::borrow::Cow;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Returns whether a reader cannot see `c`, or sees the text around it in another order: control
/// characters, what is not displayed (Unicode's property `Default_Ignorable_Code_Point`, which has
/// the marks of direction, the joiners and the variation selectors), the separators of lines and
/// paragraphs, and interlinear annotations.
///
/// Source: DerivedCoreProperties.txt of Unicode 16. The list is fixed, because manifests with such
/// characters are refused: a newer Unicode must not change that.
pub fn is_unprintable(c: char) -> bool {
    c.is_control()
        || !c.is_ascii()
            && matches!(
                c,
                '\u{ad}'
                    | '\u{34f}'
                    | '\u{61c}'
                    | '\u{115f}'..='\u{1160}'
                    | '\u{17b4}'..='\u{17b5}'
                    | '\u{180b}'..='\u{180f}'
                    | '\u{200b}'..='\u{200f}'
                    | '\u{2028}'..='\u{202e}'
                    | '\u{2060}'..='\u{206f}'
                    | '\u{3164}'
                    | '\u{fe00}'..='\u{fe0f}'
                    | '\u{feff}'
                    | '\u{ffa0}'
                    | '\u{fff0}'..='\u{fffb}'
                    | '\u{1bca0}'..='\u{1bca3}'
                    | '\u{1d173}'..='\u{1d17a}'
                    | '\u{e0000}'..='\u{e0fff}'
            )
}

/// Returns `text` on one line, unable to steer a terminal or to deceive its reader:
/// [unprintable](is_unprintable) characters are escaped.
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    push_escaped(&mut shown, text, is_unprintable);
    shown
}

/// Returns `bytes` like [`printable`]; bytes that are not UTF-8 are shown as `\xHH`.
pub fn printable_bytes(bytes: &[u8]) -> String {
    let mut shown = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        push_escaped(&mut shown, chunk.valid(), is_unprintable);
        chunk.invalid().iter().for_each(|byte| shown += &format!("\\x{byte:02x}"));
    }
    shown
}

/// Returns a path like [`printable_bytes`].
pub fn printable_path(path: &Path) -> String {
    printable_bytes(path.as_os_str().as_bytes())
}

/// Returns `text` like [`printable`], except that lines stay lines and tabs stay tabs.
pub fn printable_lines(text: &str) -> Cow<'_, str> {
    let is_escaped = |c: char| !matches!(c, '\n' | '\t') && is_unprintable(c);
    if !text.contains(is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    push_escaped(&mut shown, text, is_escaped);
    Cow::Owned(shown)
}

fn push_escaped(shown: &mut String, text: &str, is_escaped: impl Fn(char) -> bool) {
    for c in text.chars() {
        if is_escaped(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
}

/// Returns a number of bytes for people: `172.3 MiB`.
pub fn bytes(number: u64) -> String {
    let mut value = number as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            return if unit == "B" { format!("{number} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1024.0;
    }
    format!("{value:.1} TiB")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bytes_for_people() {
        let cases = [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (180_716_503, "172.3 MiB")];
        for (number, shown) in cases {
            assert_eq!(bytes(number), shown);
        }
        assert_eq!(bytes(u64::MAX), "16777216.0 TiB");
    }

    #[test]
    fn text_cannot_steer_the_terminal() {
        assert_eq!(printable("a\u{1b}[31mb\nc\u{202e}d é"), "a\\u{1b}[31mb\\nc\\u{202e}d é");
        assert_eq!(printable_bytes(b"a\tb\xffc\xc3\xa9\xc3"), "a\\tb\\xffcé\\xc3");
        assert_eq!(printable_path(Path::new("a\u{1b}\nb")), "a\\u{1b}\\nb");
    }

    #[test]
    fn lines_stay_lines() {
        assert_eq!(printable_lines("a\tb\r\n\u{202e}é\n"), "a\tb\\r\n\\u{202e}é\n");
        assert!(matches!(printable_lines("a\n\tä"), Cow::Borrowed("a\n\tä")));
    }

    #[test]
    fn characters_that_are_not_seen_are_unprintable() {
        let hidden = "\u{ad}\u{61c}\u{200b}\u{200d}\u{200f}\u{2028}\u{2029}\u{202a}\u{202e}\u{2060}\u{2064}\u{2066}\
                      \u{2069}\u{feff}\u{fff9}\u{fffb}\u{fe0f}\u{e0001}\u{e0041}\u{e007f}\u{e0100}\u{7f}\u{9b}\0";
        assert!(hidden.chars().all(is_unprintable));
        assert!(!"aé\u{301}\u{a0} \u{3000}ア한א€😀\u{fffd}".chars().any(is_unprintable));
    }

    proptest! {
        #[test]
        fn what_unicode_does_not_display_is_unprintable(c in r"[\p{Cc}\p{Zl}\p{Zp}\p{DI}]") {
            prop_assert!(c.chars().all(is_unprintable), "{c:?}");
        }

        #[test]
        fn what_unicode_displays_is_printable(c in r"[^\p{C}\p{Zl}\p{Zp}\p{DI}]") {
            prop_assert!(!c.chars().any(is_unprintable), "{c:?}");
        }
    }
}
