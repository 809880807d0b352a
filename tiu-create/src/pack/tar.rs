//! The tar stream that tar2sqfs reads: ustar headers (POSIX.1-1988), and PAX records (POSIX.1-2001)
//! for what does not fit.
//!
//! Records are written only where they are needed, so that most entries take one block of 512
//! bytes. Sources: pax(1p), tar(5) of libarchive, and for sparse files the GNU tar manual, "PAX
//! Format, Versions 0.0 and 0.1".

use crate::plan::Item;
use tiu_bundle::index::Kind;

/// Size of a tar block in bytes.
pub const BLOCK: usize = 512;
/// Longest set of PAX records that tar2sqfs takes, in bytes.
const MAX_PAX: usize = 65536;
/// Kinds of extended attributes that squashfs can hold.
const XATTR_PREFIXES: [&[u8]; 3] = [b"user.", b"trusted.", b"security."];

/// A piece of a sparse file that holds data, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Offset of its first byte.
    pub offset: u64,
    /// Its length.
    pub length: u64,
}

/// The content of a header.
pub struct Header<'a> {
    /// Path in the image.
    pub path: &'a [u8],
    /// Metadata.
    pub item: &'a Item,
    /// Target of a symbolic link, or path of the entry that a hard link names.
    pub target: &'a [u8],
    /// Extended attributes.
    pub xattrs: &'a [(Vec<u8>, Vec<u8>)],
    /// The pieces of a sparse file that follow as data; other files follow whole.
    pub extents: Option<&'a [Extent]>,
}

/// Returns whether a squashfs made from a tar can hold this attribute. Others are in the index
/// alone.
pub fn carries_xattr(name: &[u8]) -> bool {
    let known =
        XATTR_PREFIXES.iter().any(|prefix| name.strip_prefix(*prefix).is_some_and(|rest| !rest.is_empty()));
    // A PAX record has nothing to escape the `=` with that ends its name.
    known && !name.contains(&b'=')
}

/// Returns the PAX record that maps a sparse file's data, or `None` if it has too many pieces: its
/// holes are then streamed as zeros.
fn sparse_records(size: u64, extents: &[Extent]) -> Option<Vec<u8>> {
    // A reader takes an empty map for none.
    let map = match extents {
        [] => "0,0".to_owned(),
        extents => {
            let pieces: Vec<_> = extents.iter().map(|e| format!("{},{}", e.offset, e.length)).collect();
            pieces.join(",")
        }
    };
    let mut records = Vec::new();
    record(&mut records, b"GNU.sparse.size", size.to_string().as_bytes());
    record(&mut records, b"GNU.sparse.map", map.as_bytes());
    (records.len() <= MAX_PAX / 2).then_some(records)
}

/// Returns whether a sparse file's map fits into its header.
pub fn takes_extents(size: u64, extents: &[Extent]) -> bool {
    sparse_records(size, extents).is_some()
}

/// Writes the header of an entry. Data follows it for regular files, filled up with [`padding`].
pub fn header(out: &mut Vec<u8>, header: &Header) {
    let node = &header.item.node;
    let hard_link = header.item.link_to.is_some();
    // The root is called `./`: tar2sqfs makes its attributes the root's.
    let path = if header.path.is_empty() { b"./".as_slice() } else { header.path };
    let is_file = node.kind == Kind::File && !hard_link;
    let sparse = header.extents.and_then(|extents| sparse_records(node.size, extents));
    let size = match (is_file, &sparse, header.extents) {
        (false, ..) => 0,
        (true, Some(_), Some(extents)) => extents.iter().map(|e| e.length).sum(),
        (true, ..) => node.size,
    };

    let mut records = sparse.unwrap_or_default();
    let mut fields = Fields { block: [0; BLOCK] };
    fields.text(0, 100, path, "path", &mut records);
    fields.number(100, 8, u64::from(node.mode), None, &mut records);
    fields.number(108, 8, u64::from(node.uid), Some("uid"), &mut records);
    fields.number(116, 8, u64::from(node.gid), Some("gid"), &mut records);
    fields.number(124, 12, size, Some("size"), &mut records);
    match u64::try_from(node.mtime.sec) {
        Ok(sec) => fields.number(136, 12, sec, Some("mtime"), &mut records),
        Err(_) => record(&mut records, b"mtime", node.mtime.sec.to_string().as_bytes()),
    }
    fields.set(156, &[type_flag(node.kind, hard_link)]);
    fields.text(157, 100, header.target, "linkpath", &mut records);
    fields.set(257, b"ustar\x0000");
    if matches!(node.kind, Kind::CharDev | Kind::BlockDev) {
        fields.number(329, 8, u64::from(rustix::fs::major(node.rdev)), None, &mut records);
        fields.number(337, 8, u64::from(rustix::fs::minor(node.rdev)), None, &mut records);
    }
    if !hard_link {
        let mut xattrs = Vec::new();
        for (name, value) in header.xattrs.iter().filter(|(name, _)| carries_xattr(name)) {
            record(&mut xattrs, &[b"SCHILY.xattr.", name.as_slice()].concat(), value);
        }
        // All or none, so that the result does not depend on an order.
        if records.len() + xattrs.len() <= MAX_PAX {
            records.append(&mut xattrs);
        }
    }
    if !records.is_empty() {
        let mut pax = Fields { block: [0; BLOCK] };
        pax.set(0, b"PaxHeader");
        pax.number(100, 8, 0o644, None, &mut Vec::new());
        pax.number(124, 12, records.len() as u64, None, &mut Vec::new());
        pax.set(156, b"x");
        pax.set(257, b"ustar\x0000");
        out.extend_from_slice(&pax.finish());
        let length = records.len() as u64;
        out.append(&mut records);
        out.extend_from_slice(padding(length));
    }
    out.extend_from_slice(&fields.finish());
}

