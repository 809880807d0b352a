//! Compares the packages of two systems: which are new, gone, newer or older. The modules of the
//! package managers read their databases.

use super::dpkg;
use super::package::{Package, PackageDatabase, PackageManager};
use crate::incoming::compare_versions;
use serde::Serialize;
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// A package in two versions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ChangedPackage {
    /// Name.
    pub name: String,
    /// Architecture, of the second.
    pub arch: String,
    /// Version of the first.
    pub from: String,
    /// Version of the second.
    pub to: String,
}
/// The packages that differ; each list is sorted by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PackageChanges {
    /// The second's version is newer.
    pub upgraded: Vec<ChangedPackage>,
    /// The second's version is older.
    pub downgraded: Vec<ChangedPackage>,
    /// Only the second has it.
    pub added: Vec<Package>,
    /// Only the first has it.
    pub removed: Vec<Package>,
}

impl PackageManager {
    /// Compares two versions by the manager's own rules; the newer one is greater.
    pub fn compare(self, a: &str, b: &str) -> Ordering {
        match self {
            PackageManager::Dpkg => dpkg::compare(a, b),
            PackageManager::Rpm => rpm_compare(a, b),
        }
    }
}

/// Compares `[epoch:]version[-release]` by epoch, then version, then release.
fn rpm_compare(a: &str, b: &str) -> Ordering {
    let split = |text: &'_ str| -> (u64, String, String) {
        let (epoch, rest) = text.split_once(':').unwrap_or(("0", text));
        let (version, release) = rest.rsplit_once('-').unwrap_or((rest, ""));
        (epoch.parse().unwrap_or(0), version.to_owned(), release.to_owned())
    };
    let (a, b) = (split(a), split(b));
    a.0.cmp(&b.0).then_with(|| compare_versions(&a.1, &b.1)).then_with(|| compare_versions(&a.2, &b.2))
}

/// Compares the packages of two systems. A system without a database has no packages.
pub fn compare(from: Option<&PackageDatabase>, to: Option<&PackageDatabase>) -> PackageChanges {
    type Group<'a> = (Vec<&'a Package>, Vec<&'a Package>);
    let same_manager = from.zip(to).filter(|(a, b)| a.manager == b.manager).map(|(a, _)| a.manager);
    let mut names: BTreeMap<(bool, &str), Group> = BTreeMap::new();
    // The same name means different things to different managers.
    for package in from.iter().flat_map(|database| &database.packages) {
        names.entry((false, &package.name)).or_default().0.push(package);
    }
    for package in to.iter().flat_map(|database| &database.packages) {
        names.entry((same_manager.is_none(), &package.name)).or_default().1.push(package);
    }
    let mut changes = PackageChanges::default();
    for (old, new) in names.into_values() {
        group(old, new, same_manager, &mut changes);
    }
    changes
}

