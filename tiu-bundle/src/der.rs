//! Reads the few DER structures that the `openssl` crate does not expose (ITU-T X.690, the DER
//! subset only: definite lengths in their shortest form, tags below 31).

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// `[n] EXPLICIT` or a constructed `[n] IMPLICIT`.
pub(crate) const fn context(n: u8) -> u8 {
    0xa0 | n
}

/// The place where the bytes stop being DER of the expected form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DerError {
    /// Byte offset from the start of the outermost structure.
    pub offset: usize,
    /// The expected element.
    pub expected: &'static str,
}

/// A tag with its content.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Element<'a> {
    pub tag: u8,
    /// Without tag and length.
    pub content: &'a [u8],
    /// With tag and length.
    pub whole: &'a [u8],
    /// Offset of the content in the outermost structure.
    offset: usize,
}

impl<'a> Element<'a> {
    /// Returns a reader of the content.
    pub fn inside(&self) -> Reader<'a> {
        Reader { rest: self.content, offset: self.offset }
    }
}

/// Takes elements one after the other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader { rest: bytes, offset: 0 }
    }

    /// Returns what was not taken yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Returns whether the next element has `tag`.
    pub fn next_is(&self, tag: u8) -> bool {
        self.rest.first() == Some(&tag)
    }

    /// Takes an element of any tag.
    pub fn any(&mut self, expected: &'static str) -> Result<Element<'a>, DerError> {
        let error = DerError { offset: self.offset, expected };
        let (&tag, after_tag) = self.rest.split_first().ok_or(error)?;
        let (&first, after_first) = after_tag.split_first().ok_or(error)?;
        let (len, content_on) = match first {
            0..=0x7f => (usize::from(first), after_first),
            // Four bytes of length are more than anything that is read here.
            0x81..=0x84 => {
                let (bytes, rest) = after_first.split_at_checked(usize::from(first & 0x7f)).ok_or(error)?;
                let len = bytes.iter().fold(0usize, |len, byte| len << 8 | usize::from(*byte));
                if len < 0x80 || bytes.first() == Some(&0) {
                    return Err(error);
                }
                (len, rest)
            }
            _ => return Err(error),
        };
        if tag & 0x1f == 0x1f {
            return Err(error);
        }
        let (content, rest) = content_on.split_at_checked(len).ok_or(error)?;
        let header = self.rest.len() - content_on.len();
        let whole = self.rest.get(..header + len).ok_or(error)?;
        let element = Element { tag, content, whole, offset: self.offset + header };
        self.rest = rest;
        self.offset += header + len;
        Ok(element)
    }

    /// Takes an element of this tag.
    pub fn take(&mut self, tag: u8, expected: &'static str) -> Result<Element<'a>, DerError> {
        if self.next_is(tag) { self.any(expected) } else { Err(DerError { offset: self.offset, expected }) }
    }

    /// Takes an element of this tag if it is the next.
    pub fn optional(&mut self, tag: u8, expected: &'static str) -> Result<Option<Element<'a>>, DerError> {
        self.next_is(tag).then(|| self.any(expected)).transpose()
    }

    /// Checks that nothing follows.
    pub fn end(&self, expected: &'static str) -> Result<(), DerError> {
        match self.rest {
            [] => Ok(()),
            _ => Err(DerError { offset: self.offset, expected }),
        }
    }
}

/// Returns an object identifier in dotted form.
pub(crate) fn dotted(content: &[u8]) -> String {
    let mut numbers: Vec<u64> = Vec::new();
    let mut number = 0u64;
    for byte in content.iter().take(32) {
        number = number << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            numbers.push(number);
            number = 0;
        }
    }
    let Some((first, rest)) = numbers.split_first() else { return String::new() };
    let top = (first / 40).min(2);
    let mut text = format!("{top}.{}", first - top * 40);
    rest.iter().for_each(|n| text += &format!(".{n}"));
    text
}

/// Returns the seconds since 1970 of a UTCTime or GeneralizedTime in the form that RFC 5280 asks
/// for.
pub(crate) fn unix_time(time: &Element) -> Option<i64> {
    let digits = time.content.strip_suffix(b"Z").filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
    let text = std::str::from_utf8(digits).ok()?;
    let (year, rest) = match (time.tag, text.len()) {
        (UTC_TIME, 12) => {
            let year: i32 = text.get(..2)?.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, text.get(2..)?)
        }
        (GENERALIZED_TIME, 14) => (text.get(..4)?.parse().ok()?, text.get(4..)?),
        _ => return None,
    };
    let field = |at: usize| rest.get(at..at + 2)?.parse::<u8>().ok();
    let month = time::Month::try_from(field(0)?).ok()?;
    let date = time::Date::from_calendar_date(year, month, field(2)?).ok()?;
    let clock = time::Time::from_hms(field(4)?, field(6)?, field(8)?).ok()?;
    Some(time::PrimitiveDateTime::new(date, clock).assume_utc().unix_timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::rfc3339;
    use proptest::prelude::*;

    #[test]
    fn nested_elements() {
        let mut reader = Reader::new(&[0x30, 5, 2, 1, 7, 4, 0, 9]);
        let sequence = reader.take(SEQUENCE, "sequence").expect("a sequence");
        assert_eq!(reader.rest(), [9]);
        let mut inside = sequence.inside();
        assert_eq!(inside.take(INTEGER, "integer").expect("an integer").content, [7]);
        let error = DerError { offset: 5, expected: "end" };
        assert_eq!(inside.end("end"), Err(error));
        assert_eq!(
            inside.optional(OCTET_STRING, "octets").expect("octets").map(|e| e.whole),
            Some([4, 0].as_slice())
        );
        assert_eq!(inside.end("end"), Ok(()));
    }

    #[test]
    fn lengths_that_are_not_der() {
        for bad in [
            [0x30, 0x80, 0, 0].as_slice(),
            &[0x30, 0x81, 1, 0],
            &[0x30, 0x82, 0, 0x80],
            &[0x30, 0x85, 0, 0, 0, 0, 0],
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[0x30, 2, 0],
            &[0x30],
            &[0x3f, 1, 0],
            &[],
        ] {
            assert!(Reader::new(bad).any("anything").is_err(), "{bad:02x?}");
        }
    }

    #[test]
    fn object_identifiers() {
        assert_eq!(dotted(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2]), "1.2.840.113549.1.7.2");
        assert_eq!(dotted(&[0x55, 0x1d, 0x25]), "2.5.29.37");
        assert_eq!(dotted(&[]), "");
    }

    #[test]
    fn times() {
        let time = |tag, text: &'static str| {
            unix_time(&Element { tag, content: text.as_bytes(), whole: &[], offset: 0 }).map(rfc3339)
        };
        assert_eq!(time(UTC_TIME, "260131120000Z").as_deref(), Some("2026-01-31T12:00:00Z"));
        assert_eq!(time(UTC_TIME, "500131120000Z").as_deref(), Some("1950-01-31T12:00:00Z"));
        assert_eq!(time(GENERALIZED_TIME, "20500131120000Z").as_deref(), Some("2050-01-31T12:00:00Z"));
        for bad in
            ["", "Z", "260131120000", "269931120000Z", "26013112000éZ", "20260131120000Z", "2601311200+1Z"]
        {
            assert_eq!(time(UTC_TIME, bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes: Vec<u8>) {
            let mut reader = Reader::new(&bytes);
            while let Ok(element) = reader.any("anything") {
                let _ = (unix_time(&element), dotted(element.content), element.inside().any("anything"));
            }
        }
    }
}
