//! The checks of a workspace, and their findings.

use std::collections::BTreeMap;
use std::path::Path;

use crate::arrows::{self, Evidence, Graph};
use crate::circles::{self, Component};
use crate::libraries;
use crate::read::{ReadError, read_package};
use crate::rooms::{self, Rooms};
use crate::sources::Sources;
use crate::tree::Tree;
use crate::workspace::Package;

/// The document with the tables of rooms, relative to the workspace's directory.
pub const DOCUMENT: &str = "docs/internals/architecture.md";

/// The crate that a table without a name is about.
const CLIENT: &str = "tiu";

/// A crate with all that was read of it.
#[derive(Debug)]
pub struct Parsed<'a> {
    /// The crate.
    pub package: &'a Package,
    /// Its modules.
    pub tree: Tree,
    /// Its imports.
    pub graph: Graph,
}

/// Reads a crate.
pub fn parse<'a>(sources: &dyn Sources, package: &'a Package) -> Result<Parsed<'a>, ReadError> {
    let tree = read_package(sources, &package.roots)?;
    let graph = arrows::imports(&tree);
    Ok(Parsed { package, tree, graph })
}

impl Parsed<'_> {
    fn file(&self, file: usize) -> String {
        self.tree.files[file].display().to_string()
    }

    /// Returns a text for each component with a circle. `all`: with every import between its files.
    pub fn circles(&self, all: bool) -> Vec<String> {
        let components = circles::find(&self.graph);
        components.iter().map(|component| self.circle(component, all)).collect()
    }

    fn circle(&self, component: &Component, all: bool) -> String {
        let Component { members, circle } = component;
        let mut text =
            format!("{}: {} files import each other in a circle", self.package.name, members.len());
        let next = circle.iter().skip(1).chain(circle.first());
        let steps: Vec<(usize, usize)> = circle.iter().copied().zip(next.copied()).collect();
        if circle.len() == members.len() {
            text += ":\n";
        } else {
            text += &format!(". A shortest one has {}:\n", circle.len());
        }
        text += &self.table(&steps);
        if all {
            let mut inside = Vec::new();
            for from in members {
                let to = self.graph[*from].keys().filter(|to| members.binary_search(to).is_ok());
                inside.extend(to.map(|to| (*from, *to)));
            }
            text += &format!("  All {} imports between these files:\n", inside.len());
            text += &self.table(&inside);
        }
        text
    }

    /// Returns a line for each import: place, imported file, the path that is written.
    fn table(&self, imports: &[(usize, usize)]) -> String {
        let rows: Vec<(String, String, &str)> = imports
            .iter()
            .map(|(from, to)| {
                let Evidence { line, text } = &self.graph[*from][to];
                (format!("{}:{line}", self.file(*from)), self.file(*to), text.as_str())
            })
            .collect();
        let first = rows.iter().map(|row| row.0.len()).max().unwrap_or(0);
        let second = rows.iter().map(|row| row.1.len()).max().unwrap_or(0);
        let line = |(place, file, path): &(String, String, &str)| {
            format!("    {place:first$} -> {file:second$}  {path}\n")
        };
        rows.iter().map(line).collect()
    }

    /// Returns a text if files of the library name a crate of the command line.
    pub fn command_line(&self) -> Option<String> {
        let found = libraries::command_line(&self.package.name, &self.tree);
        let mut text = format!(
            "{}: {} files of the library name a crate of the command line, which only programs may:\n",
            self.package.name,
            found.len()
        );
        for (file, Evidence { line, text: path }) in &found {
            text += &format!("    {}:{line}  {path}\n", self.file(*file));
        }
        (!found.is_empty()).then_some(text)
    }

    /// Returns the imports between the crate's rooms, each with a place that makes it.
    pub fn rooms(&self) -> Rooms {
        let room = |file: usize| rooms::room(&self.package.directory, &self.tree.files[file]);
        let mut rooms = Rooms::new();
        for (from, imports) in self.graph.iter().enumerate() {
            let entry = rooms.entry(room(from)).or_default();
            for (to, Evidence { line, text }) in imports {
                let (source, target) = (room(from), room(*to));
                if source != target {
                    let evidence = format!("{}:{line}  {text}", self.file(from));
                    entry.entry(target).or_insert(evidence);
                }
            }
        }
        rooms
    }
}

/// Returns a text for each way in which the code differs from the tables in the document.
/// `required`: the client must have one.
pub fn tables(document: Option<&str>, crates: &[Parsed<'_>], required: bool) -> Vec<String> {
    let mut found = Vec::new();
    let mut compare = |name: &str, mark: &str, rooms: &Rooms, required: bool| match document
        .map_or(Ok(None), |document| rooms::parse_table(document, mark))
    {
        Ok(Some(table)) => {
            let violations = rooms::violations(rooms, &table);
            found.extend(violations.iter().map(|violation| format!("{name}: {violation}\n")));
        }
        Ok(None) if required => {
            found.push(format!("{name}: no table of rooms: {DOCUMENT} has no fenced block marked `{mark}`\n"))
        }
        Ok(None) => {}
        Err(error) => found.push(format!("{DOCUMENT}: {error}\n")),
    };
    compare("workspace", "crates", &needs(crates), false);
    for parsed in crates {
        let name = &parsed.package.name;
        let mark = if name == CLIENT { "rooms".to_owned() } else { format!("rooms {name}") };
        compare(name, &mark, &parsed.rooms(), required && name == CLIENT);
    }
    found
}

/// Returns the dependencies between the crates, in the form of rooms.
pub fn needs(crates: &[Parsed<'_>]) -> Rooms {
    let need = |package: &Package, name: &String| {
        (name.clone(), Path::new(&package.directory).join("Cargo.toml").display().to_string())
    };
    let entry = |package: &Package| {
        let needs: BTreeMap<String, String> = package.needs.iter().map(|name| need(package, name)).collect();
        (package.name.clone(), needs)
    };
    crates.iter().map(|parsed| entry(parsed.package)).collect()
}
