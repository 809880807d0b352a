//! Checks the structure of the workspace: which file of a crate imports which.
//!
//! ```text
//! workspace   the crates, from cargo
//! read        files and modules of a crate
//! collect     names and paths in a file; tokens: in macros; cfg: without tests
//! tree        the data that these make
//! resolve     finds the item that a path names
//! arrows      from all paths to a graph of files
//! circles     circles in a graph
//! libraries   crates that no library may name
//! rooms       the table of allowed imports
//! check       all checks, and their findings
//! ```
#![forbid(unsafe_code)]

mod arrows;
mod cfg;
mod check;
mod circles;
mod collect;
mod libraries;
mod read;
mod resolve;
mod rooms;
mod sources;
mod tokens;
mod tree;
mod workspace;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::check::{DOCUMENT, Parsed};
use crate::sources::Disk;

/// Check which file of a crate imports which.
///
/// Reads the library and the programs of each crate of the workspace and resolves every path in
/// them: `use`, paths in expressions, types, patterns and attributes, and what looks like a path in
/// the arguments of macros. A path through a re-export is an import of the file that defines the
/// item; the re-exporting file imports that file too. `mod x;` is not an import, and `use x;` of a
/// module is not one either: the paths through `x` are. Prints each circle of imports with the
/// place of every import in it, each path of clap in a library, and each import that the tables in
/// docs/internals/architecture.md do not allow.
///
/// Left out: `#[cfg(test)]` and `#[test]` code, and the targets in `tests`, `benches` and
/// `examples`: tests may use anything. Not seen: calls of methods and accesses to fields, which no
/// path shows; links in documentation; `include!`. All features count as enabled.
///
/// Exit code: 0 without findings, 1 with findings, 2 if something could not be read.
#[derive(Parser)]
#[command(name = "tiu-structure", max_term_width = 100)]
struct Options {
    /// The workspace's Cargo.toml [default: the one of the current directory]
    #[arg(long, value_name = "PATH")]
    manifest_path: Option<PathBuf>,
    /// Print what each room of CRATE imports, in the form of the table, and check nothing
    #[arg(long, value_name = "CRATE")]
    rooms: Option<String>,
    /// Print what each crate needs, in the form of the table, and check nothing
    #[arg(long, conflicts_with = "rooms")]
    crates: bool,
    /// Print all imports between the files of a circle, not only a shortest circle
    #[arg(long)]
    all: bool,
    /// A missing table of rooms of the client is an error
    #[arg(long)]
    require_rooms: bool,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("tiu-structure: {error}");
            ExitCode::from(2)
        }
    }
}

/// Returns false if there are findings.
fn run(options: &Options) -> Result<bool, String> {
    let workspace = workspace::read(options.manifest_path.as_deref())?;
    let sources = Disk(workspace.directory.clone());
    let crates: Vec<Parsed<'_>> = workspace
        .packages
        .iter()
        .map(|package| check::parse(&sources, package).map_err(|error| error.to_string()))
        .collect::<Result<_, _>>()?;
    if options.crates {
        print!("{}", rooms::lines(&check::needs(&crates)));
        return Ok(true);
    }
    if let Some(name) = &options.rooms {
        let parsed = crates.iter().find(|parsed| parsed.package.name == *name);
        let parsed = parsed.ok_or_else(|| format!("the workspace has no crate `{name}`"))?;
        print!("{}", rooms::lines(&parsed.rooms()));
        return Ok(true);
    }

    let mut found = Vec::new();
    for parsed in &crates {
        found.extend(parsed.circles(options.all));
        found.extend(parsed.command_line());
    }
    let document = workspace.directory.join(DOCUMENT);
    let document = if document.exists() {
        Some(std::fs::read_to_string(&document).map_err(|error| format!("{}: {error}", document.display()))?)
    } else {
        None
    };
    found.extend(check::tables(document.as_deref(), &crates, options.require_rooms));
    for text in &found {
        print!("{text}");
    }
    let files: usize = crates.iter().map(|parsed| parsed.tree.files.len()).sum();
    println!("{} crates, {files} files, {} findings", crates.len(), found.len());
    Ok(found.is_empty())
}
