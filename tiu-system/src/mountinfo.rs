//! The mounts of this process: `/proc/self/mountinfo`, see proc(5).

use crate::fstab::unescape;
use std::io;

/// The file of this process.
pub const PATH: &str = "/proc/self/mountinfo";

/// Returns the text of [`PATH`].
pub fn read() -> io::Result<String> {
    std::fs::read_to_string(PATH)
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
    fn this_process_has_a_root_and_proc() {
        let text = read().unwrap();
        let points: Vec<String> = mount_points(&text).collect();
        assert!(["/", "/proc"].iter().all(|point| points.iter().any(|found| found == point)), "{text}");
    }
}
