//! Whose number each name of the image has on the host, and how the numbers of the image's files become the host's. The same for users
//! and for groups.
//!
//! The number 0 is the kernel's, not a name's: it maps to itself, nothing maps to it, and no other name is ever given it.

use super::file::File;
use super::note::{Note, What, shown};
use super::table::Line;
use super::three_way::Three;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::RangeInclusive;
use tiu_system::Hint;

/// Something that nobody but the administrator can resolve.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Files of an ordinary user or group of the image would become root's.
    #[error("/{}: {name:?} has number 0 on the host and {number} in the image, and files of the image belong to it: they would become root's", file.path())]
    ToRoot {
        /// Where.
        file: File,
        /// Whose.
        name: String,
        /// In the image.
        number: u32,
    },
    /// All numbers are taken.
    #[error("/{}: {name:?} of the image needs a number, and all from {} to {} are taken", file.path(), range.start(), range.end())]
    Exhausted {
        /// Where.
        file: File,
        /// Whose.
        name: String,
        /// Numbers that may be given.
        range: RangeInclusive<u32>,
    },
}

impl Hint for Problem {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Problem::ToRoot { file, name, .. } => format!(
                "give {name:?} a number of its own in the host's /{}, or remove the entry there, then run again",
                file.path()
            ),
            Problem::Exhausted { .. } => {
                "remove entries that nobody needs, or widen SYS_UID_MIN..SYS_UID_MAX (SYS_GID_MIN..SYS_GID_MAX) in /etc/login.defs".into()
            }
        })
    }
}

/// What becomes of a name of the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// The host has it, with this number.
    Host(u32),
    /// It is added, with this number.
    Added(u32),
    /// It does not come, or it is not known what number the host means.
    Out,
}

/// Numbers of users, or of groups.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// Image's numbers that are others on the host, to the host's.
    pub map: HashMap<u32, u32>,
    /// By line of the image's file.
    fates: BTreeMap<usize, Fate>,
    /// The first name of each number of the image.
    names: HashMap<u32, Vec<u8>>,
}

impl Numbers {
    /// Lines of the image's file that are added.
    pub fn added(&self) -> impl Iterator<Item = usize> {
        self.fates.iter().filter(|(_, fate)| matches!(fate, Fate::Added(_))).map(|(line, _)| *line)
    }

    /// The number that the image's line `line` gets where it is added.
    pub fn of_added(&self, line: usize) -> Option<u32> {
        match self.fates.get(&line) {
            Some(Fate::Added(number)) => Some(*number),
            _ => None,
        }
    }

    /// The host's number for one of the image.
    pub fn host(&self, number: u32) -> u32 {
        self.map.get(&number).copied().unwrap_or(number)
    }

    /// Whose a number is in the image.
    pub fn name(&self, number: u32) -> Option<&[u8]> {
        self.names.get(&number).map(Vec::as_slice)
    }

    /// Decides for all names of the image's passwd or group file. `used`: numbers of the image's files; `needed`: numbers that entries
    /// must have which are added elsewhere; `range`: what may be given.
    pub fn assign(
        three: &Three,
        used: &BTreeSet<u32>,
        needed: &BTreeSet<u32>,
        range: &RangeInclusive<u32>,
        notes: &mut Vec<Note>,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let mut work = Work {
            three,
            needed,
            holders: holders(three),
            free: Free::new(three, used, range),
            notes,
            problems,
        };
        let matters = |number: u32| used.contains(&number) || needed.contains(&number);
        let mut numbers = Numbers::default();
        let mut placed: HashMap<u32, u32> = HashMap::new();
        let mut seen: HashSet<&[u8]> = HashSet::new();
        for (i, line) in three.image.entries() {
            let (name, Some(number)) = (line.name(), line.number(2)) else { continue };
            if !seen.insert(name) {
                continue;
            }
            let fate = work.fate(line, name, number, placed.get(&number).copied());
            numbers.fates.insert(i, fate);
            if placed.contains_key(&number) {
                continue;
            }
            numbers.names.entry(number).or_insert_with(|| name.to_vec());
            let there = match fate {
                _ if number == 0 => 0,
                Fate::Host(0) if matters(number) => {
                    let (file, name) = (three.file, shown(name));
                    work.problems.push(Problem::ToRoot { file, name, number });
                    number
                }
                Fate::Host(0) => number,
                Fate::Host(there) | Fate::Added(there) => there,
                Fate::Out if !work.holders.contains_key(&number) => number,
                Fate::Out if matters(number) => work.free.take(three.file, name, work.problems),
                // Nothing belongs to it; a later name of this number may still come.
                Fate::Out => continue,
            };
            placed.insert(number, there);
            if there != number {
                numbers.map.insert(number, there);
                if matches!(fate, Fate::Host(_)) && matters(number) {
                    let text =
                        format!("files of the image that belong to {number} get the host's number {there}");
                    work.notes.push(Note::new(What::Mapped, three.file, name, text));
                }
            }
        }
        for number in used.union(needed).filter(|number| **number != 0 && !placed.contains_key(number)) {
            if let Some(holder) = work.holders.get(number) {
                let text = format!(
                    "on the host {number} is its number; files of the image belong to {number} as well, without a name"
                );
                work.notes.push(Note::new(What::Nameless, three.file, holder, text));
            }
        }
        numbers
    }
}

