//! Quotas of btrfs that a new snapshot counts against: its own qgroup, the one that snapper puts it
//! into, and all qgroups above these.
//!
//! The numbers come from `/sys/fs/btrfs/UUID/qgroups`, the relations from the tree of quotas.

use super::open::Host;
use super::snapper::CONFIG;
use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use tiu_system::btrfs::{self, TreeKey};
use tiu_system::ioctl;

/// Bit of `limit_flags` for a limit of referenced bytes (btrfs_tree.h: `BTRFS_QGROUP_LIMIT_...`).
const MAX_REFERENCED: u64 = 1;
/// Bit for a limit of exclusive bytes.
const MAX_EXCLUSIVE: u64 = 2;
/// `BTRFS_QUOTA_TREE_OBJECTID` of btrfs_tree.h.
const QUOTA_TREE: u64 = 8;
/// `BTRFS_QGROUP_RELATION_KEY`: a qgroup and one above or below it.
const RELATION: u8 = 246;

/// The number of a qgroup: its level in the upper 16 bits (`BTRFS_QGROUP_LEVEL_SHIFT`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct QgroupId(u64);

impl QgroupId {
    const SHIFT: u32 = 48;

    fn level(self) -> u64 {
        self.0 >> Self::SHIFT
    }

    /// Reads the form `LEVEL/NUMBER`.
    fn parse(text: &str) -> Option<Self> {
        let (level, id) = text.split_once('/')?;
        let number =
            |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?;
        let (level, id): (u64, u64) = (number(level)?, number(id)?);
        let fits = level < 1 << (u64::BITS - Self::SHIFT) && id < 1 << Self::SHIFT;
        fits.then_some(QgroupId(level << Self::SHIFT | id))
    }
}

impl fmt::Display for QgroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.level(), self.0 & ((1 << Self::SHIFT) - 1))
    }
}

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
        let counted = of_snapper.into_iter().chain(subvolume.map(QgroupId)).collect();
        // Where relations cannot be read, a limit above is noticed when it is reached.
        let counted = with_parents(counted, &relations(self.root_fd()).unwrap_or_default());
        counted.into_iter().filter_map(|qgroup| remaining(&qgroups, qgroup)).min_by_key(|quota| quota.left)
    }
}

/// Returns the pairs of qgroups of which one is above the other.
fn relations(root: BorrowedFd) -> io::Result<Vec<(QgroupId, QgroupId)>> {
    let key = |object, offset| TreeKey { object, kind: RELATION, offset };
    let mut pairs = Vec::new();
    btrfs::visit(root, QUOTA_TREE, key(0, 0), key(u64::MAX, u64::MAX), 0, |item| {
        if item.key.kind == RELATION {
            pairs.push((QgroupId(item.key.object), QgroupId(item.key.offset)));
        }
        Ok(())
    })?;
    Ok(pairs)
}

/// Returns `qgroups` and all above them. The kernel has each pair of `relations` in both orders.
fn with_parents(mut qgroups: BTreeSet<QgroupId>, relations: &[(QgroupId, QgroupId)]) -> BTreeSet<QgroupId> {
    loop {
        let above = relations.iter().filter(|(below, above)| below.level() < above.level());
        let above = above.filter(|(below, above)| qgroups.contains(below) && !qgroups.contains(above));
        let new: Vec<QgroupId> = above.map(|(_, above)| *above).collect();
        if new.is_empty() {
            return qgroups;
        }
        qgroups.extend(new);
    }
}

/// Returns the qgroup of snapper's configuration.
fn configured(text: &str) -> Option<QgroupId> {
    let value = text.lines().find_map(|line| line.trim().strip_prefix("QGROUP="))?;
    QgroupId::parse(value.trim_matches(['"', '\'']))
}

/// Returns what is left of the limits of `qgroup`, if it has any.
fn remaining(qgroups: &Path, qgroup: QgroupId) -> Option<Quota> {
    let qgroup = qgroup.to_string();
    let directory: PathBuf = qgroups.join(qgroup.replace('/', "_"));
    let number = |name: &str| std::fs::read_to_string(directory.join(name)).ok()?.trim().parse::<u64>().ok();
    let flags = number("limit_flags")?;
    let of = |flag: u64, max: &str, used: &str| {
        (flags & flag != 0).then(|| Some(number(max)?.saturating_sub(number(used)?))).flatten()
    };
    let limits =
        [of(MAX_REFERENCED, "max_referenced", "referenced"), of(MAX_EXCLUSIVE, "max_exclusive", "exclusive")];
    let left = limits.into_iter().flatten().min()?;
    Some(Quota { qgroup, left })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> QgroupId {
        QgroupId::parse(text).unwrap()
    }

    #[test]
    fn snapper_s_qgroup_is_read() {
        assert_eq!(configured("SUBVOLUME=\"/\"\nQGROUP=\"1/0\"\n"), Some(QgroupId(1 << 48)));
        for text in ["", "../x/1", "1/", "/1", "1", "1/+2", "65536/0", "1/281474976710656"] {
            assert_eq!(configured(&format!("QGROUP=\"{text}\"\n")), None, "{text}");
        }
        assert_eq!(id("3/257").to_string(), "3/257");
    }

    #[test]
    fn all_qgroups_above_count_and_none_below() {
        let pairs = [("0/257", "1/0"), ("0/258", "1/0"), ("1/0", "2/7"), ("2/7", "3/1"), ("0/258", "1/1")];
        let both = pairs.iter().flat_map(|(a, b)| [(id(a), id(b)), (id(b), id(a))]).collect::<Vec<_>>();
        let found = with_parents([id("0/257")].into(), &both);
        assert_eq!(found, ["0/257", "1/0", "2/7", "3/1"].map(id).into());
        assert_eq!(with_parents([id("1/1")].into(), &both), [id("1/1")].into());
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
        assert_eq!(remaining(dir.path(), id("0/257")), None);
        for (flags, expected) in [(1, 700), (2, 80), (3, 80)] {
            write("limit_flags", flags);
            assert_eq!(remaining(dir.path(), id("0/257")).unwrap().left, expected);
        }
        write("referenced", 5000);
        assert_eq!(remaining(dir.path(), id("0/257")).unwrap().left, 0);
        assert_eq!(remaining(dir.path(), id("0/258")), None);
    }
}
