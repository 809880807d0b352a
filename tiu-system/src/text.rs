//! Text from outside, made fit for a terminal.

/// Returns `text` on one line, unable to steer a terminal: control characters, and those that turn
/// the direction of writing, are escaped.
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    push_printable(&mut shown, text);
    shown
}

/// Returns `bytes` like [`printable`]; bytes that are not UTF-8 are shown as `\xHH`.
pub fn printable_bytes(bytes: &[u8]) -> String {
    let mut shown = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        push_printable(&mut shown, chunk.valid());
        chunk.invalid().iter().for_each(|byte| shown += &format!("\\x{byte:02x}"));
    }
    shown
}

fn push_printable(shown: &mut String, text: &str) {
    let steers = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    for c in text.chars() {
        if steers(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
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
    }
}
