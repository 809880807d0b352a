//! The mounts of this process: `/proc/self/mountinfo`, see proc(5).

use crate::fstab::unescape;
use std::io;

/// The file of this process.
pub const PATH: &str = "/proc/self/mountinfo";

/// Returns the text of [`PATH`].
pub fn read() -> io::Result<String> {
    std::fs::read_to_string(PATH)
}

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountPoint {
    /// The device's number, as `major:minor`.
    pub device: String,
    /// The directory of the filesystem that is mounted.
    pub root: String,
    /// The mount point: an absolute path, as this process sees it.
    pub point: String,
    /// The type of the filesystem.
    pub fstype: String,
    /// The device's name, or what the filesystem has instead.
    pub source: String,
}

/// Returns the mounts in `text` in its order. Ignores malformed lines.
pub fn mounts(text: &str) -> impl Iterator<Item = MountPoint> {
    text.lines().filter_map(|line| {
        let (fields, filesystem) = line.split_once(" - ")?;
        let mut fields = fields.split(' ').skip(2);
        let mut filesystem = filesystem.split(' ');
        Some(MountPoint {
            device: fields.next()?.to_owned(),
            root: unescape(fields.next()?),
            point: unescape(fields.next()?),
            fstype: unescape(filesystem.next()?),
            source: unescape(filesystem.next()?),
        })
    })
}

/// Returns the mount points in `text` in its order: absolute paths, as this process sees them.
/// Ignores malformed lines.
pub fn mount_points(text: &str) -> impl Iterator<Item = String> {
    text.lines().filter_map(|line| line.split(' ').nth(4).map(unescape))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fifth_field_is_the_mount_point() {
        let text = "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n\
                    short line\n\
                    37 36 0:5 / /data\\040disk rw - tmpfs tmpfs rw\n";
        assert_eq!(mount_points(text).collect::<Vec<_>>(), ["/mnt2", "/data disk"]);
    }

    #[test]
    fn a_mount_is_a_directory_of_a_filesystem() {
        let text = "36 35 0:41 /@/a\\040b /mnt2 rw,noatime master:1 - btrfs /dev/root rw\nshort line\n";
        let expected = MountPoint {
            device: "0:41".into(),
            root: "/@/a b".into(),
            point: "/mnt2".into(),
            fstype: "btrfs".into(),
            source: "/dev/root".into(),
        };
        assert_eq!(mounts(text).collect::<Vec<_>>(), [expected]);
    }

    #[test]
    fn this_process_has_a_root_and_proc() {
        let text = read().unwrap();
        let points: Vec<String> = mount_points(&text).collect();
        assert!(["/", "/proc"].iter().all(|point| points.iter().any(|found| found == point)), "{text}");
    }
}
