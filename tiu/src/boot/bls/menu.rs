//! A model of systemd-boot: which entry it boots, and which one after that. These are pure
//! functions of the content of the partition and of the variables.
//!
//! Entries that no default names are ordered: entries without attempts left come last; then those
//! with a sort key come first, by sort key, machine ID, and version, the newest first; then by
//! name. These choices precede the order, in this sequence: the variable for one boot, the
//! preferred entry if it has attempts left, the default in the variable, the default in
//! loader.conf. **A default is booted although it has no attempts left**: it defeats counting.
//!
//! Source: systemd-boot(7), loader.conf(5), and experiments with versions 252 and 257.

use super::{pattern, version};
use std::cmp::Ordering;

/// An entry of the menu.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Item {
    /// The file's name without its counter, such as `tiu-5-2.conf`.
    pub id: String,
    /// Key of the order.
    pub sort_key: Option<String>,
    /// Machine ID.
    pub machine_id: String,
    /// Version.
    pub version: String,
    /// Attempts left; `None` for an entry that is not counted.
    pub left: Option<u32>,
    /// Attempts that were made.
    pub done: u32,
}

/// The facts that a boot starts from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Menu {
    /// The entries, in any order.
    pub items: Vec<Item>,
    /// The variable `LoaderEntryOneShot`: for one boot.
    pub one_shot: Option<String>,
    /// The variable `LoaderEntryPreferred`, or `preferred` in loader.conf.
    pub preferred: Option<String>,
    /// The variable `LoaderEntryDefault`.
    pub default_variable: Option<String>,
    /// `default` in loader.conf.
    pub default_file: Option<String>,
}

impl Item {
    /// Returns the file's name.
    fn file(&self) -> String {
        let counter = match (self.left, self.done) {
            (None, _) => return self.id.clone(),
            (Some(left), 0) => format!("+{left}"),
            (Some(left), done) => format!("+{left}-{done}"),
        };
        match self.id.strip_suffix(".conf") {
            Some(stem) => format!("{stem}{counter}.conf"),
            None => format!("{}{counter}", self.id),
        }
    }

    /// Returns true if `pattern` names this entry. Versions of systemd-boot differ in whether the
    /// counter is a part of the name, so both count.
    fn is_named(&self, pattern: &str) -> bool {
        pattern::matches(pattern, &self.id) || pattern::matches(pattern, &self.file())
    }

    fn is_exhausted(&self) -> bool {
        self.left == Some(0)
    }

    /// Orders as the menu does: what comes first is less.
    fn order(&self, other: &Item) -> Ordering {
        let keys = match (&self.sort_key, &other.sort_key) {
            (Some(a), Some(b)) => {
                let machines = self.machine_id.cmp(&other.machine_id);
                a.cmp(b).then(machines).then_with(|| version::compare(&other.version, &self.version))
            }
            (a, b) => b.is_some().cmp(&a.is_some()),
        };
        let attempts = match (self.left, other.left) {
            (Some(a), Some(b)) => b.cmp(&a).then(self.done.cmp(&other.done)),
            _ => Ordering::Equal,
        };
        let names = version::compare(&other.id.to_lowercase(), &self.id.to_lowercase());
        self.is_exhausted().cmp(&other.is_exhausted()).then(keys).then(names).then(attempts)
    }
}

impl Menu {
    /// Returns the number of the entry that boots next.
    pub fn first(&self) -> Option<usize> {
        let mut order: Vec<usize> = (0..self.items.len()).collect();
        order.sort_by(|a, b| match (self.items.get(*a), self.items.get(*b)) {
            (Some(a), Some(b)) => a.order(b),
            _ => Ordering::Equal,
        });
        let named = |pattern: &Option<String>, exhausted: bool| {
            let pattern = pattern.as_deref()?;
            let fits = |item: &Item| item.is_named(pattern) && (exhausted || !item.is_exhausted());
            order.iter().copied().find(|i| self.items.get(*i).is_some_and(fits))
        };
        named(&self.one_shot, true)
            .or_else(|| named(&self.preferred, false))
            .or_else(|| named(&self.default_variable, true))
            .or_else(|| named(&self.default_file, true))
            .or_else(|| order.first().copied())
    }

    /// Returns the menu as it is after the one boot that a variable asks for.
    pub fn without_one_shot(&self) -> Menu {
        Menu { one_shot: None, ..self.clone() }
    }

    /// Boots: returns the number of the entry, and counts.
    pub fn boot(&mut self) -> Option<usize> {
        let first = self.first()?;
        self.one_shot = None;
        if let Some(item) = self.items.get_mut(first)
            && let Some(left) = item.left.filter(|left| *left > 0)
        {
            item.left = Some(left - 1);
            item.done += 1;
        }
        Some(first)
    }

