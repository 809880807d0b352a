//! Reads back paths that [`Shown`](tiu_extract::Shown) has escaped.

/// Returns the bytes that `shown` stands for. Text that is not an escape stands for itself.
pub fn unescape(shown: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(shown.len());
    let mut rest = shown.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
        let (byte, after) = match (first, after) {
            (b'\\', [b'\\', after @ ..]) => (b'\\', after),
            (b'\\', [b'n', after @ ..]) => (b'\n', after),
            (b'\\', [b'x', a, b, after @ ..]) => match hex(&[*a, *b]) {
                Some(byte) => (byte, after),
                None => (first, rest.get(1..).unwrap_or_default()),
            },
            _ => (first, after),
        };
        bytes.push(byte);
        rest = after;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiu_extract::Shown;

    proptest::proptest! {
        #[test]
        fn reading_inverts_writing(path in proptest::collection::vec(1u8..=255, 1..40)) {
            proptest::prop_assert_eq!(unescape(&Shown(&path).to_string()), path);
        }
    }

    #[test]
    fn text_that_is_not_an_escape_stays() {
        assert_eq!(unescape(r"a\xzzb\"), br"a\xzzb\");
    }
}
