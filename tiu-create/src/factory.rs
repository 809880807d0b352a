//! The image's `/var` as defaults: a tmpfiles.d(5) text. With it, systemd creates the missing parts
//! of the host's `/var` at boot.
//!
//! Directories become `d` lines, symbolic links `L`, everything else `C` (a copy from
//! `/usr/share/factory/var` with its owner and permissions). None of them changes what already
//! exists: modes and owners of directories have a `:` for this. Owners are given by name, because
//! the number of a name can differ on the host. A [`Loss`] is a property that no line can express.

use std::collections::{BTreeMap, HashMap};
use tiu_bundle::index::Kind;
use tiu_bundle::selinux::LABEL;
use tiu_system::path::TreePath;

/// The tmpfiles.d file. Of two files that have the same path, systemd-tmpfiles takes the one whose
/// name sorts first: the packages' own lines, which can say more (an age, for example), must win.
/// This one therefore sorts last.
pub const TMPFILES_PATH: &TreePath = TreePath::literal("usr/lib/tmpfiles.d/zz-tiu-var.conf");

/// Names of the image's users and groups by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnerNames {
    /// From `/etc/passwd`.
    pub users: HashMap<u32, String>,
    /// From `/etc/group`.
    pub groups: HashMap<u32, String>,
}

impl OwnerNames {
    /// Reads the texts of passwd(5) and group(5), which have name and number at the same places.
    /// Ignores malformed lines. Of two names with one number the first counts.
    pub fn new(passwd: &[u8], group: &[u8]) -> Self {
        OwnerNames { users: names(passwd), groups: names(group) }
    }
}

fn names(text: &[u8]) -> HashMap<u32, String> {
    let mut names = HashMap::new();
    for line in String::from_utf8_lossy(text).lines() {
        let mut fields = line.split(':');
        let (name, number) = (fields.next(), fields.nth(1).and_then(|number| number.parse().ok()));
        if let (Some(name), Some(number)) = (name, number)
            && plain(name)
        {
            names.entry(number).or_insert_with(|| name.to_owned());
        }
    }
    names
}

/// Returns whether a name can be written in a line as it is.
fn plain(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    !name.is_empty()
        && name.chars().all(allowed)
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

/// A property of an entry that no line can express, so that hosts do not get it.
///
/// tmpfiles.d(5) has lines for attributes and ACLs, but those change what already exists, at each
/// boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loss {
    /// A name with a line feed or a carriage return: systemd-tmpfiles ends a line there. The whole
    /// entry is lost.
    Name,
    /// A socket. The program that listens creates it.
    Socket,
    /// Extended attributes, ACLs and capabilities included. Files keep those whose names start with
    /// `user.`.
    Attributes,
    /// The owner of a symbolic link.
    LinkOwner,
    /// Several names of one file: each becomes a file of its own.
    HardLink,
}

impl Loss {
    /// Returns the name in JSON documents.
    pub fn key(self) -> &'static str {
        match self {
            Loss::Name => "name",
            Loss::Socket => "socket",
            Loss::Attributes => "attributes",
            Loss::LinkOwner => "link-owner",
            Loss::HardLink => "hard-link",
        }
    }
}

impl std::fmt::Display for Loss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Loss::Name => "names with a line break are lost",
            Loss::Socket => "sockets are lost",
            Loss::Attributes => {
                "ACLs and extended attributes (of files: all except user.*) are lost, the rest is kept"
            }
            Loss::LinkOwner => "symbolic links will belong to root",
            Loss::HardLink => "hard links become separate files",
        })
    }
}

/// The entries that lose something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LossCount {
    /// Number of entries.
    pub entries: u64,
    /// Path below `/var` of the first in byte order.
    pub first: Vec<u8>,
}

/// One entry of `/var`.
#[derive(Clone, Debug)]
pub struct VarDefault<'a> {
    /// Path below `/var`, without a leading slash.
    pub path: &'a [u8],
    /// Type.
    pub kind: Kind,
    /// Permission bits.
    pub mode: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Target of a symbolic link.
    pub target: Option<&'a [u8]>,
    /// Its extended attributes.
    pub xattrs: &'a [(Vec<u8>, Vec<u8>)],
    /// True if its inode has other names.
    pub linked: bool,
}

