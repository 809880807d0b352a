//! Patterns for paths.

/// Whether `path` fits `pattern`, in which `*` stands for any run of bytes but a slash.
pub fn matches(pattern: &str, path: &[u8]) -> bool {
    let mut parts = pattern.as_bytes().split(|c| *c == b'*');
    let Some(mut rest) = parts.next().and_then(|first| path.strip_prefix(first)) else { return false };
    let parts: Vec<&[u8]> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = (0..=rest.len()).find(|at| rest.get(*at..).is_some_and(|r| r.starts_with(part)))
        else {
            return false;
        };
        if rest.get(..at).is_some_and(|skipped| skipped.contains(&b'/')) {
            return false;
        }
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    rest.strip_suffix(*last).is_some_and(|skipped| !skipped.contains(&b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn a_pattern_without_a_star_fits_itself_alone(pattern in "[a-c/]{0,6}", path in "[a-c/]{0,6}") {
            proptest::prop_assert_eq!(matches(&pattern, path.as_bytes()), pattern == path);
        }

        #[test]
        fn what_a_star_was_put_for_fits(before in "[a-c/]{0,4}", gone in "[a-c]{0,4}", after in "[a-c/]{0,4}") {
            let path = format!("{before}{gone}{after}");
            let pattern = format!("{before}*{after}");
            proptest::prop_assert!(matches(&pattern, path.as_bytes()));
        }
    }

    #[test]
    fn a_star_does_not_cross_a_slash() {
        assert!(matches("etc/ssh/ssh_host_*", b"etc/ssh/ssh_host_rsa_key"));
        assert!(!matches("etc/ssh/ssh_host_*", b"etc/ssh/ssh_host_a/b"));
        assert!(matches("etc/*/x*.conf", b"etc/app/x1.conf"));
        assert!(!matches("etc/*/x*.conf", b"etc/app/y/x1.conf"));
        assert!(matches("etc/fstab", b"etc/fstab"));
        assert!(!matches("etc/fstab", b"etc/fstab2"));
        assert!(!matches("etc/ab*ba", b"etc/aba"));
    }
}
