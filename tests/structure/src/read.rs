//! From source text to the [`Tree`]: follows `mod` declarations from the roots of a package's
//! targets.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use syn::ext::IdentExt;
use syn::{Attribute, Expr, ExprLit, ItemMod, Lit, Meta};

use crate::cfg;
use crate::collect::collect;
use crate::sources::Sources;
use crate::tree::{Binding, Meaning, Module, ModuleId, Tree, Visibility};

/// A source file that could not be read.
#[derive(Debug)]
pub struct ReadError {
    /// The file.
    pub path: PathBuf,
    /// The reason.
    pub reason: String,
}

impl fmt::Display for ReadError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.path.display(), self.reason)
    }
}

/// The root file of a library or of a program.
#[derive(Debug)]
pub struct Root {
    /// The name of a library as paths write it; none for a program.
    pub library: Option<String>,
    /// The file.
    pub path: PathBuf,
}

/// The directories in which a module's child modules are looked for.
#[derive(Debug, Clone)]
struct Place {
    /// Of `mod x;`: `x.rs` or `x/mod.rs` here.
    children: PathBuf,
    /// Of `#[path = ".."]`.
    paths: PathBuf,
}

/// Reads all modules of a package. The library comes first, as programs name it.
pub fn read_package(sources: &dyn Sources, roots: &[Root]) -> Result<Tree, ReadError> {
    let mut reader = Reader { sources, tree: Tree::default(), places: HashMap::new() };
    for root in roots {
        let directory = root.path.parent().unwrap_or(Path::new("")).to_owned();
        let module = reader.add_module(None, &root.path);
        reader.places.insert(module, Place { children: directory.clone(), paths: directory });
        if let Some(name) = &root.library {
            reader.tree.library = Some((name.clone(), module));
        }
        let text = sources.read(&root.path).map_err(|error| failure(&root.path, &error))?;
        reader.file(module, &root.path, &text)?;
    }
    Ok(reader.tree)
}

/// The state of a walk.
struct Reader<'a> {
    sources: &'a dyn Sources,
    tree: Tree,
    places: HashMap<ModuleId, Place>,
}

impl Reader<'_> {
    fn file(&mut self, module: ModuleId, path: &Path, text: &str) -> Result<(), ReadError> {
        let file = syn::parse_file(text).map_err(|error| {
            let start = error.span().start();
            ReadError {
                path: path.to_owned(),
                reason: format!("line {}, column {}: {error}", start.line, start.column + 1),
            }
        })?;
        if cfg::is_test_only(&file.attrs) {
            return Ok(());
        }
        self.items(module, &file.items)
    }

    fn items(&mut self, module: ModuleId, items: &[syn::Item]) -> Result<(), ReadError> {
        for (item, visibility) in collect(&mut self.tree, module, items) {
            self.child(module, item, visibility)?;
        }
        Ok(())
    }

    /// Reads a child module, inline or from its file, and gives it its name in `parent`.
    fn child(&mut self, parent: ModuleId, item: &ItemMod, visibility: Visibility) -> Result<(), ReadError> {
        let name = item.ident.unraw().to_string();
        let place = self.places[&parent].clone();
        let attribute = path_attribute(&item.attrs);
        let child = if let Some((_, items)) = &item.content {
            let file = self.tree.files[self.tree.modules[parent].file].clone();
            let child = self.add_module(Some(parent), &file);
            let directory = match &attribute {
                Some(path) => place.paths.join(path),
                None => place.children.join(&name),
            };
            self.places.insert(child, Place { children: directory.clone(), paths: directory });
            self.items(child, items)?;
            child
        } else {
            let (path, text, children) = self.child_file(&place, &name, attribute.as_deref())?;
            let child = self.add_module(Some(parent), &path);
            let paths = path.parent().unwrap_or(Path::new("")).to_owned();
            self.places.insert(child, Place { children, paths });
            self.file(child, &path, &text)?;
            child
        };
        if item.attrs.iter().any(|attribute| attribute.path().is_ident("macro_use")) {
            let macros = self.tree.modules[child].macros.clone();
            self.tree.modules[parent].macros.extend(macros);
        }
        let binding = Binding { visibility, meaning: Meaning::Module(child) };
        self.tree.modules[parent].names.entry(name).or_default().push(binding);
        Ok(())
    }

    /// Returns the path and text of the file of `mod name;`, and the directory of its own child
    /// modules.
    fn child_file(
        &self,
        place: &Place,
        name: &str,
        attribute: Option<&str>,
    ) -> Result<(PathBuf, String, PathBuf), ReadError> {
        if let Some(attribute) = attribute {
            let path = plain(&place.paths.join(attribute));
            let text = self.sources.read(&path).map_err(|error| failure(&path, &error))?;
            let directory = path.parent().unwrap_or(Path::new("")).to_owned();
            return Ok((path, text, directory));
        }
        let directory = place.children.join(name);
        let flat = place.children.join(format!("{name}.rs"));
        for path in [&flat, &directory.join("mod.rs")] {
            match self.sources.read(path) {
                Ok(text) => return Ok((path.clone(), text, directory)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failure(path, &error)),
            }
        }
        Err(ReadError { path: flat, reason: format!("neither this file nor {name}/mod.rs exists") })
    }

    fn add_module(&mut self, parent: Option<ModuleId>, path: &Path) -> ModuleId {
        let module = self.tree.modules.len();
        let file = self.tree.files.iter().position(|file| file == path).unwrap_or_else(|| {
            self.tree.files.push(path.to_owned());
            self.tree.files.len() - 1
        });
        let root = parent.map_or(module, |parent| self.tree.modules[parent].root);
        self.tree.modules.push(Module {
            parent,
            root,
            file,
            names: HashMap::new(),
            globs: Vec::new(),
            macros: HashMap::new(),
        });
        module
    }
}

fn failure(path: &Path, error: &io::Error) -> ReadError {
    ReadError { path: path.to_owned(), reason: error.to_string() }
}

fn path_attribute(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    })
}

/// Returns the path without `.` and `..`, so that a file has one name.
fn plain(path: &Path) -> PathBuf {
    use std::path::Component;
    let mut result = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                if !result.pop() {
                    result.push("..");
                }
            }
            _ => result.push(component),
        }
    }
    result
}
