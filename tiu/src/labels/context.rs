//! The label that a file gets.

use std::collections::BTreeSet;
use tiu_bundle::selinux::label_type;

/// Types that an administrator may have set by hand, and that setfiles(8) leaves alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Types(BTreeSet<String>);

impl Types {
    /// Reads customizable_types(5): a type in each line.
    pub fn parse(text: &str) -> Self {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        Types(lines.map(str::to_owned).collect())
    }

    fn has(&self, name: &[u8]) -> bool {
        std::str::from_utf8(name).is_ok_and(|name| self.0.contains(name))
    }
}

/// Returns the label that a file must be given which has the label `found`, and for which the
/// policy says `policy`; `None` if it keeps what it has.
///
/// As setfiles(8) does, only the type counts, and types that are customizable stay.
pub fn wanted<'a>(found: Option<&[u8]>, policy: &'a [u8], customizable: &Types) -> Option<&'a [u8]> {
    let stays = found
        .and_then(label_type)
        .is_some_and(|found| Some(found) == label_type(policy) || customizable.has(found));
    (!stays).then_some(policy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_counts_and_a_customizable_one_stays() {
        let types = Types::parse("# by hand\n\n public_content_t \n");
        let policy = b"system_u:object_r:etc_t:s0\0";
        let wanted = |found: Option<&str>| wanted(found.map(str::as_bytes), policy, &types);
        assert_eq!(wanted(None), Some(&policy[..]));
        assert_eq!(wanted(Some("system_u:object_r:old_t:s0\0")), Some(&policy[..]));
        assert_eq!(wanted(Some("system_u:object_r:unlabeled_t:s0\0")), Some(&policy[..]));
        assert_eq!(wanted(Some("garbage")), Some(&policy[..]));
        assert_eq!(wanted(Some("")), Some(&policy[..]));
        assert_eq!(wanted(Some("unconfined_u:object_r:etc_t:s0\0")), None);
        assert_eq!(wanted(Some("unconfined_u:object_r:public_content_t:s0")), None);
    }
}
