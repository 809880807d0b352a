//! Compares versions by the rules of rpm.
//!
//! Versions are split into runs of digits and runs of letters; everything else only separates.
//! Digits compare as numbers, letters as text, digits are newer than letters, and the longer
//! version wins when the other ends. `~` sorts before everything, even the end (`2.0~rc1` is older
//! than `2.0`); `^` sorts after the end but before any other continuation (`2.0^git1` is newer than
//! `2.0` and older than `2.0.1`). Source: the rpm project's manual page rpm-version(7).

use std::cmp::Ordering;

/// Compares two versions; the newer one is greater.
pub fn compare_versions(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    loop {
        a = skip_separators(a);
        b = skip_separators(b);
        match (a.first(), b.first()) {
            (Some(b'~'), Some(b'~')) | (Some(b'^'), Some(b'^')) => {
                (a, b) = (tail(a), tail(b));
                continue;
            }
            (Some(b'~'), _) => return Ordering::Less,
            (_, Some(b'~')) => return Ordering::Greater,
            (Some(b'^'), None) => return Ordering::Greater,
            (None, Some(b'^')) => return Ordering::Less,
            (Some(b'^'), _) => return Ordering::Less,
            (_, Some(b'^')) => return Ordering::Greater,
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(x), Some(y)) if x.is_ascii_digit() != y.is_ascii_digit() => {
                return if x.is_ascii_digit() { Ordering::Greater } else { Ordering::Less };
            }
            (Some(x), Some(_)) => {
                let digits = x.is_ascii_digit();
                let (left, right);
                (left, a) = run(a, digits);
                (right, b) = run(b, digits);
                let order = if digits { numbers(left, right) } else { left.cmp(right) };
                if order != Ordering::Equal {
                    return order;
                }
            }
        }
    }
}

fn skip_separators(text: &[u8]) -> &[u8] {
    let separators = text.iter().take_while(|c| !c.is_ascii_alphanumeric() && !b"~^".contains(c)).count();
    text.get(separators..).unwrap_or_default()
}

fn tail(text: &[u8]) -> &[u8] {
    text.get(1..).unwrap_or_default()
}

/// Returns the run of digits or letters at the start, and the rest.
fn run(text: &[u8], digits: bool) -> (&[u8], &[u8]) {
    let same = |c: &&u8| if digits { c.is_ascii_digit() } else { c.is_ascii_alphabetic() };
    text.split_at(text.iter().take_while(same).count())
}

/// Compares numbers of any length.
fn numbers(a: &[u8], b: &[u8]) -> Ordering {
    let strip = |n: &[u8]| -> Vec<u8> { n.iter().copied().skip_while(|c| *c == b'0').collect() };
    let (a, b) = (strip(a), strip(b));
    a.len().cmp(&b.len()).then(a.cmp(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_versions_as_rpm_does() {
        let ascending = [
            "1.0~rc1~git2",
            "1.0~rc1",
            "1.0",
            "1.0^git1~pre",
            "1.0^git1",
            "1.0^git2",
            "1.0a",
            "1.0.1",
            "1.1",
            "1.9",
            "1.10",
            "2",
            "10",
            "2024.01.2",
            "2024.1.10",
            "99999999999999999999999999",
            "100000000000000000000000000",
        ];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                assert_eq!(compare_versions(a, b), i.cmp(&j), "{a} against {b}");
            }
        }
    }

    #[test]
    fn separators_and_leading_zeros_do_not_count() {
        for (a, b) in [("1.0", "1-0"), ("1.05", "1.5"), ("20240101", "20240101_"), ("", "."), ("1..0", "1.0")]
        {
            assert_eq!(compare_versions(a, b), Ordering::Equal, "{a} against {b}");
        }
    }

    proptest::proptest! {
        #[test]
        fn comparing_is_an_order(a in "[0-9a-c.~^-]{0,8}", b in "[0-9a-c.~^-]{0,8}", c in "[0-9a-c.~^-]{0,8}") {
            proptest::prop_assert_eq!(compare_versions(&a, &b), compare_versions(&b, &a).reverse());
            proptest::prop_assert_eq!(compare_versions(&a, &a), Ordering::Equal);
            if compare_versions(&a, &b).is_le() && compare_versions(&b, &c).is_le() {
                proptest::prop_assert!(compare_versions(&a, &c).is_le(), "{} {} {}", a, b, c);
            }
        }

        #[test]
        fn any_text_can_be_compared(a: String, b: String) {
            compare_versions(&a, &b);
        }
    }

    #[test]
    fn digits_are_newer_than_letters() {
        assert_eq!(compare_versions("1.a", "1.0"), Ordering::Less);
        assert_eq!(compare_versions("a", "0"), Ordering::Less);
    }
}
