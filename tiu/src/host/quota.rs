//! Quotas of btrfs that a new snapshot counts against: its own qgroup, and the one that snapper
//! puts it into.
//!
//! The numbers come from `/sys/fs/btrfs/UUID/qgroups`, which has no parents of qgroups: a limit on
//! a qgroup above these is only noticed when it is reached.

use super::open::Host;
use super::snapper::CONFIG;
use std::path::{Path, PathBuf};
use tiu_system::ioctl;

/// Bit of `limit_flags` for a limit of referenced bytes (btrfs_tree.h: `BTRFS_QGROUP_LIMIT_...`).
const MAX_REFERENCED: u64 = 1;
/// Bit for a limit of exclusive bytes.
const MAX_EXCLUSIVE: u64 = 2;

/// A limit of a qgroup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    /// The qgroup, such as `1/0`.
    pub qgroup: String,
    /// Bytes that are left.
    pub left: u64,
}

impl Host {
    /// Returns the quota with the least left among those that a new snapshot counts against.
    /// `subvolume` is its subvolume, if it exists. `None` without quotas or without limits.
    pub fn quota(&self, subvolume: Option<u64>) -> Option<Quota> {
        let uuid = ioctl::btrfs_uuid(self.root_fd()).ok()?;
        let qgroups = Path::new("/sys/fs/btrfs").join(uuid).join("qgroups");
        let config = self.root().join("etc/snapper/configs").join(CONFIG);
        let of_snapper = configured(&std::fs::read_to_string(config).unwrap_or_default());
        let own = subvolume.map(|id| format!("0/{id}"));
        let all = of_snapper.into_iter().chain(own);
        all.filter_map(|qgroup| remaining(&qgroups, &qgroup)).min_by_key(|quota| quota.left)
    }
}

/// Returns the qgroup of snapper's configuration.
fn configured(text: &str) -> Option<String> {
    let value = text.lines().find_map(|line| line.trim().strip_prefix("QGROUP="))?;
    let value = value.trim_matches(['"', '\'']);
    let (level, id) = value.split_once('/')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (digits(level) && digits(id)).then(|| value.to_owned())
}

/// Returns what is left of the limits of `qgroup`, if it has any.
fn remaining(qgroups: &Path, qgroup: &str) -> Option<Quota> {
    let directory: PathBuf = qgroups.join(qgroup.replace('/', "_"));
    let number = |name: &str| std::fs::read_to_string(directory.join(name)).ok()?.trim().parse::<u64>().ok();
    let flags = number("limit_flags")?;
    let of = |flag: u64, max: &str, used: &str| {
        (flags & flag != 0).then(|| Some(number(max)?.saturating_sub(number(used)?))).flatten()
    };
    let limits =
        [of(MAX_REFERENCED, "max_referenced", "referenced"), of(MAX_EXCLUSIVE, "max_exclusive", "exclusive")];
    let left = limits.into_iter().flatten().min()?;
    Some(Quota { qgroup: qgroup.to_owned(), left })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapper_s_qgroup_is_read() {
        assert_eq!(configured("SUBVOLUME=\"/\"\nQGROUP=\"1/0\"\n").as_deref(), Some("1/0"));
        assert_eq!(configured("QGROUP=\"\"\n"), None);
        assert_eq!(configured("QGROUP=\"../x/1\"\n"), None);
    }

    #[test]
    fn the_tighter_limit_counts() {
        let dir = tempfile::tempdir().unwrap();
        let qgroup = dir.path().join("0_257");
        std::fs::create_dir(&qgroup).unwrap();
        let write = |name: &str, value: u64| std::fs::write(qgroup.join(name), format!("{value}\n")).unwrap();
        write("limit_flags", 0);
        for (name, value) in
            [("max_referenced", 1000), ("referenced", 300), ("max_exclusive", 100), ("exclusive", 20)]
        {
            write(name, value);
        }
        assert_eq!(remaining(dir.path(), "0/257"), None);
        for (flags, expected) in [(1, 700), (2, 80), (3, 80)] {
            write("limit_flags", flags);
            assert_eq!(remaining(dir.path(), "0/257").unwrap().left, expected);
        }
        write("referenced", 5000);
        assert_eq!(remaining(dir.path(), "0/257").unwrap().left, 0);
        assert_eq!(remaining(dir.path(), "0/258"), None);
    }
}
