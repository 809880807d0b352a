//! Extended attributes, and which of them count.
//!
//! Attributes are read and written through `/proc/self/fd`, because no system call lists those
//! of an inode that is only known by directory descriptor and name, and because it works for every
//! kind of inode alike.
//!
//! `user.*`, `trusted.*`, `security.*` and the POSIX ACLs count. These do not: other `system.*`
//! attributes; filesystem properties such as `btrfs.compression`, which are the host's choice; and
//! labels that the host's security modules put on files (SELinux, Smack, IMA, EVM), where the image
//! has none.

use super::acl::{ACL_DEFAULT, is_acl, map_acl};
use super::reach::Reach;
use super::rules::Lookup;
use super::shown::Shown;
use rustix::io::Errno;
use tiu_bundle::index::Entry;

/// Name and value.
type Attribute = (Box<[u8]>, Box<[u8]>);

/// Extended attributes sorted by name; most inodes have none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct XattrSet(pub Vec<Attribute>);

impl XattrSet {
    /// Returns the attributes that `entry` must have in the target.
    pub fn from_entry(entry: &Entry, rules: &Lookup) -> Self {
        let mut list: Vec<Attribute> = Vec::new();
        for (name, value) in entry.xattrs.iter().filter(|(name, _)| counts(name, rules)) {
            let value = if is_acl(name) { map_acl(value, rules) } else { value.to_vec() };
            list.push((Box::from(&name[..]), value.into_boxed_slice()));
        }
        list.sort();
        XattrSet(list)
    }

    /// Returns the value of the attribute `name`.
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        let i = self.0.binary_search_by(|(n, _)| (**n).cmp(name)).ok()?;
        self.0.get(i).map(|(_, value)| &**value)
    }

    /// Returns the attributes that differ from `other`, for a message: `name=value`, with the value
    /// as text or in hex.
    pub fn shown(&self, other: &XattrSet) -> String {
        let differs = |(name, value): &&Attribute| other.get(name) != Some(value);
        let show = |(name, value): &Attribute| {
            let text = std::str::from_utf8(value).ok().filter(|text| !text.chars().any(char::is_control));
            let value = text.map_or_else(
                || value.iter().fold("0x".to_owned(), |hex, byte| format!("{hex}{byte:02x}")),
                |text| format!("{text:?}"),
            );
            format!("{}={value}", Shown(name))
        };
        let list: Vec<String> = self.0.iter().filter(differs).map(show).collect();
        if list.is_empty() { "none".to_owned() } else { list.join(" ") }
    }

    /// Returns the changes that make `self` equal to `wanted`.
    pub fn changes_to<'a>(&'a self, wanted: &'a XattrSet) -> XattrChanges<'a> {
        XattrChanges {
            remove: self
                .0
                .iter()
                .map(|(n, _)| &**n)
                .filter(|n| wanted.get(n).is_none() && !is_label(n))
                .collect(),
            set: wanted.0.iter().filter(|(n, v)| self.get(n) != Some(v)).map(|(n, v)| (&**n, &**v)).collect(),
        }
    }
}

/// The attributes to remove, by name, and to set.
pub(crate) struct XattrChanges<'a> {
    pub remove: Vec<&'a [u8]>,
    pub set: Vec<(&'a [u8], &'a [u8])>,
}

impl XattrChanges<'_> {
    pub fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.set.is_empty()
    }
}

/// Reads those attributes of an inode that count.
pub(crate) fn read(inode: Reach, rules: &Lookup) -> Result<XattrSet, Errno> {
    let mut small = [0u8; 256];
    let names = match inode.list_xattrs(&mut small) {
        Ok(0) | Err(Errno::OPNOTSUPP) => return Ok(XattrSet::default()),
        Ok(n) => small.get(..n).unwrap_or_default().to_vec(),
        Err(Errno::RANGE) => grow(|buf| inode.list_xattrs(buf))?,
        Err(e) => return Err(e),
    };
    let mut list: Vec<Attribute> = Vec::new();
    for name in names.split(|b| *b == 0).filter(|name| !name.is_empty() && counts(name, rules)) {
        match grow(|buf| inode.get_xattr(name, buf)) {
            Ok(value) => list.push((Box::from(name), value.into_boxed_slice())),
            // Removed in the meantime, or not visible to this process.
            Err(Errno::NODATA) => {}
            Err(e) => return Err(e),
        }
    }
    list.sort();
    Ok(XattrSet(list))
}

/// The largest value or list of names in bytes that Linux allows: `XATTR_SIZE_MAX` and
/// `XATTR_LIST_MAX` in `linux/limits.h`.
const LARGEST: usize = 64 * 1024;

fn grow(mut read: impl FnMut(&mut [u8]) -> Result<usize, Errno>) -> Result<Vec<u8>, Errno> {
    let mut buf = vec![0u8; 512];
    loop {
        match read(&mut buf[..]) {
            Ok(n) => {
                buf.truncate(n);
                return Ok(buf);
            }
            Err(Errno::RANGE) if buf.len() < LARGEST => buf.resize(LARGEST, 0),
            Err(e) => return Err(e),
        }
    }
}

/// Returns true if new inodes in the directory get an ACL from it.
pub(crate) fn has_default_acl(directory: rustix::fd::BorrowedFd) -> bool {
    matches!(rustix::fs::fgetxattr(directory, ACL_DEFAULT, &mut [0u8; 4][..]), Ok(_) | Err(Errno::RANGE))
}

fn counts(name: &[u8], rules: &Lookup) -> bool {
    let starts = |prefix: &[u8]| name.starts_with(prefix);
    starts(b"user.") || is_acl(name) || (rules.owner() && (starts(b"trusted.") || starts(b"security.")))
}

/// Returns true if `name` is that of a label that the host's security modules put on files.
pub fn is_label(name: &[u8]) -> bool {
    name.strip_prefix(b"security.").is_some_and(|label| {
        label.starts_with(b"SMACK64") || [&b"selinux"[..], b"apparmor", b"ima", b"evm"].contains(&label)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn xattrs(list: &[(&str, &str)]) -> XattrSet {
        let bytes = |text: &str| text.as_bytes().to_vec().into_boxed_slice();
        XattrSet(list.iter().map(|(name, value)| (bytes(name), bytes(value))).collect())
    }

    #[test]
    fn labels_of_the_host_stay_and_others_go() {
        let found = xattrs(&[
            ("security.capability", "c"),
            ("security.selinux", "l"),
            ("user.a", "1"),
            ("user.b", "2"),
        ]);
        let wanted = xattrs(&[("user.a", "1"), ("user.b", "3"), ("user.c", "4")]);
        let changes = found.changes_to(&wanted);
        assert_eq!(changes.remove, [&b"security.capability"[..]]);
        assert_eq!(changes.set, [(&b"user.b"[..], &b"3"[..]), (&b"user.c"[..], &b"4"[..])]);
        assert!(found.changes_to(&found.clone()).is_empty());
        assert_eq!(found.shown(&wanted), "security.capability=\"c\" security.selinux=\"l\" user.b=\"2\"");
    }
}
