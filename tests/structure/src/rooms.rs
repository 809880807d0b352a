//! Rooms: the folders and files at the top of a crate's `src`, and the table in
//! docs/internals/architecture.md of which of them may import which.
//!
//! The table is a fenced block. Each line names a room and the rooms that it may import; `*` stands
//! for all:
//!
//! ````text
//! ```rooms
//! lib: *
//! transaction: boot config snapshots   # what an apply does
//! config:
//! ```
//! ````
//!
//! A block marked `rooms` is about the crate `tiu`, one marked `rooms NAME` about another crate,
//! one marked `crates` about the crates of the workspace.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// For each room, the rooms that it imports, each with the evidence.
pub type Rooms = BTreeMap<String, BTreeMap<String, String>>;

/// For each room, the rooms that it may import.
pub type Table = BTreeMap<String, BTreeSet<String>>;

/// Returns the room of a file: the first folder or file below `src`.
pub fn room(package: &Path, file: &Path) -> String {
    let inside = file.strip_prefix(package).unwrap_or(file);
    let inside = inside.strip_prefix("src").unwrap_or(inside);
    let first = inside.components().next().map(|part| part.as_os_str().to_string_lossy().into_owned());
    let first = first.unwrap_or_default();
    first.strip_suffix(".rs").map_or(first.clone(), str::to_owned)
}

/// Returns the table in the fenced block that is marked with `mark`; none if there is no such
/// block.
pub fn parse_table(document: &str, mark: &str) -> Result<Option<Table>, String> {
    let mut lines = document.lines().enumerate();
    if !lines.any(|(_, line)| line.trim().strip_prefix("```").is_some_and(|info| info.trim() == mark)) {
        return Ok(None);
    }
    let mut table = Table::new();
    for (index, line) in lines {
        if line.trim().starts_with("```") {
            return Ok(Some(table));
        }
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let Some((room, allowed)) = line.split_once(':') else {
            return Err(format!("line {}: `{line}` is not of the form `room: room room`", index + 1));
        };
        let allowed = allowed.split_whitespace().map(str::to_owned).collect();
        if table.insert(room.trim().to_owned(), allowed).is_some() {
            return Err(format!("line {}: `{}` has two lines", index + 1, room.trim()));
        }
    }
    Err(format!("the block marked `{mark}` has no end"))
}

/// Returns a sentence for each way in which the code does not do what the table says.
pub fn violations(rooms: &Rooms, table: &Table) -> Vec<String> {
    let mut found = Vec::new();
    for (room, imports) in rooms {
        let Some(allowed) = table.get(room) else {
            found.push(format!("`{room}` has no line in the table"));
            continue;
        };
        for (import, evidence) in imports {
            if !allowed.contains(import) && !allowed.contains("*") {
                found.push(format!("`{room}` may not import `{import}`: {evidence}"));
            }
        }
    }
    for (room, allowed) in table {
        if !rooms.contains_key(room) {
            found.push(format!("the table has a line for `{room}`, which does not exist"));
        }
        for name in allowed {
            if name != "*" && !rooms.contains_key(name) {
                found.push(format!("the table's line for `{room}` names `{name}`, which does not exist"));
            }
        }
    }
    found
}

/// Returns the imports in the form of a table's lines.
pub fn lines(rooms: &Rooms) -> String {
    let mut text = String::new();
    for (room, imports) in rooms {
        text += room;
        text += ":";
        for import in imports.keys() {
            text += " ";
            text += import;
        }
        text += "\n";
    }
    text
}
