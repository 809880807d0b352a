//! Owners inside POSIX ACLs.

use super::rules::{Lookup, Rules};

const ACL_ACCESS: &[u8] = b"system.posix_acl_access";
pub(crate) const ACL_DEFAULT: &[u8] = b"system.posix_acl_default";
/// Tags of ACL entries for a named user and a named group (`linux/posix_acl.h`).
const USER: [u8; 2] = 2u16.to_le_bytes();
const GROUP: [u8; 2] = 8u16.to_le_bytes();

/// Returns the value of the attribute `name` of an image with the host's numbers: maps the owners
/// that a POSIX ACL names.
pub fn map_acl_owners(name: &[u8], value: &[u8], rules: &Rules) -> Vec<u8> {
    if is_acl(name) { map_acl(value, &Lookup::new(rules)) } else { value.to_vec() }
}

/// Returns the numbers of the users and groups that the attribute `name` names, if it is a POSIX
/// ACL. The flag is true for a group.
pub fn acl_owners(name: &[u8], value: &[u8]) -> Vec<(u32, bool)> {
    let entries = value.strip_prefix(&2u32.to_le_bytes()).filter(|_| is_acl(name)).unwrap_or_default();
    let (entries, _) = entries.as_chunks::<8>();
    let owner = |[t0, t1, _, _, id @ ..]: &[u8; 8]| match [*t0, *t1] {
        USER => Some((u32::from_le_bytes(*id), false)),
        GROUP => Some((u32::from_le_bytes(*id), true)),
        _ => None,
    };
    entries.iter().filter_map(owner).collect()
}

pub(crate) fn is_acl(name: &[u8]) -> bool {
    name == ACL_ACCESS || name == ACL_DEFAULT
}

/// Maps the users and groups that a POSIX ACL names.
///
/// Format (`linux/posix_acl_xattr.h`): a 32-bit version (2), then entries of a 16-bit tag, 16-bit
/// permissions and a 32-bit number, all little endian. A value in another format is returned
/// unchanged; the kernel refuses it.
pub(crate) fn map_acl(value: &[u8], rules: &Lookup) -> Vec<u8> {
    let mut out = value.to_vec();
    if !value.starts_with(&2u32.to_le_bytes()) {
        return out;
    }
    let (entries, _) = out.get_mut(4..).unwrap_or_default().as_chunks_mut::<8>();
    let mut mapped = false;
    for [t0, t1, _, _, id @ ..] in entries.iter_mut() {
        let old = u32::from_le_bytes(*id);
        let new = match [*t0, *t1] {
            USER => rules.uid(old),
            GROUP => rules.gid(old),
            _ => old,
        };
        mapped |= new != old;
        *id = new.to_le_bytes();
    }
    if mapped {
        // The kernel wants the entries of one tag in ascending order of their numbers.
        entries.sort_by_key(|[t0, t1, _, _, id @ ..]| {
            let tag = u16::from_le_bytes([*t0, *t1]);
            (tag, if [*t0, *t1] == USER || [*t0, *t1] == GROUP { u32::from_le_bytes(*id) } else { 0 })
        });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acl(entries: &[(u16, u16, u32)]) -> Vec<u8> {
        let mut value = 2u32.to_le_bytes().to_vec();
        for (tag, permissions, id) in entries {
            value.extend_from_slice(&tag.to_le_bytes());
            value.extend_from_slice(&permissions.to_le_bytes());
            value.extend_from_slice(&id.to_le_bytes());
        }
        value
    }

    #[test]
    fn owners_in_acls_are_mapped_and_stay_in_order() {
        let rules = Rules { uids: [(10, 99), (20, 5)].into(), gids: [(10, 7)].into(), ..Rules::default() };
        let rules = Lookup::new(&rules);
        let none = u32::MAX;
        let before = acl(&[
            (1, 7, none),
            (2, 4, 10),
            (2, 5, 20),
            (4, 5, none),
            (8, 6, 10),
            (16, 7, none),
            (32, 0, none),
        ]);
        let after = acl(&[
            (1, 7, none),
            (2, 5, 5),
            (2, 4, 99),
            (4, 5, none),
            (8, 6, 7),
            (16, 7, none),
            (32, 0, none),
        ]);
        assert_eq!(map_acl(&before, &rules), after);
        assert_eq!(acl_owners(ACL_DEFAULT, &before), [(10, false), (20, false), (10, true)]);
        assert_eq!(acl_owners(b"user.acl", &before), []);
        for odd in [&b""[..], b"\x02", b"\x03\0\0\0aaaaaaaa", b"\x02\0\0\0short"] {
            assert_eq!(map_acl(odd, &rules), odd);
        }
    }
}
