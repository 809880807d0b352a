//! fstab(5): the mounts over the root.

use crate::path::TreePathBuf;
use std::path::{Component, Path};

/// One line of an fstab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// The first field: a device, a label, or for bind mounts a directory.
    pub source: String,
    /// The second field.
    pub target: String,
    /// The third field.
    pub fstype: String,
    /// The fourth field, split at commas.
    pub options: Vec<String>,
}

/// Returns the lines that mount something. Ignores comments and lines without a mount point (swap,
/// `none`). Blanks and tabs alone separate fields.
pub fn parse(text: &str) -> Vec<Mount> {
    let line = |line: &str| {
        let mut fields = fields(line).peekable();
        if fields.peek()?.starts_with('#') {
            return None;
        }
        let (source, target, fstype) = (fields.next()?, fields.next()?, fields.next()?);
        let options = fields.next().unwrap_or("defaults").split(',').map(unescape).collect();
        let mount =
            Mount { source: unescape(source), target: unescape(target), fstype: unescape(fstype), options };
        mount.target.starts_with('/').then_some(mount)
    };
    text.lines().filter_map(line).collect()
}

/// Returns the fields of a line. Blanks and tabs separate them.
fn fields(line: &str) -> impl Iterator<Item = &str> {
    line.split([' ', '\t']).filter(|field| !field.is_empty())
}

/// A line of an fstab that mount(8) cannot parse.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {number}: found {found:?}, expected {expected}")]
#[non_exhaustive]
pub struct FstabLineError {
    /// The number of the line, from 1 on.
    pub number: usize,
    /// The line or the field.
    pub found: String,
    /// The form that mount(8) expects.
    pub expected: &'static str,
}

/// Checks that each line is empty, a comment, or what mount(8) can parse.
pub fn check(text: &str) -> Result<(), FstabLineError> {
    /// The most characters of a line that an error quotes.
    const SHOWN: usize = 80;
    for (line, number) in text.lines().zip(1..) {
        let line = line.trim_matches([' ', '\t', '\r']);
        let error = |found: &str, expected| {
            Err(FstabLineError { number, found: found.chars().take(SHOWN).collect(), expected })
        };
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line.contains(|c: char| c.is_control() && c != '\t') || line.contains(char::REPLACEMENT_CHARACTER)
        {
            return error(line, "text");
        }
        let fields: Vec<&str> = fields(line).take_while(|field| !field.starts_with('#')).collect();
        let [_, target, _, rest @ ..] = &fields[..] else {
            return error(line, "a device, a mount point and a type");
        };
        if !target.starts_with('/') && !matches!(*target, "none" | "swap") {
            return error(target, "an absolute path, none or swap");
        }
        if let Some(field) = rest.iter().skip(1).take(2).find(|field| field.parse::<u32>().is_err()) {
            return error(field, "a number");
        }
    }
    Ok(())
}

/// Returns the files that an fstab names as swap, as absolute paths. Ignores devices.
pub fn swap_files(text: &str) -> Vec<String> {
    let file = |line: &str| {
        let mut fields = fields(line).peekable();
        if fields.peek()?.starts_with('#') {
            return None;
        }
        let (source, _, fstype) = (fields.next()?, fields.next()?, fields.next()?);
        let source = unescape(source);
        let is_file = fstype == "swap" && source.starts_with('/') && !source.starts_with("/dev/");
        is_file.then_some(source)
    };
    text.lines().filter_map(file).collect()
}