/// Compares packages with the same name. Some systems have several: kernels, or one for each
/// architecture.
fn group(
    mut old: Vec<&Package>,
    mut new: Vec<&Package>,
    manager: Option<PackageManager>,
    changes: &mut PackageChanges,
) {
    old.sort_unstable();
    new.sort_unstable();
    old.dedup();
    new.dedup();
    let both: Vec<Package> =
        old.iter().filter(|p| new.binary_search(p).is_ok()).map(|p| (*p).clone()).collect();
    old.retain(|p| !both.contains(p));
    new.retain(|p| !both.contains(p));
    // Pairs: the only package of its architecture on both sides, else the only package.
    let count = |list: &[&Package], arch: &str| list.iter().filter(|p| p.arch == arch).count();
    let mut pairs: Vec<(Package, Package)> = Vec::new();
    for a in &old {
        if let Some(b) = new.iter().find(|b| b.arch == a.arch)
            && count(&old, &a.arch) == 1
            && count(&new, &a.arch) == 1
        {
            pairs.push(((*a).clone(), (*b).clone()));
        }
    }
    if let ([a], [b]) = (old.as_slice(), new.as_slice())
        && pairs.is_empty()
        && a.version != b.version
    {
        pairs.push(((*a).clone(), (*b).clone()));
    }
    old.retain(|p| !pairs.iter().any(|(a, _)| a == *p));
    new.retain(|p| !pairs.iter().any(|(_, b)| b == *p));
    for (a, b) in pairs {
        let order = manager.map_or(Ordering::Less, |manager| manager.compare(&a.version, &b.version));
        let list = if order.is_le() { &mut changes.upgraded } else { &mut changes.downgraded };
        list.push(ChangedPackage { name: b.name, arch: b.arch, from: a.version, to: b.version });
    }
    changes.removed.extend(old.into_iter().cloned());
    changes.added.extend(new.into_iter().cloned());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn package(text: &str) -> Package {
        let mut words = text.split(' ');
        let mut next = || words.next().unwrap().to_owned();
        Package { name: next(), arch: next(), version: next() }
    }

    fn database(manager: PackageManager, packages: &[&str]) -> PackageDatabase {
        PackageDatabase { manager, packages: packages.iter().map(|text| package(text)).collect() }
    }

    fn shown(from: &PackageDatabase, to: &PackageDatabase) -> Vec<String> {
        let changes = compare(Some(from), Some(to));
        let changed = |word: &'static str, list: Vec<ChangedPackage>| {
            list.into_iter().map(move |c| format!("{word} {} {} {} {}", c.name, c.arch, c.from, c.to))
        };
        let one = |word: &'static str, list: Vec<Package>| {
            list.into_iter().map(move |p| format!("{word} {} {} {}", p.name, p.arch, p.version))
        };
        changed("up", changes.upgraded)
            .chain(changed("down", changes.downgraded))
            .chain(one("new", changes.added))
            .chain(one("gone", changes.removed))
            .collect()
    }

    #[test]
    fn newer_older_new_and_gone() {
        for manager in [PackageManager::Dpkg, PackageManager::Rpm] {
            let a = database(manager, &["a x 1:1.0-1", "b x 2.10-1", "c x 1", "same x 5"]);
            let b = database(manager, &["a x 1:1.0-2", "b x 2.9-1", "d x 1", "same x 5"]);
            assert_eq!(
                shown(&a, &b),
                ["up a x 1:1.0-1 1:1.0-2", "down b x 2.10-1 2.9-1", "new d x 1", "gone c x 1"]
            );
        }
    }

    #[test]
    fn several_of_one_name_are_told_apart_by_architecture_or_version() {
        let a = database(
            PackageManager::Rpm,
            &["kernel x 1-1", "kernel x 2-1", "lib x 1", "lib i 1", "tool noarch 1"],
        );
        let b = database(
            PackageManager::Rpm,
            &["kernel x 2-1", "kernel x 3-1", "lib x 2", "lib i 1", "tool x 2"],
        );
        // One kernel of two was replaced: that is what an upgrade is.
        assert_eq!(shown(&a, &b), ["up kernel x 1-1 3-1", "up lib x 1 2", "up tool x 1 2"]);
        let c = database(
            PackageManager::Rpm,
            &["kernel x 3-1", "kernel x 4-1", "lib x 1", "lib i 1", "tool noarch 1"],
        );
        assert_eq!(
            shown(&a, &c),
            ["new kernel x 3-1", "new kernel x 4-1", "gone kernel x 1-1", "gone kernel x 2-1"]
        );
    }

    #[test]
    fn another_manager_s_packages_are_other_packages() {
        let a = database(PackageManager::Dpkg, &["bash x 1"]);
        let b = database(PackageManager::Rpm, &["bash x 2"]);
        assert_eq!(shown(&a, &b), ["new bash x 2", "gone bash x 1"]);
        assert_eq!(compare(Some(&a), None).removed.len(), 1);
        assert_eq!(compare(None, Some(&a)).added.len(), 1);
        assert_eq!(compare(None, None), PackageChanges::default());
    }

    #[test]
    fn an_epoch_counts_first() {
        assert_eq!(PackageManager::Rpm.compare("1:1.0-1", "0:2.0-1"), Ordering::Greater);
        assert_eq!(PackageManager::Rpm.compare("2.0-1", "0:2.0-1"), Ordering::Equal);
        assert_eq!(PackageManager::Dpkg.compare("1:1.0-1", "2.0-1"), Ordering::Greater);
    }

    proptest! {
        #[test]
        fn every_package_is_accounted_for_once(
            a in prop::collection::vec("[a-c] [xy] [1-3]", 0..8),
            b in prop::collection::vec("[a-c] [xy] [1-3]", 0..8),
        ) {
            let read = |texts: &[String]| {
                let mut packages: Vec<Package> = texts.iter().map(|text| package(text)).collect();
                packages.sort();
                packages.dedup();
                PackageDatabase { manager: PackageManager::Rpm, packages }
            };
            let (a, b) = (read(&a), read(&b));
            let changes = compare(Some(&a), Some(&b));
            let pairs = changes.upgraded.len() + changes.downgraded.len();
            let same = a.packages.iter().filter(|p| b.packages.contains(p)).count();
            prop_assert_eq!(a.packages.len(), same + pairs + changes.removed.len());
            prop_assert_eq!(b.packages.len(), same + pairs + changes.added.len());
            prop_assert_eq!(compare(Some(&a), Some(&a)), PackageChanges::default());
        }
    }
}