/// Returns the zeros that fill up data of `length` bytes to whole blocks.
pub fn padding(length: u64) -> &'static [u8] {
    const ZEROS: [u8; BLOCK] = [0; BLOCK];
    let used = (length % BLOCK as u64) as usize;
    ZEROS.get(..(BLOCK - used) % BLOCK).unwrap_or_default()
}

/// The two blocks of zeros at the end of a tar.
pub const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

fn type_flag(kind: Kind, hard_link: bool) -> u8 {
    match kind {
        _ if hard_link => b'1',
        Kind::Symlink => b'2',
        Kind::CharDev => b'3',
        Kind::BlockDev => b'4',
        Kind::Dir => b'5',
        Kind::Fifo => b'6',
        _ => b'0',
    }
}

/// `LENGTH NAME=VALUE\n`, where the length counts itself.
fn record(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    let rest = name.len() + value.len() + 3;
    let mut length = rest + rest.to_string().len();
    if rest + length.to_string().len() != length {
        length = rest + length.to_string().len();
    }
    out.extend_from_slice(length.to_string().as_bytes());
    out.push(b' ');
    out.extend_from_slice(name);
    out.push(b'=');
    out.extend_from_slice(value);
    out.push(b'\n');
}

struct Fields {
    block: [u8; BLOCK],
}

impl Fields {
    fn set(&mut self, at: usize, bytes: &[u8]) {
        if let Some(field) = self.block.get_mut(at..at + bytes.len()) {
            field.copy_from_slice(bytes);
        }
    }

    /// A text of at most `width` bytes; a longer one goes into a record.
    fn text(&mut self, at: usize, width: usize, value: &[u8], name: &str, records: &mut Vec<u8>) {
        if value.len() <= width { self.set(at, value) } else { record(records, name.as_bytes(), value) }
    }

    /// An octal number that ends in NUL; one that does not fit goes into the record `name`.
    fn number(&mut self, at: usize, width: usize, value: u64, name: Option<&str>, records: &mut Vec<u8>) {
        let digits = width - 1;
        let octal = format!("{value:0digits$o}");
        match name {
            Some(name) if octal.len() > digits => {
                record(records, name.as_bytes(), value.to_string().as_bytes())
            }
            // Eight digits are enough for what has no record: modes, and Linux' device numbers.
            _ => self.set(at, octal.get(..octal.len().min(width)).unwrap_or_default().as_bytes()),
        }
    }

    fn finish(mut self) -> [u8; BLOCK] {
        self.set(148, b"        ");
        let sum: u32 = self.block.iter().map(|b| u32::from(*b)).sum();
        self.set(148, format!("{sum:06o}\0 ").as_bytes());
        self.block
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_counts_its_own_length() {
        for value in 0..2000 {
            let mut out = Vec::new();
            record(&mut out, b"path", "x".repeat(value).as_bytes());
            let text = String::from_utf8(out).expect("ASCII");
            let (length, _) = text.split_once(' ').expect("a space");
            assert_eq!(length.parse(), Ok(text.len()), "{value}");
        }
    }

    #[test]
    fn padding_fills_blocks() {
        for (length, expected) in [(0, 0), (1, 511), (511, 1), (512, 0), (513, 511)] {
            assert_eq!(padding(length).len(), expected);
        }
    }

    #[test]
    fn attributes_that_a_record_cannot_name() {
        for name in ["user.a", "security.capability", "trusted.x"] {
            assert!(carries_xattr(name.as_bytes()), "{name}");
        }
        for name in ["user.", "user.a=b", "system.posix_acl_access", "btrfs.compression"] {
            assert!(!carries_xattr(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn a_map_of_too_many_pieces() {
        let extents =
            |count: u64| (0..count).map(|i| Extent { offset: i * 8192, length: 4096 }).collect::<Vec<_>>();
        assert!(takes_extents(1 << 40, &[]));
        assert!(takes_extents(1 << 40, &extents(1000)));
        assert!(!takes_extents(1 << 40, &extents(10_000)));
    }
}
