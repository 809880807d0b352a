//! The number that each name of the image has on the host, and how the numbers of the image's files
//! become the host's. Users and groups are treated alike.
//!
//! The number 0 belongs to the kernel, not to a name: it maps to itself, nothing else maps to it,
//! and no other name is ever assigned it.

use super::file::AccountFile;
use super::note::{Note, NoteKind, shown};
use super::steps;
use super::table::Line;
use super::three_tables::ThreeTables;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::RangeInclusive;
use tiu_system::hints;

/// A problem that only the administrator can resolve.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
#[non_exhaustive]
pub enum Problem {
    /// Files of an ordinary user or group of the image would belong to root.
    #[error("/{}: {name:?} has number 0 on the host and {number} in the image, and files of the image belong to it: they would belong to root", file.path())]
    ToRoot {
        file: AccountFile,
        name: String,
        /// Number in the image.
        number: u32,
    },
    /// All numbers of the range are taken.
    #[error("/{}: {name:?} of the image needs a number, and all from {} to {} are taken", file.path(), range.start(), range.end())]
    Exhausted {
        file: AccountFile,
        name: String,
        /// Numbers that may be assigned.
        range: RangeInclusive<u32>,
    },
}

hints! { Problem {
    ToRoot { file, name, .. } => format!(
        "give {name:?} a number of its own in the host's /{}, or remove the entry there, then run again",
        file.path()
    ),
    Exhausted { .. } => "remove entries that nobody needs, or widen SYS_UID_MIN..SYS_UID_MAX \
        (SYS_GID_MIN..SYS_GID_MAX) in /etc/login.defs",
} }

/// The fate of a name of the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HostNumber {
    /// The host has it, with this number.
    Host(u32),
    /// It is added, with this number.
    Added(u32),
    /// It is not added, or the host's number cannot be read.
    Absent,
}

/// The numbers of users, or of groups.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// Maps the image's numbers to the host's where these differ.
    pub map: HashMap<u32, u32>,
    /// The fate of each name, by line of the image's file.
    host_numbers: BTreeMap<usize, HostNumber>,
    /// The first name of each number of the image.
    names: HashMap<u32, Vec<u8>>,
}

impl Numbers {
    /// Returns the lines of the image's file that are added.
    pub fn added(&self) -> impl Iterator<Item = usize> {
        self.host_numbers
            .iter()
            .filter(|(_, host_number)| matches!(host_number, HostNumber::Added(_)))
            .map(|(line, _)| *line)
    }

    /// Returns the number that line `line` of the image gets if it is added.
    pub fn added_number(&self, line: usize) -> Option<u32> {
        match self.host_numbers.get(&line) {
            Some(HostNumber::Added(number)) => Some(*number),
            _ => None,
        }
    }

    /// Returns the host's number for a number of the image.
    pub fn host(&self, number: u32) -> u32 {
        self.map.get(&number).copied().unwrap_or(number)
    }

    /// Returns the name that a number has in the image.
    pub fn name(&self, number: u32) -> Option<&[u8]> {
        self.names.get(&number).map(Vec::as_slice)
    }

    /// Decides about all names of the image's passwd or group file. `used` are the numbers of the
    /// image's files, `needed` the numbers that entries need which are added to another file,
    /// `range` the numbers that may be assigned.
    pub fn assign(
        tables: &ThreeTables,
        used: &BTreeSet<u32>,
        needed: &BTreeSet<u32>,
        range: &RangeInclusive<u32>,
        notes: &mut Vec<Note>,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let mut assignment = Assignment {
            tables,
            needed,
            holders: holders(tables),
            free: FreeNumbers::new(tables, used, range),
            notes,
            problems,
        };
        let matters = |number: u32| used.contains(&number) || needed.contains(&number);
        let mut numbers = Numbers::default();
        let mut placed: HashMap<u32, u32> = HashMap::new();
        let mut seen: HashSet<&[u8]> = HashSet::new();
        for (i, line) in tables.image.entries() {
            let (name, Some(number)) = (line.name(), line.number(2)) else { continue };
            if !seen.insert(name) {
                continue;
            }
            let host_number = assignment.host_number(line, name, number, placed.get(&number).copied());
            numbers.host_numbers.insert(i, host_number);
            if placed.contains_key(&number) {
                continue;
            }
            numbers.names.entry(number).or_insert_with(|| name.to_vec());
            let there = match host_number {
                _ if number == 0 => 0,
                HostNumber::Host(0) if matters(number) => {
                    let (file, name) = (tables.file, shown(name));
                    assignment.problems.push(Problem::ToRoot { file, name, number });
                    number
                }
                HostNumber::Host(0) => number,
                HostNumber::Host(there) | HostNumber::Added(there) => there,
                HostNumber::Absent if !assignment.holders.contains_key(&number) => number,
                HostNumber::Absent if matters(number) => {
                    assignment.free.take(tables.file, name, assignment.problems)
                }
                // Nothing belongs to it; a later name with this number may still be added.
                HostNumber::Absent => continue,
            };
            placed.insert(number, there);
            if there != number {
                numbers.map.insert(number, there);
                if matches!(host_number, HostNumber::Host(_)) && matters(number) {
                    let text =
                        format!("files of the image that belong to {number} get the host's number {there}");
                    assignment.notes.push(Note::new(NoteKind::Mapped, tables.file, name, text));
                }
            }
        }
        for number in used.union(needed).filter(|number| **number != 0 && !placed.contains_key(number)) {
            if let Some(holder) = assignment.holders.get(number) {
                let text = format!(
                    "on the host {number} is its number; files of the image belong to {number} as well, but have no name"
                );
                assignment.notes.push(Note::new(NoteKind::Nameless, tables.file, holder, text));
            }
        }
        numbers
    }
}

