//! Reads an entry from a line of the index, and writes it.

use super::error::{LineError, shown};
use super::escape::{Field, escape};
use super::limits::{MAX_DEVICE, MAX_ID};
use super::value::{digest, number, path, split_mode, symlink_target, time, xattrs};
use super::{Entry, Kind};
use crate::content_digest::{Digest, digest_bytes};
use crate::sha256::{from_hex, to_hex};
use std::borrow::Cow;
use std::io::Write;
use std::sync::LazyLock;
use tiu_system::path::TreePath;

/// The byte that stands for a digest, and for the payload that follows from it, where digests are
/// kept apart. No line has it: a byte that is not printable is escaped.
pub(super) const MARK: u8 = 1;

/// Digest of an empty file, which the format does not spell out.
pub(super) static EMPTY_FILE: LazyLock<Digest> = LazyLock::new(|| digest_bytes(b""));

/// The eleven fixed fields and the extended attributes, as they are in the text.
pub(super) struct Fields<'a> {
    pub path: &'a [u8],
    size: &'a [u8],
    /// Without `@`.
    mode: &'a [u8],
    /// True if the mode starts with `@`.
    pub is_link: bool,
    nlink: &'a [u8],
    uid: &'a [u8],
    gid: &'a [u8],
    rdev: &'a [u8],
    mtime: &'a [u8],
    payload: &'a [u8],
    content: &'a [u8],
    digest: &'a [u8],
    /// Everything after the digest; empty or starting with a space.
    xattrs: &'a [u8],
}

impl<'a> Fields<'a> {
    /// Splits `line`, which has no newline.
    pub fn split(line: &'a [u8]) -> Result<Self, LineError> {
        let mut rest = Some(line);
        let mut field = |name| {
            let text = rest.ok_or(LineError::MissingField(name))?;
            let (field, tail) = match text.iter().position(|c| *c == b' ') {
                Some(at) => (text.get(..at), text.get(at + 1..)),
                None => (Some(text), None),
            };
            rest = tail;
            field.ok_or(LineError::MissingField(name))
        };
        let path = field("path")?;
        let size = field("size")?;
        let mode = field("mode")?;
        let link_mode = mode.strip_prefix(b"@");
        Ok(Fields {
            path,
            size,
            mode: link_mode.unwrap_or(mode),
            is_link: link_mode.is_some(),
            nlink: field("number of links")?,
            uid: field("owner")?,
            gid: field("group")?,
            rdev: field("device number")?,
            mtime: field("time")?,
            payload: field("payload")?,
            content: field("content")?,
            digest: field("digest")?,
            xattrs: rest.map_or(&[], |tail| line.get(line.len() - tail.len() - 1..).unwrap_or(&[])),
        })
    }

    /// Returns a hash of everything that the names of an inode have in common. Every value has one
    /// spelling, so the texts can be compared.
    pub fn inode_hash(&self) -> Digest {
        let parts = [
            self.size,
            self.mode,
            self.nlink,
            self.uid,
            self.gid,
            self.rdev,
            self.mtime,
            self.content,
            self.digest,
            self.xattrs,
        ];
        Digest::compute(&parts.join(&b' '))
    }

    /// Appends `line`, of which these are the fields, with [`MARK`] in the place of its digest and
    /// of what follows from that. Returns the digest. Appends nothing if the line has none.
    pub fn write_without_digest(&self, line: &[u8], out: &mut Vec<u8>) -> Option<Digest> {
        let digest = Digest(from_hex(self.digest)?);
        out.extend_from_slice(self.before_payload(line));
        if self.is_link {
            out.extend_from_slice(self.payload)
        } else {
            out.push(MARK)
        }
        out.extend_from_slice(b" - ");
        out.push(MARK);
        out.extend_from_slice(self.xattrs);
        Some(digest)
    }

    /// Appends `line`, of which these are the fields, with `digest` in the place of [`MARK`].
    pub fn write_with_digest(&self, line: &[u8], digest: Digest, out: &mut Vec<u8>) {
        out.extend_from_slice(self.before_payload(line));
        match self.payload {
            [MARK] => out.extend_from_slice(payload_of(digest).as_bytes()),
            payload => out.extend_from_slice(payload),
        }
        out.extend_from_slice(b" - ");
        out.extend_from_slice(to_hex(&digest.0, &mut [0; 64]).as_bytes());
        out.extend_from_slice(self.xattrs);
    }