impl VarDefault<'_> {
    /// Returns what the entry loses.
    fn losses(&self) -> Vec<Loss> {
        if self.path.iter().any(|b| matches!(b, b'\n' | b'\r')) {
            return vec![Loss::Name];
        }
        if self.kind == Kind::Socket {
            return vec![Loss::Socket];
        }
        // systemd-tmpfiles labels what it makes by the policy.
        let copied =
            |name: &[u8]| self.kind == Kind::File && name.starts_with(b"user.") || name == LABEL.as_bytes();
        let all = [
            (Loss::Attributes, self.xattrs.iter().any(|(name, _)| !copied(name))),
            (Loss::LinkOwner, self.kind == Kind::Symlink && (self.uid, self.gid) != (0, 0)),
            (Loss::HardLink, self.linked),
        ];
        all.into_iter().filter(|(_, lost)| *lost).map(|(loss, _)| loss).collect()
    }
}

/// Returns what `entries` (in the order of their paths) lose.
pub fn losses<'a>(entries: impl Iterator<Item = VarDefault<'a>>) -> BTreeMap<Loss, LossCount> {
    let mut all: BTreeMap<Loss, LossCount> = BTreeMap::new();
    for entry in entries {
        for loss in entry.losses() {
            let lost =
                all.entry(loss).or_insert_with(|| LossCount { entries: 0, first: entry.path.to_vec() });
            lost.entries += 1;
        }
    }
    all
}

/// Returns the text for `entries` (parents first), or `None` if there are none.
pub fn tmpfiles<'a>(entries: impl Iterator<Item = VarDefault<'a>>, owners: &OwnerNames) -> Option<Vec<u8>> {
    let mut lines = Vec::new();
    for entry in entries {
        if entry.losses().iter().any(|loss| matches!(loss, Loss::Name | Loss::Socket)) {
            continue;
        }
        let (kind, rest) = match (entry.kind, entry.target) {
            (Kind::Dir, _) => {
                let (user, group) = (owner(&owners.users, entry.uid), owner(&owners.groups, entry.gid));
                ("d", format!(":{:04o} :{user} :{group} -", entry.mode).into_bytes())
            }
            (Kind::Symlink, target) => {
                ("L", format!("- - - - {}", argument(target.unwrap_or_default())).into_bytes())
            }
            // Mode and owner are the source's; given here, systemd would change those of an
            // existing file too, `:` or not. Without an argument the source is the same path under
            // /usr/share/factory.
            _ => ("C", b"- - - -".to_vec()),
        };
        lines.extend([kind.as_bytes(), b" \"/var/", &quoted(entry.path), b"\" ", &rest, b"\n"].concat());
    }
    let head = b"# Made by tiu-create from the image's /var: at boot, missing parts of the host's /var are \
                 created; nothing is overwritten.\n";
    (!lines.is_empty()).then(|| [head.as_slice(), &lines].concat())
}

fn owner(names: &HashMap<u32, String>, number: u32) -> String {
    names.get(&number).cloned().unwrap_or_else(|| number.to_string())
}

/// Returns the field at the end of a line: it has no quotes, but all of C's escapes; a single `-`
/// would mean none.
fn argument(text: &[u8]) -> String {
    let inner = 1..text.len().saturating_sub(1);
    let plain = |i, b: u8| b.is_ascii_graphic() && text != b"-" || b == b' ' && inner.contains(&i);
    let bytes = text.iter().enumerate();
    let escaped = bytes.map(|(i, b)| match *b {
        b'\\' => "\\\\".to_owned(),
        // It starts a specifier.
        b'%' => "%%".to_owned(),
        b if plain(i, b) => char::from(b).to_string(),
        b => format!("\\x{b:02x}"),
    });
    escaped.collect()
}