/// Returns the name that has each number on the host; the first one if there are several.
fn holders<'a>(tables: &'a ThreeTables) -> HashMap<u32, &'a [u8]> {
    let mut holders = HashMap::new();
    for line in tables.host.readable() {
        if let Some(number) = line.number(2) {
            holders.entry(number).or_insert(line.name());
        }
    }
    holders
}

struct Assignment<'a> {
    tables: &'a ThreeTables<'a>,
    needed: &'a BTreeSet<u32>,
    holders: HashMap<u32, &'a [u8]>,
    free: FreeNumbers,
    notes: &'a mut Vec<Note>,
    problems: &'a mut Vec<Problem>,
}

impl Assignment<'_> {
    /// Decides about an entry of the image. `placed` is the host's number for an earlier name with
    /// the same number.
    fn host_number(&mut self, line: &Line, name: &[u8], number: u32, placed: Option<u32>) -> HostNumber {
        let file = self.tables.file;
        if let Some((_, line)) = self.tables.host.find(name) {
            return line.number(2).map_or(HostNumber::Absent, HostNumber::Host);
        }
        let mut out = |what, text: &str| {
            self.notes.push(Note::new(what, file, name, text));
            HostNumber::Absent
        };
        // A system without a root gets the image's.
        let root = number == 0 && name == b"root" && !self.holders.contains_key(&0);
        if (number == 0 || placed == Some(0)) && !root {
            return out(
                NoteKind::Refused,
                "is not added from the image: it would be another name for number 0, which is root's",
            );
        }
        if self.tables.closed {
            return out(NoteKind::Refused, "is not added from the image: the file is always the host's");
        }
        if self.tables.base_had(name) && !self.needed.contains(&number) {
            return out(
                NoteKind::StaysAway,
                "is not added again: the previous image had it too, and the host does not",
            );
        }
        if !is_name(name) || line.bytes().iter().any(u8::is_ascii_control) {
            return out(
                NoteKind::Refused,
                "is not added from the image: the entry has characters that programs may misread",
            );
        }
        let there = match (placed, self.holders.get(&number)) {
            (Some(there), _) => there,
            (None, None) => number,
            (None, Some(_)) => self.free.take(file, name, self.problems),
        };
        match self.holders.get(&number) {
            Some(holder) if there != number => {
                let holder = shown(holder);
                let text = format!(
                    "added with number {there}, because its own, {number}, is {holder}'s on the host"
                );
                self.notes.push(Note::new(NoteKind::Renumbered, file, name, text));
            }
            _ => {
                self.notes.push(Note::new(NoteKind::Added, file, name, format!("added with number {there}")))
            }
        }
        HostNumber::Added(there)
    }
}

/// Numbers that can be assigned: the highest first, as useradd(8) and systemd-sysusers(8) do.
struct FreeNumbers {
    range: RangeInclusive<u32>,
    next: u32,
    taken: HashSet<u32>,
}

impl FreeNumbers {
    /// Excludes the numbers that a side has and those to which a file of the image belongs.
    fn new(tables: &ThreeTables, used: &BTreeSet<u32>, range: &RangeInclusive<u32>) -> Self {
        let sides = [Some(&tables.host), Some(&tables.image), tables.base.as_ref()];
        let known =
            sides.into_iter().flatten().flat_map(|table| table.readable()).filter_map(|line| line.number(2));
        FreeNumbers {
            range: range.clone(),
            next: *range.end(),
            taken: known.chain(used.iter().copied()).collect(),
        }
    }

    fn take(&mut self, file: AccountFile, name: &[u8], problems: &mut Vec<Problem>) -> u32 {
        while self.range.contains(&self.next) && self.next > 0 {
            steps::count();
            let number = self.next;
            self.next -= 1;
            if self.taken.insert(number) {
                return number;
            }
        }
        problems.push(Problem::Exhausted { file, name: shown(name), range: self.range.clone() });
        // After a problem, nothing is merged.
        u32::MAX
    }
}

/// Returns whether all programs understand a new name: systemd's "strict" rules, plus capital
/// letters.
fn is_name(name: &[u8]) -> bool {
    let first = |c: &u8| c.is_ascii_alphabetic() || *c == b'_';
    let other = |c: &u8| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-' | b'.');
    let body = name.strip_suffix(b"$").unwrap_or(name);
    name.len() <= 32 && body.first().is_some_and(first) && body.iter().all(other)
}
