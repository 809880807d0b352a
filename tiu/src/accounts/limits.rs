//! The numbers that may be assigned: from the host's login.defs(5), otherwise the defaults of
//! shadow-utils.

use std::ops::RangeInclusive;

/// The ranges of numbers that may be assigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// System users (`SYS_UID_MIN`, `SYS_UID_MAX`).
    pub uids: RangeInclusive<u32>,
    /// System groups (`SYS_GID_MIN`, `SYS_GID_MAX`).
    pub gids: RangeInclusive<u32>,
    /// Subordinate users (`SUB_UID_MIN`, `SUB_UID_MAX`).
    pub subuids: RangeInclusive<u32>,
    /// Subordinate groups (`SUB_GID_MIN`, `SUB_GID_MAX`).
    pub subgids: RangeInclusive<u32>,
}

impl Limits {
    /// Reads the text of login.defs. Ignores non-numeric values, empty ranges and 0, which is never
    /// assigned.
    pub fn parse(text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text);
        let value = |key: &str, default: u32| {
            let line = |line: &str| {
                let mut words = line.split_whitespace();
                (words.next() == Some(key))
                    .then(|| words.next().and_then(|value| value.parse().ok()))
                    .flatten()
            };
            text.lines().filter_map(line).next_back().unwrap_or(default)
        };
        let range = |low: (&str, u32), high: (&str, u32)| {
            let (min, max) = (value(low.0, low.1), value(high.0, high.1));
            if min > 0 && min <= max { min..=max } else { low.1..=high.1.max(low.1) }
        };
        let people = value("UID_MIN", 1000).max(1);
        let groups = value("GID_MIN", 1000).max(1);
        Limits {
            uids: range(("SYS_UID_MIN", 101), ("SYS_UID_MAX", people.saturating_sub(1))),
            gids: range(("SYS_GID_MIN", 101), ("SYS_GID_MAX", groups.saturating_sub(1))),
            subuids: range(("SUB_UID_MIN", 100_000), ("SUB_UID_MAX", 600_100_000)),
            subgids: range(("SUB_GID_MIN", 100_000), ("SUB_GID_MAX", 600_100_000)),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits::parse(b"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_two_lines_counts_and_comments_do_not() {
        let limits = Limits::parse(
            b"UID_MIN 500\n#SYS_UID_MIN 1\n SYS_UID_MIN\t201\nSYS_UID_MIN 202 # x\nSYS_GID_MAX 400\n",
        );
        assert_eq!((limits.uids, limits.gids), (202..=499, 101..=400));
    }

    #[test]
    fn empty_ranges_become_the_defaults() {
        let limits = Limits::parse(b"SYS_UID_MIN 0\nSYS_GID_MIN 900\nSYS_GID_MAX 300\nSUB_UID_MIN many\n");
        assert_eq!(limits, Limits::default());
        assert_eq!((limits.uids, limits.subuids), (101..=999, 100_000..=600_100_000));
    }
}
