//! From the paths in a package to its graph of imports between files.

use std::collections::BTreeMap;

use crate::resolve::Target;
use crate::tree::{FileId, Form, Tree, Written};

/// The evidence of an import: the place of the path that makes it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Evidence {
    /// The line, from 1.
    pub line: usize,
    /// The path as it is written.
    pub text: String,
}

/// For each file, the files that it imports, each with the first path that does so.
pub type Graph = Vec<BTreeMap<FileId, Evidence>>;

/// Returns the imports between the package's files. A file does not import itself.
pub fn imports(tree: &Tree) -> Graph {
    let mut graph: Graph = vec![BTreeMap::new(); tree.files.len()];
    for written in &tree.written {
        let from = tree.modules[written.module].file;
        for to in imported(tree, written) {
            if to == from {
                continue;
            }
            let evidence = Evidence { line: written.line, text: written.text() };
            let known = graph[from].entry(to).or_insert_with(|| evidence.clone());
            if evidence < *known {
                *known = evidence;
            }
        }
    }
    graph
}

/// Returns the files that a path imports.
fn imported(tree: &Tree, written: &Written) -> Vec<FileId> {
    let targets = tree.resolve(written.module, &written.segments, written.absolute);
    let mut files: Vec<FileId> =
        targets.iter().filter_map(|target| file(tree, target, written.form)).collect();
    if let (Form::Macro, [name]) = (written.form, written.segments.as_slice())
        && files.is_empty()
    {
        files.extend(tree.textual_macro(written.module, name));
    }
    files
}

/// Returns the file that is imported by naming `target`.
///
/// A `use` of a module only brings its name: the paths that go through the name are the imports. It
/// is an import itself when others can use the name from here. A glob can bring traits, which no
/// path shows, so it is an import of the file whose items it brings.
fn file(tree: &Tree, target: &Target, form: Form) -> Option<FileId> {
    match target {
        Target::Item(item) => (form != Form::Macro || item.is_macro).then_some(item.file),
        Target::Unlisted(module) => Some(tree.modules[*module].file),
        Target::External(_) => None,
        Target::Module(module) => {
            let module = &tree.modules[*module];
            let counts = match form {
                Form::Inline | Form::Macro => false,
                Form::Use { exported } => exported,
                Form::Glob { exported } => exported || module.defines_items(),
            };
            counts.then_some(module.file)
        }
    }
}
