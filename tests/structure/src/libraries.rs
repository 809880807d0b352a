//! Crates that no library may name, because only programs need them.

use std::collections::BTreeMap;

use crate::arrows::Evidence;
use crate::resolve::Target;
use crate::tree::{FileId, Form, Tree};

/// The crates of the command line, by the names that paths have for them.
const COMMAND_LINE: [&str; 3] = ["clap", "clap_complete", "clap_mangen"];

/// The crates of the workspace whose library is there for command lines.
const MAY_NAME_THEM: [&str; 2] = ["tiu-cli", "tiu-testing"];

/// Returns, for each file of the library that names a crate of the command line, the first path
/// that does so.
pub fn command_line(package: &str, tree: &Tree) -> BTreeMap<FileId, Evidence> {
    let mut found: BTreeMap<FileId, Evidence> = BTreeMap::new();
    if MAY_NAME_THEM.contains(&package) {
        return found;
    }
    for written in &tree.written {
        let is_name = written.form == Form::Inline && written.segments.len() == 1 && !written.absolute;
        let first = written.segments.first().map(String::as_str).unwrap_or_default();
        if is_name || !COMMAND_LINE.contains(&first) || !tree.is_library(written.module) {
            continue;
        }
        let targets = tree.resolve(written.module, &written.segments, written.absolute);
        if !targets.iter().any(|target| matches!(target, Target::External(_))) {
            continue;
        }
        let file = tree.modules[written.module].file;
        let evidence = Evidence { line: written.line, text: written.text() };
        let known = found.entry(file).or_insert_with(|| evidence.clone());
        if evidence < *known {
            *known = evidence;
        }
    }
    found
}