/// Returns a field without the octal escapes (`\040`) that fstab and the kernel's tables have for
/// blanks.
pub fn unescape(field: &str) -> String {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let octal =
            tail.get(..3).filter(|digits| first == b'\\' && digits.iter().all(|d| (b'0'..=b'7').contains(d)));
        let value = octal.and_then(|d| u8::from_str_radix(std::str::from_utf8(d).ok()?, 8).ok());
        bytes.push(value.unwrap_or(first));
        rest = if value.is_some() { tail.get(3..).unwrap_or_default() } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Mount {
    /// Returns true if the line binds a directory to itself, which changes its options alone.
    pub fn is_onto_itself(&self) -> bool {
        let binds = self.options.iter().any(|option| matches!(option.as_str(), "bind" | "rbind"));
        let names =
            |path: &str| path.split('/').filter(|name| !name.is_empty()).collect::<Vec<_>>().join("/");
        binds && names(&self.source) == names(&self.target)
    }

    /// Returns the mount point relative to the root, without `.`, `..` and doubled slashes, or
    /// `None` for the root itself.
    pub fn path(&self) -> Option<TreePathBuf> {
        let mut parts: Vec<&[u8]> = Vec::new();
        for component in Path::new(&self.target).components() {
            match component {
                Component::Normal(name) => parts.push(name.as_encoded_bytes()),
                Component::ParentDir => drop(parts.pop()),
                _ => {}
            }
        }
        TreePathBuf::new(parts.join(&b'/')).ok().filter(|path| !path.is_root())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_no_break_space_is_a_part_of_a_field() {
        let mounts = parse("LABEL=a\u{a0}b /srv/a\u{a0}b ext4\n \t# a comment\n \t \n");
        assert_eq!(mounts.len(), 1);
        assert_eq!(mounts[0].source, "LABEL=a\u{a0}b");
        assert_eq!(mounts[0].path(), TreePathBuf::new("srv/a\u{a0}b").ok());
    }

    const MICROOS: &str = "\
# root
UUID=1 /            btrfs  ro                             0 0
UUID=1 /.snapshots  btrfs  subvol=/@/.snapshots           0 0
UUID=1 /var         btrfs  subvol=/@/var,x-initrd.mount   0 0
UUID=1 /boot/writable btrfs subvol=/@/boot/writable
/etc /etc none bind,x-initrd.mount 0 0
UUID=2 none swap sw 0 0
UUID=3 swap swap defaults 0 0
UUID=4 /data\\040disk//x/./y ext4 defaults 0 2
short line
";

    #[test]
    fn reads_a_microos_table() {
        let mounts = parse(MICROOS);
        let paths: Vec<_> = mounts.iter().map(Mount::path).collect();
        let expected: [Option<&[u8]>; 6] = [
            None,
            Some(b".snapshots"),
            Some(b"var"),
            Some(b"boot/writable"),
            Some(b"etc"),
            Some(b"data disk/x/y"),
        ];
        assert_eq!(paths, expected.map(|path| path.map(|path| TreePathBuf::new(path).unwrap())));
        assert_eq!(mounts[2].options, ["subvol=/@/var", "x-initrd.mount"]);
        assert_eq!(mounts[3].options, ["subvol=/@/boot/writable"]);
    }

    #[test]
    fn a_mount_point_cannot_climb_out() {
        let mounts = parse("a /../../x ext4\nb /.. ext4\n");
        assert_eq!(mounts[0].path(), TreePathBuf::new("x").ok());
        assert_eq!(mounts[1].path(), None);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_and_every_path_is_one(text in "(\\PC| /|\\\\[0-9]|\\.\\.|\n){0,80}") {
            for mount in parse(&text) {
                proptest::prop_assert!(mount.path().is_none_or(|path| !path.is_root()), "{:?}", mount);
            }
        }
    }

    #[test]
    fn a_line_that_mount_cannot_parse_is_named() {
        let good = "\n  # comment\nUUID=1 / btrfs\nUUID=2 /a btrfs ro 0 0 # remark\nUUID=3 none swap sw 0 0\nx swap swap\n";
        assert_eq!(check(good), Ok(()));
        for (line, found) in [
            ("garbage", "garbage"),
            ("UUID=1 /a", "UUID=1 /a"),
            ("UUID=1 a ext4", "a"),
            ("UUID=1 /a ext4 ro x 0", "x"),
            ("UUID=1 /a ext4 ro 0 -1", "-1"),
        ] {
            let error = check(&format!("# 1\n{line}\n")).unwrap_err();
            assert_eq!((error.number, error.found.as_str()), (2, found), "{line}");
        }
        assert!(check("a\u{0}b /a ext4\n").is_err());
        assert_eq!(check(&"x".repeat(1000)).unwrap_err().found.len(), 80);
        assert!(check(&String::from_utf8_lossy(b"\xff /a ext4\n")).is_err());
    }

    #[test]
    fn swap_files_are_not_devices() {
        let text = "/swapfile none swap sw\n#/b none swap sw\n/dev/sda2 none swap sw\nUUID=1 swap swap\n/my\\040swap none swap\n/a /b ext4\n";
        assert_eq!(swap_files(text), ["/swapfile", "/my swap"]);
    }

    #[test]
    fn damaged_escapes_stay_as_they_are() {
        assert_eq!(parse("a /x\\04 ext4\nb /\\999 ext4\nc /\\777 ext4\n").len(), 3);
        assert_eq!(parse("a /x\\04 ext4")[0].target, "/x\\04");
    }
}
