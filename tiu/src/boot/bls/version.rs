//! Compares versions as systemd-boot does, by the UAPI Group's Version Format Specification.

use std::cmp::Ordering;

/// Compares two versions; the newer one is greater.
///
/// `~` is older than anything, even the end; then come the end, `-`, `^`, `.`, letters, digits.
/// Digits compare as numbers. Other characters only separate.
pub fn compare(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    loop {
        (a, b) = (skip_others(a), skip_others(b));
        if let Some(order) = special(&mut a, &mut b, b'~') {
            return order;
        }
        if a.is_empty() || b.is_empty() {
            return a.len().cmp(&b.len());
        }
        for separator in [b'-', b'^', b'.'] {
            if let Some(order) = special(&mut a, &mut b, separator) {
                return order;
            }
        }
        let digits = [a, b].iter().any(|text| text.first().is_some_and(u8::is_ascii_digit));
        let (left, right);
        (left, a) = run(a, digits);
        (right, b) = run(b, digits);
        let order = if digits { numbers(left, right) } else { left.cmp(right) };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// Takes `separator` from both. Where only one has it, that one is older.
fn special(a: &mut &[u8], b: &mut &[u8], separator: u8) -> Option<Ordering> {
    match (a.strip_prefix(&[separator]), b.strip_prefix(&[separator])) {
        (Some(left), Some(right)) => (*a, *b) = (left, right),
        (Some(_), None) => return Some(Ordering::Less),
        (None, Some(_)) => return Some(Ordering::Greater),
        (None, None) => {}
    }
    None
}

fn skip_others(text: &[u8]) -> &[u8] {
    let others = text.iter().take_while(|c| !c.is_ascii_alphanumeric() && !b"~-^.".contains(c)).count();
    text.get(others..).unwrap_or_default()
}

/// Returns the run of digits or letters at the start, and the rest.
fn run(text: &[u8], digits: bool) -> (&[u8], &[u8]) {
    let same = |c: &&u8| if digits { c.is_ascii_digit() } else { c.is_ascii_alphabetic() };
    text.split_at(text.iter().take_while(same).count())
}

/// Compares numbers of any length. No number is older than any number.
fn numbers(a: &[u8], b: &[u8]) -> Ordering {
    let strip = |n: &[u8]| n.iter().copied().skip_while(|c| *c == b'0').collect::<Vec<u8>>();
    let (left, right) = (strip(a), strip(b));
    b.is_empty().cmp(&a.is_empty()).then(left.len().cmp(&right.len())).then(left.cmp(&right))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification, from the oldest to the newest.
    const ASCENDING: [&str; 14] = [
        "~1", "", "ab", "abb", "abc", "0001", "002", "12", "122", "122.9", "123~rc1", "123", "123-a",
        "123-a.1",
    ];

    #[test]
    fn versions_are_ordered_as_the_specification_says() {
        for (i, a) in ASCENDING.iter().enumerate() {
            for (j, b) in ASCENDING.iter().enumerate() {
                assert_eq!(compare(a, b), i.cmp(&j), "{a:?} and {b:?}");
            }
        }
        let more = [("123-a.1", "123-3"), ("123-3", "123-3.1"), ("123-9", "123^1"), ("123^1", "123.1")];
        for (older, newer) in more {
            assert_eq!(compare(older, newer), Ordering::Less, "{older} {newer}");
            assert_eq!(compare(newer, older), Ordering::Greater, "{older} {newer}");
        }
        for (a, b) in [("1_2_3", "1_2_3"), ("B_", "B"), ("01", "1"), ("1!2", "1+2")] {
            assert_eq!(compare(a, b), Ordering::Equal, "{a} {b}");
        }
    }

    #[test]
    fn generations_count() {
        assert_eq!(compare("5.1", "4.2"), Ordering::Greater);
        assert_eq!(compare("10.2", "9.300"), Ordering::Greater);
        assert_eq!(compare("18446744073709551616.1", "9.1"), Ordering::Greater);
    }
}