    /// Returns the numbers of the entry that boots next, and of the first other one that boots if
    /// none of the boots succeeds: the same if there is none.
    pub fn next_and_then(&self) -> Option<(usize, usize)> {
        /// The most attempts that are tried out.
        const MAX_BOOTS: u32 = 100;
        let mut menu = self.clone();
        let next = menu.boot()?;
        let other = (0..MAX_BOOTS).find_map(|_| menu.boot().filter(|found| *found != next));
        Some((next, other.unwrap_or(next)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(generation: u32, snapshot: u32, left: Option<u32>) -> Item {
        Item {
            id: format!("tiu-{generation}-{snapshot}.conf"),
            sort_key: Some("tiu".into()),
            machine_id: "0123".into(),
            version: format!("{generation}.{snapshot}"),
            left,
            done: 0,
        }
    }

    fn menu(items: &[Item]) -> Menu {
        Menu { items: items.to_vec(), ..Menu::default() }
    }

    /// The entries that boots which all fail start.
    fn boots(mut menu: Menu, count: usize) -> Vec<usize> {
        (0..count).filter_map(|_| menu.boot()).collect()
    }

    #[test]
    fn a_trial_has_three_boots_and_then_the_one_before_boots() {
        let menu = menu(&[item(1, 1, None), item(2, 2, Some(3))]);
        assert_eq!(boots(menu.clone(), 5), [1, 1, 1, 0, 0]);
        assert_eq!(menu.next_and_then(), Some((1, 0)));
    }

    #[test]
    fn the_generation_decides_and_not_the_snapshot() {
        let menu = menu(&[item(5, 1, None), item(4, 2, None)]);
        assert_eq!(boots(menu.clone(), 2), [0, 0]);
        assert_eq!(menu.next_and_then(), Some((0, 0)));
    }

    #[test]
    fn an_explicit_default_defeats_counting() {
        let items = [item(1, 1, None), item(2, 2, Some(1))];
        for default in ["tiu-2-2.conf", "tiu-2-2*", "tiu-2-2+1.conf"] {
            let in_file = Menu { default_file: Some(default.into()), ..menu(&items) };
            let in_variable = Menu { default_variable: Some(default.into()), ..menu(&items) };
            assert_eq!(boots(in_file, 1), [1], "{default}");
            assert_eq!(boots(in_variable, 1), [1], "{default}");
        }
        let looping = Menu { default_file: Some("tiu-2-2.conf".into()), ..menu(&items) };
        assert_eq!(boots(looping.clone(), 6), [1; 6]);
        assert_eq!(looping.next_and_then(), Some((1, 1)));
        // A preferred one does not.
        let preferred = Menu { preferred: Some("tiu-2-2.conf".into()), ..menu(&items) };
        assert_eq!(boots(preferred, 3), [1, 0, 0]);
        // A pattern that all match leaves the order.
        let all = Menu { default_file: Some("tiu-*".into()), ..menu(&items) };
        assert_eq!(boots(all, 3), [1, 0, 0]);
    }

    #[test]
    fn a_variable_for_one_boot_counts_once() {
        let items = [item(1, 1, None), item(2, 2, Some(3))];
        let once = Menu { one_shot: Some("tiu-1-1.conf".into()), ..menu(&items) };
        assert_eq!(boots(once.clone(), 5), [0, 1, 1, 1, 0]);
        assert_eq!(once.next_and_then(), Some((0, 1)));
    }

    #[test]
    fn other_systems_come_by_their_sort_key_and_those_without_one_come_last() {
        let other = |id: &str, key: Option<&str>| Item {
            id: id.into(),
            sort_key: key.map(str::to_owned),
            version: "99".into(),
            ..Item::default()
        };
        let ours = item(1, 1, None);
        let order = |other: Item| boots(menu(&[other, ours.clone()]), 1);
        assert_eq!(order(other("arch.conf", Some("arch"))), [0]);
        assert_eq!(order(other("zorin.conf", Some("zorin"))), [1]);
        assert_eq!(order(other("zzz.conf", None)), [1]);
        let exhausted = Item { left: Some(0), ..ours.clone() };
        assert_eq!(boots(menu(&[exhausted, other("zzz.conf", None)]), 1), [1]);
    }

    #[test]
    fn where_everything_is_exhausted_the_newest_boots() {
        assert_eq!(boots(menu(&[item(1, 1, Some(0)), item(2, 2, Some(0))]), 2), [1, 1]);
        assert_eq!(boots(menu(&[]), 2), [0; 0]);
    }

    #[test]
    fn of_two_names_of_one_entry_the_one_with_more_attempts_boots() {
        let twice = menu(&[item(2, 2, Some(1)), item(2, 2, Some(2))]);
        assert_eq!(boots(twice, 1), [1]);
    }
}
