//! POSIX ACLs as extended attributes. The kernel refuses a malformed one when it is set, so an
//! image with one could not be installed.

use super::error::AclError;
use super::limits::MAX_ID;

/// Names of the attributes that hold an ACL (acl(5), `linux/xattr.h`).
const NAMES: [&[u8]; 2] = [b"system.posix_acl_access", b"system.posix_acl_default"];

/// Tags of entries (`linux/posix_acl.h`).
const USER_OBJ: u16 = 0x01;
const USER: u16 = 0x02;
const GROUP_OBJ: u16 = 0x04;
const GROUP: u16 = 0x08;
const MASK: u16 = 0x10;
const OTHER: u16 = 0x20;

/// Checks the value of the attribute `name`, if it is an ACL: a 32-bit version (2), then entries of
/// a 16-bit tag, 16-bit permissions and a 32-bit number, all little endian
/// (`linux/posix_acl_xattr.h`). Tags come in the kernel's order, and each number of a user or group
/// is one that a file can have.
pub fn check_acl(name: &[u8], value: &[u8]) -> Result<(), AclError> {
    if !NAMES.contains(&name) {
        return Ok(());
    }
    let entries = value.strip_prefix(&2u32.to_le_bytes()).map(<[u8]>::as_chunks::<8>);
    let Some((entries, [])) = entries else { return Err(AclError::Format { size: value.len() }) };
    let mut previous = 0;
    let mut names_somebody = false;
    let mut tags = 0;
    for [t0, t1, p0, p1, id @ ..] in entries {
        let (tag, permissions) = (u16::from_le_bytes([*t0, *t1]), u16::from_le_bytes([*p0, *p1]));
        let repeats = matches!(tag, USER | GROUP) && tag == previous;
        if !matches!(tag, USER_OBJ | USER | GROUP_OBJ | GROUP | MASK | OTHER) || permissions > 7 {
            return Err(AclError::Entry { tag, permissions });
        }
        if tag <= previous && !repeats {
            return Err(AclError::Order { tag, previous });
        }
        let id = u32::from_le_bytes(*id);
        if matches!(tag, USER | GROUP) {
            names_somebody = true;
            if id > MAX_ID {
                return Err(AclError::Number { what: if tag == USER { "user" } else { "group" }, found: id });
            }
        }
        previous = tag;
        tags |= tag;
    }
    let needed = USER_OBJ | GROUP_OBJ | OTHER | if names_somebody { MASK } else { 0 };
    match needed & !tags {
        0 => Ok(()),
        missing => Err(AclError::Missing { tags: missing }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: u32 = u32::MAX;

    fn check(entries: &[(u16, u16, u32)]) -> Result<(), AclError> {
        let mut value = 2u32.to_le_bytes().to_vec();
        for (tag, permissions, id) in entries {
            value.extend(tag.to_le_bytes());
            value.extend(permissions.to_le_bytes());
            value.extend(id.to_le_bytes());
        }
        let found = NAMES.map(|name| check_acl(name, &value));
        assert_eq!(found[0], found[1]);
        found[0]
    }

    #[test]
    fn acls_that_the_kernel_takes() {
        check(&[(1, 7, NONE), (4, 5, NONE), (32, 0, NONE)]).unwrap();
        check(&[(1, 7, NONE), (4, 5, NONE), (16, 5, NONE), (32, 0, NONE)]).unwrap();
        check(&[
            (1, 7, 0),
            (2, 4, 5),
            (2, 4, 4_294_967_294),
            (4, 5, 0),
            (8, 1, 0),
            (8, 1, 1),
            (16, 5, 0),
            (32, 0, 0),
        ])
        .unwrap();
    }

    #[test]
    fn a_user_or_a_group_that_is_nobody_is_refused() {
        for (tag, at, what) in [(USER, 1, "user"), (GROUP, 2, "group")] {
            let named = |id| {
                let mut entries = vec![(1, 7, NONE), (4, 5, NONE), (16, 7, NONE), (32, 0, NONE)];
                entries.insert(at, (tag, 4, id));
                check(&entries)
            };
            assert_eq!(named(NONE), Err(AclError::Number { what, found: NONE }));
            assert_eq!(named(NONE - 1), Ok(()));
        }
    }

    #[test]
    fn acls_that_the_kernel_refuses() {
        assert_eq!(check(&[(1, 8, 0)]), Err(AclError::Entry { tag: 1, permissions: 8 }));
        assert_eq!(check(&[(3, 1, 0)]), Err(AclError::Entry { tag: 3, permissions: 1 }));
        assert_eq!(check(&[(4, 1, 0), (1, 1, 0)]), Err(AclError::Order { tag: 1, previous: 4 }));
        assert_eq!(check(&[(1, 1, 0), (1, 1, 0)]), Err(AclError::Order { tag: 1, previous: 1 }));
        assert_eq!(check(&[(1, 1, 0), (32, 1, 0)]), Err(AclError::Missing { tags: 4 }));
        let unmasked = [(1, 7, 0), (4, 5, 0), (8, 4, 7), (32, 0, 0)];
        assert_eq!(check(&unmasked), Err(AclError::Missing { tags: 16 }));
        for odd in [&b""[..], b"\x02", b"\x03\0\0\0aaaaaaaa", b"\x02\0\0\0short"] {
            assert_eq!(check_acl(NAMES[0], odd), Err(AclError::Format { size: odd.len() }));
            assert_eq!(check_acl(b"user.acl", odd), Ok(()));
        }
        assert_eq!(check(&[]), Err(AclError::Missing { tags: 37 }));
    }
}
