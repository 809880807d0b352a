//! fstab(5): what is mounted over the root.

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
/// `none`).
pub fn parse(text: &str) -> Vec<Mount> {
    let line = |line: &str| {
        let line = line.trim();
        if line.starts_with('#') {
            return None;
        }
        let mut fields = line.split_whitespace();
        let (source, target, fstype) = (fields.next()?, fields.next()?, fields.next()?);
        let options = fields.next().unwrap_or("defaults").split(',').map(unescape).collect();
        let mount =
            Mount { source: unescape(source), target: unescape(target), fstype: unescape(fstype), options };
        mount.target.starts_with('/').then_some(mount)
    };
    text.lines().filter_map(line).collect()
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
    /// Returns the mount point relative to the root, without `.`, `..` and doubled slashes, or
    /// `None` for the root itself.
    pub fn path(&self) -> Option<Vec<u8>> {
        let mut parts: Vec<&[u8]> = Vec::new();
        for component in Path::new(&self.target).components() {
            match component {
                Component::Normal(name) => parts.push(name.as_encoded_bytes()),
                Component::ParentDir => drop(parts.pop()),
                _ => {}
            }
        }
        (!parts.is_empty()).then(|| parts.join(&b'/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(paths, expected.map(|p| p.map(<[u8]>::to_vec)));
        assert_eq!(mounts[2].options, ["subvol=/@/var", "x-initrd.mount"]);
        assert_eq!(mounts[3].options, ["subvol=/@/boot/writable"]);
    }

    #[test]
    fn a_mount_point_cannot_climb_out() {
        let mounts = parse("a /../../x ext4\nb /.. ext4\n");
        assert_eq!(mounts[0].path(), Some(b"x".to_vec()));
        assert_eq!(mounts[1].path(), None);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_and_every_path_stays_inside(text in "(\\PC| /|\\\\[0-9]|\\.\\.|\n){0,80}") {
            for mount in parse(&text) {
                let inside = mount.path().is_none_or(|path| path.split(|c| *c == b'/').all(|part| !part.is_empty() && part != b".."));
                proptest::prop_assert!(inside, "{:?}", mount);
            }
        }
    }

    #[test]
    fn damaged_escapes_stay_as_they_are() {
        assert_eq!(parse("a /x\\04 ext4\nb /\\999 ext4\nc /\\777 ext4\n").len(), 3);
        assert_eq!(parse("a /x\\04 ext4")[0].target, "/x\\04");
    }
}
