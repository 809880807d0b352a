//! The users who can enter `.snapshots`.

use super::open::Host;
use rustix::fs::{fgetxattr, fstat};

/// Attribute of a POSIX access list (acl(5), linux/posix_acl_xattr.h).
const ACCESS_LIST: &str = "system.posix_acl_access";
/// Largest access list that is read, in bytes: thousands of entries.
const MAX_LIST: usize = 64 << 10;

/// Tags of entries of an access list for a named user, a named group, and the mask of both.
const USER: u16 = 0x02;
const GROUP: u16 = 0x08;
const MASK: u16 = 0x10;
/// The permission to enter a directory.
const ENTER: u16 = 1;

impl Host {
    /// Returns a warning if users other than root can enter `.snapshots`.
    ///
    /// Old snapshots have old programs. One with set-user-ID and a fault that newer images have
    /// mended can be run there by everybody who reaches it.
    pub fn snapshots_are_open(&self) -> Option<String> {
        let stat = fstat(self.snapshots_fd()).ok()?;
        let mut list = vec![0; MAX_LIST];
        let length = fgetxattr(self.snapshots_fd(), ACCESS_LIST, &mut list[..]).unwrap_or(0);
        let list = list.get(..length).unwrap_or_default();
        let who = who_can_enter(stat.st_mode, stat.st_uid, stat.st_gid, list)?;
        let path = self.root().join(".snapshots");
        let path = path.display();
        Some(format!(
            "{who} can enter {path}, and run programs of old snapshots with faults that newer images have mended: \
             setfacl -b {path}; chown root:root {path}; chmod 0750 {path}"
        ))
    }
}

/// Returns who can enter a directory besides root, for a message.
fn who_can_enter(mode: u32, uid: u32, gid: u32, list: &[u8]) -> Option<&'static str> {
    let (named_user, named_group) = named(list);
    if mode & 0o001 != 0 {
        Some("every user")
    } else if uid != 0 && mode & 0o100 != 0 {
        Some("its owner, who is not root,")
    } else if gid != 0 && mode & 0o010 != 0 {
        Some("its group, which is not root's,")
    } else if named_user {
        Some("a user in its access list")
    } else if named_group {
        Some("a group in its access list")
    } else {
        None
    }
}

/// Returns whether a named user or a named group of an access list can enter.
fn named(list: &[u8]) -> (bool, bool) {
    // A version of four bytes, then entries of a tag, permissions and a number, little endian.
    let (entries, _) = list.get(4..).unwrap_or_default().as_chunks::<8>();
    let entries = entries.iter().map(|[a, b, c, d, ..]| (u16::from_le_bytes([*a, *b]), [*c, *d]));
    let entries: Vec<_> = entries.map(|(tag, bits)| (tag, u16::from_le_bytes(bits) & ENTER != 0)).collect();
    let has = |wanted: u16| entries.contains(&(wanted, true));
    let masked = entries.contains(&(MASK, false));
    (has(USER) && !masked, has(GROUP) && !masked)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(entries: &[(u16, u16, u32)]) -> Vec<u8> {
        let mut bytes = 2u32.to_le_bytes().to_vec();
        for (tag, permissions, id) in entries {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(permissions.to_le_bytes());
            bytes.extend(id.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn whoever_can_enter_besides_root_is_named() {
        let plain = |mode, uid, gid| who_can_enter(mode, uid, gid, &[]);
        assert_eq!(plain(0o40750, 0, 0), None);
        assert_eq!(plain(0o40744, 0, 0), None);
        assert_eq!(plain(0o40700, 0, 100), None);
        assert_eq!(plain(0o40755, 0, 0), Some("every user"));
        assert_eq!(plain(0o40701, 0, 0), Some("every user"));
        assert!(plain(0o40750, 0, 100).unwrap().contains("group"));
        assert!(plain(0o40750, 1000, 0).unwrap().contains("owner"));
        let acl = |entries: &[(u16, u16, u32)]| who_can_enter(0o40750, 0, 0, &list(entries));
        assert!(acl(&[(USER, 5, 1000), (MASK, 5, 0)]).unwrap().contains("user in its access list"));
        assert!(acl(&[(GROUP, 5, 100), (MASK, 5, 0)]).unwrap().contains("group in its access list"));
        assert_eq!(acl(&[(USER, 5, 1000), (MASK, 4, 0)]), None);
        assert_eq!(acl(&[(USER, 4, 1000), (MASK, 5, 0)]), None);
        assert_eq!(who_can_enter(0o40750, 0, 0, b"short"), None);
    }
}
