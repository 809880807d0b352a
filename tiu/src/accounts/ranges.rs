//! subuid and subgid: ranges of numbers that users may use in their own namespaces. A new range
//! never overlaps another one, because users who share a number share the files.

use super::file::{AccountFile, AccountFiles};
use super::limits::Limits;
use super::note::{Note, NoteKind};
use super::numbers::Numbers;
use super::steps;
use super::table::{Table, number};
use super::three_tables::{ThreeTables, put_result};
use std::collections::{BTreeMap, HashSet};

/// Merges one of the two files into `files`. `users` are the names of all users of the new system.
pub(super) fn merge(
    mut tables: ThreeTables,
    uids: &Numbers,
    users: &HashSet<Vec<u8>>,
    limits: &Limits,
    files: &mut AccountFiles,
    notes: &mut Vec<Note>,
) {
    let file = tables.file;
    let range = if file == AccountFile::Subuid { &limits.subuids } else { &limits.subgids };
    let mut taken = TakenRanges::default();
    for (_, line) in tables.host.entries() {
        let (Some(start), Some(count)) = (line.number(1), line.number(2)) else { continue };
        if taken.overlaps(start, count) {
            let text = format!("{start}:{count} overlaps another range of the host; it stays as it is");
            notes.push(Note::new(NoteKind::Overlap, file, line.name(), text));
        }
        taken.add(start, count);
    }
    let owners =
        |table: &Table| -> HashSet<Vec<u8>> { table.readable().map(|line| line.name().to_vec()).collect() };
    let host = owners(&tables.host);
    let base = tables.base.as_ref().map(owners).unwrap_or_default();
    let mut lines = Vec::new();
    for (_, line) in tables.image.entries() {
        let (Some(start), Some(count)) = (line.number(1), line.number(2)) else { continue };
        // The owner can be a number, which is the image's.
        let numeric = number(line.name());
        let name = numeric.and_then(|number| uids.name(number)).unwrap_or(line.name()).to_vec();
        let there = numeric.map(|number| uids.host(number).to_string().into_bytes());
        let keys = [Some(&name), there.as_ref()];
        let any = |set: &HashSet<Vec<u8>>| keys.into_iter().flatten().any(|key| set.contains(key));
        if tables.closed
            || count == 0
            || any(&host)
            || any(&base)
            || base.contains(line.name())
            || !users.contains(&name)
        {
            continue;
        }
        let placed = if taken.overlaps(start, count) || start == 0 {
            taken.gap(*range.start(), *range.end(), count)
        } else {
            Some(start)
        };
        let Some(placed) = placed else {
            let text = format!(
                "{start}:{count} is not added from the image: it is taken, and no range of that size is free"
            );
            notes.push(Note::new(NoteKind::Refused, file, &name, text));
            continue;
        };
        taken.add(placed, count);
        let owner = there.as_deref().unwrap_or(&name);
        lines.push([owner, placed.to_string().as_bytes(), count.to_string().as_bytes()].join(&b':'));
        notes.push(if placed == start {
            Note::new(NoteKind::Added, file, &name, format!("added with {placed}:{count}"))
        } else {
            let text = format!(
                "added with {placed}:{count}, because {start}:{count} of the image is taken on the host"
            );
            Note::new(NoteKind::Moved, file, &name, text)
        });
    }
    tables.host.insert(lines);
    put_result(tables, files);
}

/// Ranges that are taken: each first number with the one after the last; ranges that touch are
/// joined.
#[derive(Default)]
struct TakenRanges(BTreeMap<u64, u64>);

impl TakenRanges {
    fn overlaps(&self, start: u32, count: u32) -> bool {
        let (start, end) = span(start, count);
        self.0.range(..end).next_back().is_some_and(|(_, taken)| *taken > start)
    }

    fn add(&mut self, start: u32, count: u32) {
        let (mut start, mut end) = span(start, count);
        if start == end {
            return;
        }
        while let Some((from, to)) = self.0.range(..=end).next_back().map(|(from, to)| (*from, *to)) {
            if to < start {
                break;
            }
            steps::count();
            self.0.remove(&from);
            start = start.min(from);
            end = end.max(to);
        }
        self.0.insert(start, end);
    }

    /// Returns the start of the lowest free range of `count` numbers between `low` and `high`.
    fn gap(&self, low: u32, high: u32, count: u32) -> Option<u32> {
        let mut start = u64::from(low);
        if let Some((_, to)) = self.0.range(..=start).next_back() {
            start = start.max(*to);
        }
        for (from, to) in self.0.range(start..) {
            steps::count();
            if start.saturating_add(u64::from(count)) <= *from {
                break;
            }
            start = start.max(*to);
        }
        let last = start.checked_add(u64::from(count))?.checked_sub(1)?;
        (last <= u64::from(high)).then(|| u32::try_from(start).ok()).flatten()
    }
}

/// Returns the first number and the one after the last.
fn span(start: u32, count: u32) -> (u64, u64) {
    (u64::from(start), u64::from(start).saturating_add(u64::from(count)))
}
