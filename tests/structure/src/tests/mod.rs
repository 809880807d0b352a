//! Small crates in memory, one for each way in which a file can import another.

mod check;
mod imports;
mod rooms;

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::check::{Parsed, parse};
use crate::read::{ReadError, Root};
use crate::workspace::Package;

/// A crate in memory: its files, by path.
pub struct Crate {
    package: Package,
    sources: BTreeMap<PathBuf, String>,
}

impl Crate {
    /// Returns a crate with the library src/lib.rs, if there is one, and the program src/main.rs,
    /// if there is one.
    pub fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let sources: BTreeMap<PathBuf, String> =
            files.iter().map(|(path, text)| (path.into(), (*text).to_owned())).collect();
        let mut roots = Vec::new();
        for (path, library) in [("src/lib.rs", Some(name.replace('-', "_"))), ("src/main.rs", None)] {
            if sources.contains_key(&PathBuf::from(path)) {
                roots.push(Root { library, path: path.into() });
            }
        }
        let package = Package { name: name.to_owned(), directory: PathBuf::new(), roots, needs: vec![] };
        Self { package, sources }
    }

    /// Reads the crate.
    pub fn try_parse(&self) -> Result<Parsed<'_>, ReadError> {
        parse(&self.sources, &self.package)
    }

    /// Reads a crate that must be readable.
    pub fn parse(&self) -> Parsed<'_> {
        self.try_parse().unwrap_or_else(|error| panic!("{error}"))
    }
}

/// Returns the imports of a library as `from:line -> to  path`, without `src/`.
pub fn imports(files: &[(&str, &str)]) -> Vec<String> {
    let example = Crate::new("example", files);
    let parsed = example.parse();
    let name = |file: usize| parsed.tree.files[file].display().to_string().replace("src/", "");
    let mut lines = Vec::new();
    for (from, imports) in parsed.graph.iter().enumerate() {
        for (to, evidence) in imports {
            lines.push(format!("{}:{} -> {}  {}", name(from), evidence.line, name(*to), evidence.text));
        }
    }
    lines.sort();
    lines
}