/// Who has which number on the host; the first of several.
fn holders<'a>(three: &'a Three) -> HashMap<u32, &'a [u8]> {
    let mut holders = HashMap::new();
    for line in three.host.readable() {
        if let Some(number) = line.number(2) {
            holders.entry(number).or_insert(line.name());
        }
    }
    holders
}

struct Work<'a> {
    three: &'a Three<'a>,
    needed: &'a BTreeSet<u32>,
    holders: HashMap<u32, &'a [u8]>,
    free: Free,
    notes: &'a mut Vec<Note>,
    problems: &'a mut Vec<Problem>,
}

impl Work<'_> {
    /// What becomes of an entry of the image. `placed`: the host's number for an earlier name of the same number.
    fn fate(&mut self, line: &Line, name: &[u8], number: u32, placed: Option<u32>) -> Fate {
        let file = self.three.file;
        if let Some((_, line)) = self.three.host.find(name) {
            return line.number(2).map_or(Fate::Out, Fate::Host);
        }
        let mut out = |what, text: &str| {
            self.notes.push(Note::new(what, file, name, text));
            Fate::Out
        };
        // Its own root is what a system without any gets.
        let root = number == 0 && name == b"root" && !self.holders.contains_key(&0);
        if (number == 0 || placed == Some(0)) && !root {
            return out(
                What::Refused,
                "does not come from the image: it would be another name of number 0, which is root's",
            );
        }
        if self.three.closed {
            return out(What::Refused, "does not come from the image: the file is always the host's");
        }
        if self.three.base_had(name) && !self.needed.contains(&number) {
            return out(
                What::StaysAway,
                "does not come back: the image before had it, too, and the host does not",
            );
        }
        if !is_name(name) || line.bytes().iter().any(u8::is_ascii_control) {
            return out(
                What::Refused,
                "does not come from the image: the entry has characters that programs may misread",
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
                let text =
                    format!("added with number {there}, for its own, {number}, is {holder}'s on the host");
                self.notes.push(Note::new(What::Renumbered, file, name, text));
            }
            _ => self.notes.push(Note::new(What::Added, file, name, format!("added with number {there}"))),
        }
        Fate::Added(there)
    }
}

/// Numbers that can be given: the highest first, as useradd(8) and systemd-sysusers(8) do.
struct Free {
    range: RangeInclusive<u32>,
    next: u32,
    taken: HashSet<u32>,
}

impl Free {
    /// Never one that either side knows or that a file of the image belongs to.
    fn new(three: &Three, used: &BTreeSet<u32>, range: &RangeInclusive<u32>) -> Self {
        let sides = [Some(&three.host), Some(&three.image), three.base.as_ref()];
        let known =
            sides.into_iter().flatten().flat_map(|table| table.readable()).filter_map(|line| line.number(2));
        Free { range: range.clone(), next: *range.end(), taken: known.chain(used.iter().copied()).collect() }
    }

    fn take(&mut self, file: File, name: &[u8], problems: &mut Vec<Problem>) -> u32 {
        while self.range.contains(&self.next) && self.next > 0 {
            let number = self.next;
            self.next -= 1;
            if self.taken.insert(number) {
                return number;
            }
        }
        problems.push(Problem::Exhausted { file, name: shown(name), range: self.range.clone() });
        // Nothing is merged now.
        u32::MAX
    }
}

/// Whether a new name is one that all programs understand: as systemd's "strict" rules, but with capitals.
fn is_name(name: &[u8]) -> bool {
    let first = |c: &u8| c.is_ascii_alphabetic() || *c == b'_';
    let other = |c: &u8| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-' | b'.');
    let body = name.strip_suffix(b"$").unwrap_or(name);
    name.len() <= 32 && body.first().is_some_and(first) && body.iter().all(other)
}