    /// Returns the part of `line`, of which these are the fields, before the payload.
    fn before_payload<'l>(&self, line: &'l [u8]) -> &'l [u8] {
        let after = [self.payload, self.content, self.digest, self.xattrs];
        // Each has a space in front, the attributes have theirs with them.
        let length = after.iter().map(|field| field.len()).sum::<usize>() + 2;
        line.get(..line.len() - length).unwrap_or_default()
    }

    /// Returns the kind of the inode, for hard links too.
    pub fn inode_kind(&self) -> Result<Kind, LineError> {
        Ok(split_mode(self.mode)?.0)
    }

    /// Returns the path of the entry to which a hard link leads.
    pub fn link_target(&self) -> Result<Cow<'a, TreePath>, LineError> {
        path(self.payload, "hard link's target", LineError::LinkTarget)
    }

    /// Returns the values that every entry has.
    fn common(&self) -> Result<Entry<'a>, LineError> {
        let (kind, mode) = split_mode(self.mode)?;
        let size = number(self.size, "size", i64::MAX as u64)?;
        Ok(Entry {
            path: path(self.path, "path", LineError::Path)?,
            kind,
            mode,
            nlink: number(self.nlink, "number of links", u32::MAX.into())? as u32,
            uid: number(self.uid, "owner", MAX_ID.into())? as u32,
            gid: number(self.gid, "group", MAX_ID.into())? as u32,
            rdev: number(self.rdev, "device number", MAX_DEVICE)?,
            mtime: time(self.mtime)?,
            size,
            target: None,
            link: None,
            digest: None,
            xattrs: xattrs(self.xattrs)?,
        })
    }

    /// Returns all values of a line that was checked by [`entry`](Self::entry) and may have
    /// [`MARK`] in the place of `digest`.
    pub fn stored(&self, digest: Option<Digest>) -> Result<Entry<'a>, LineError> {
        let mut entry = self.common()?;
        if entry.kind == Kind::File {
            entry.digest = digest.or(Some(*EMPTY_FILE));
        }
        if self.is_link {
            entry.link = Some(self.link_target()?);
            entry.kind = Kind::HardLink;
        } else if entry.kind == Kind::Symlink {
            entry.target = Some(symlink_target(self.payload)?);
        }
        Ok(entry)
    }

    /// Returns all values, each checked on its own.
    pub fn entry(&self) -> Result<Entry<'a>, LineError> {
        let mut entry = self.common()?;
        let (kind, size) = (entry.kind, entry.size);
        let must_be = |field, found: &[u8], expected: &str| {
            if found == expected.as_bytes() {
                return Ok(());
            }
            Err(LineError::Unexpected { field, found: shown(found), expected: expected.to_owned(), kind })
        };
        must_be("content", self.content, "-")?;
        if !matches!(kind, Kind::CharDev | Kind::BlockDev) {
            must_be("device number", self.rdev, "0")?;
        }
        match kind {
            Kind::File if size == 0 => {
                must_be("digest", self.digest, "-")?;
                entry.digest = Some(*EMPTY_FILE);
            }
            Kind::File => entry.digest = Some(digest(self.digest, size)?),
            _ => must_be("digest", self.digest, "-")?,
        }
        let payload = match (kind, self.is_link) {
            (_, true) => {
                entry.link = Some(self.link_target()?);
                entry.kind = Kind::HardLink;
                None
            }
            (Kind::Symlink, _) => {
                entry.target = Some(symlink_target(self.payload)?);
                None
            }
            (Kind::File, _) if size > 0 => entry.digest.map(payload_of),
            _ => Some("-".to_owned()),
        };
        if let Some(expected) = payload
            && expected.as_bytes() != self.payload
        {
            return Err(LineError::BadPayload { found: shown(self.payload), expected });
        }
        match (kind, &entry.target) {
            // The target of a hard link to a symbolic link is not known here; its size is compared
            // with the inode's.
            (Kind::Symlink, _) if self.is_link => {}
            (Kind::Symlink, Some(target)) => must_be("size", self.size, &target.len().to_string())?,
            (Kind::File, _) => {}
            _ => must_be("size", self.size, "0")?,
        }
        Ok(entry)
    }
}

/// Returns where a composefs object store keeps a file of this digest.
fn payload_of(digest: Digest) -> String {
    let hex = digest.to_string();
    let (head, tail) = hex.split_at(2);
    format!("{head}/{tail}")
}

/// Returns true if a line that was checked is a hard link.
pub(super) fn is_link(line: &[u8]) -> bool {
    Fields::split(line).is_ok_and(|fields| fields.is_link)
}

/// Returns a path as the text has it.
pub(super) fn path_text(path: &TreePath) -> Vec<u8> {
    let mut text = Vec::with_capacity(path.as_bytes().len() + 1);
    write_path(&mut text, path);
    text
}

fn write_path(out: &mut Vec<u8>, path: &TreePath) {
    out.push(b'/');
    // `-` is special as a whole field, which it never is after the slash.
    match path.as_bytes() {
        b"-" => out.push(b'-'),
        bytes => escape(out, bytes, Field::Fixed),
    }
}

/// Appends the line of `entry`, with its newline. `inode` is the inode of a hard link, and the
/// entry itself otherwise.
pub(super) fn write_line(out: &mut Vec<u8>, entry: &Entry, inode: &Entry, nlink: u32) {
    let link = (entry.kind == Kind::HardLink).then(|| entry.link.as_deref().unwrap_or(TreePath::ROOT));
    let size = match (inode.kind, &inode.target) {
        (Kind::File, _) => inode.size,
        (Kind::Symlink, Some(target)) => target.len() as u64,
        _ => 0,
    };
    write_path(out, &entry.path);
    let rdev = if matches!(inode.kind, Kind::CharDev | Kind::BlockDev) { inode.rdev } else { 0 };
    // Writing to a Vec cannot fail.
    let _ = write!(
        out,
        " {size} {}{:o} {nlink} {} {} {rdev} {}.{} ",
        if link.is_some() { "@" } else { "" },
        inode.kind.type_bits() | (inode.mode & 0o7777),
        inode.uid,
        inode.gid,
        inode.mtime.sec,
        inode.mtime.nsec
    );
    let digest = inode.digest.filter(|_| inode.kind == Kind::File && size > 0);
    match (link, &entry.target, digest) {
        (Some(link), _, _) => write_path(out, link),
        (None, Some(target), _) => escape(out, target, Field::Fixed),
        (None, None, Some(digest)) => out.extend_from_slice(payload_of(digest).as_bytes()),
        (None, None, None) => out.push(b'-'),
    }
    let _ = match digest {
        Some(digest) => write!(out, " - {digest}"),
        None => write!(out, " - -"),
    };
    let mut xattrs: Vec<_> = inode.xattrs.iter().collect();
    xattrs.sort();
    for (name, value) in xattrs {
        out.push(b' ');
        escape(out, name, Field::Xattr);
        out.push(b'=');
        escape(out, value, Field::Xattr);
    }
    out.push(b'\n');
}