/// Returns the text between double quotes: a backslash takes a character's meaning away there, and
/// has no other.
fn quoted(path: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(path.len());
    for byte in path {
        match byte {
            b'"' | b'\\' => text.push(b'\\'),
            b'%' => text.push(b'%'),
            _ => {}
        }
        text.push(*byte);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry<'a>(path: &'a [u8], kind: Kind) -> VarDefault<'a> {
        VarDefault { path, kind, mode: 0o755, uid: 0, gid: 0, target: None, xattrs: &[], linked: false }
    }

    fn lines(entries: Vec<VarDefault>, owners: &OwnerNames) -> Vec<String> {
        let text = String::from_utf8(tmpfiles(entries.into_iter(), owners).expect("a text"))
            .expect("ASCII or UTF-8");
        text.lines().skip(1).map(str::to_owned).collect()
    }

    #[test]
    fn one_line_for_each_kind() {
        let owners =
            OwnerNames::new(b"root:x:0:0::/root:/bin/sh\nman:x:6:12::/:/bin/false\n", b"root:x:0:\n");
        let found = lines(
            vec![
                VarDefault { mode: 0o2775, uid: 6, gid: 50, ..entry(b"cache/man", Kind::Dir) },
                entry(b"lib/a", Kind::File),
                VarDefault { target: Some(b"../run"), ..entry(b"run", Kind::Symlink) },
                entry(b"pipe", Kind::Fifo),
                entry(b"socket", Kind::Socket),
            ],
            &owners,
        );
        assert_eq!(
            found,
            [
                r#"d "/var/cache/man" :2775 :man :50 -"#,
                r#"C "/var/lib/a" - - - -"#,
                r#"L "/var/run" - - - - ../run"#,
                r#"C "/var/pipe" - - - -"#,
            ]
        );
    }

    #[test]
    fn special_characters_are_escaped() {
        let path = b"a b\"c\\d%e\xff";
        let text = tmpfiles([entry(path, Kind::File)].into_iter(), &OwnerNames::default()).expect("a text");
        assert!(text.ends_with(b"\nC \"/var/a b\\\"c\\\\d%%e\xff\" - - - -\n"), "{}", crate::shown(&text));
        for (target, expected) in [
            (b"a b%c\\\"".as_slice(), r#"a b%%c\\""#),
            (b"a\nb", r"a\x0ab"),
            (b" a ", r"\x20a\x20"),
            (b"-", r"\x2d"),
            (b"--\xff", r"--\xff"),
        ] {
            let link = VarDefault { target: Some(target), ..entry(b"l", Kind::Symlink) };
            assert_eq!(
                lines(vec![link], &OwnerNames::default()),
                [format!("L \"/var/l\" - - - - {expected}")]
            );
        }
    }

    #[test]
    fn names_that_no_line_can_hold() {
        for name in [b"new\nline", b"new\rline"] {
            let entries = || [entry(name, Kind::File), entry(b"other", Kind::File)].into_iter();
            assert_eq!(lines(entries().collect(), &OwnerNames::default()), [r#"C "/var/other" - - - -"#]);
            let lost = LossCount { entries: 1, first: name.to_vec() };
            assert_eq!(losses(entries()), BTreeMap::from([(Loss::Name, lost)]));
        }
    }

    #[test]
    fn what_no_line_can_say_is_told_with_the_first_of_it() {
        let acl = [(b"system.posix_acl_access".to_vec(), vec![2])];
        let user = [(b"user.a".to_vec(), vec![1])];
        let entries = [
            entry(b"a", Kind::Socket),
            VarDefault { xattrs: &user, ..entry(b"b", Kind::File) },
            VarDefault { xattrs: &user, ..entry(b"c", Kind::Dir) },
            VarDefault { xattrs: &acl, ..entry(b"d", Kind::File) },
            VarDefault { uid: 6, ..entry(b"e", Kind::Symlink) },
            VarDefault { linked: true, ..entry(b"f", Kind::File) },
            VarDefault { linked: true, ..entry(b"g", Kind::File) },
        ];
        let lost = |entries, first: &str| LossCount { entries, first: first.into() };
        let expected = [
            (Loss::Socket, lost(1, "a")),
            (Loss::Attributes, lost(2, "c")),
            (Loss::LinkOwner, lost(1, "e")),
            (Loss::HardLink, lost(2, "f")),
        ];
        assert_eq!(losses(entries.into_iter()), BTreeMap::from(expected));
    }

    #[test]
    fn odd_lines_of_passwd_are_passed_over() {
        let owners = OwnerNames::new(b"a:x:1:1\n\nb\n+::::\nc:x:y:\nd e:x:4:4\nf:x:1:1\n", b"g:x:7:a,b\n");
        assert_eq!(owners.users, HashMap::from([(1, "a".to_owned())]));
        assert_eq!(owners.groups, HashMap::from([(7, "g".to_owned())]));
    }

    #[test]
    fn an_empty_var_needs_no_file() {
        assert_eq!(tmpfiles(std::iter::empty(), &OwnerNames::default()), None);
    }
}
