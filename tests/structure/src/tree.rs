//! The data of a package's module tree: files, modules, what each module's names stand for, and the
//! paths that are written.

use std::collections::HashMap;
use std::path::PathBuf;

/// A position in [`Tree::files`].
pub type FileId = usize;
/// A position in [`Tree::modules`].
pub type ModuleId = usize;

/// All modules of a package's library and programs.
#[derive(Debug, Default)]
pub struct Tree {
    /// The source files, in the order in which they were read.
    pub files: Vec<PathBuf>,
    /// The modules; inline modules are modules of their own in the file around them.
    pub modules: Vec<Module>,
    /// The root module of the library, and the name by which the package's programs know it.
    pub library: Option<(String, ModuleId)>,
    /// Every path in every file.
    pub written: Vec<Written>,
}

/// A module.
#[derive(Debug)]
pub struct Module {
    /// The module around it; none for a root.
    pub parent: Option<ModuleId>,
    /// The root module of its target.
    pub root: ModuleId,
    /// The file with its items.
    pub file: FileId,
    /// Its names: items, child modules, imports.
    pub names: HashMap<String, Vec<Binding>>,
    /// Its `use path::*`.
    pub globs: Vec<Import>,
    /// The `macro_rules!` macros that code in it and below it can call by their plain name.
    pub macros: HashMap<String, FileId>,
}

/// A meaning of a name in a module. A name can have several: a function and a module, say.
#[derive(Debug)]
pub struct Binding {
    /// The code that can use it.
    pub visibility: Visibility,
    /// Its meaning.
    pub meaning: Meaning,
}

/// The code that can use a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// All code of the package.
    Everywhere,
    /// This module and those below it.
    Within(ModuleId),
}

/// The meaning of a name.
#[derive(Debug)]
pub enum Meaning {
    /// A child module.
    Module(ModuleId),
    /// An item that is defined in the module.
    Item(Item),
    /// The item that a `use` names.
    Import(Import),
}

/// An item: a function, type, constant, macro and so on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The file that defines it.
    pub file: FileId,
    /// Defined by `macro_rules!`.
    pub is_macro: bool,
    /// The variants of an enum.
    pub variants: Vec<String>,
}

/// A `use`, without what it is called here.
#[derive(Debug, Clone)]
pub struct Import {
    /// A number of its own, by which a walk sees that it came back.
    pub number: usize,
    /// The path; without the `*`.
    pub segments: Vec<String>,
    /// Starts with `::`.
    pub absolute: bool,
    /// The code that can see the imported name.
    pub visibility: Visibility,
}

/// A path as it is written in a file.
#[derive(Debug)]
pub struct Written {
    /// The module in which it is written.
    pub module: ModuleId,
    /// The line, from 1.
    pub line: usize,
    /// The names in it.
    pub segments: Vec<String>,
    /// Starts with `::`.
    pub absolute: bool,
    /// The construct that contains the path.
    pub form: Form,
}

/// A construct that can contain a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// An expression, type, pattern, visibility, attribute, or a macro's tokens.
    Inline,
    /// A `use` of a name. `exported`: others can use the name from here.
    Use { exported: bool },
    /// A `use path::*`.
    Glob { exported: bool },
    /// The name of a macro that is called.
    Macro,
}

impl Written {
    /// Returns the path as text.
    pub fn text(&self) -> String {
        let path = self.segments.join("::");
        let colons = if self.absolute { "::" } else { "" };
        match self.form {
            Form::Inline => format!("{colons}{path}"),
            Form::Use { exported: false } => format!("use {colons}{path}"),
            Form::Use { exported: true } => format!("pub use {colons}{path}"),
            Form::Glob { exported: false } => format!("use {colons}{path}::*"),
            Form::Glob { exported: true } => format!("pub use {colons}{path}::*"),
            Form::Macro => format!("{colons}{path}!"),
        }
    }
}

impl Module {
    /// Returns true if the module's own file defines something, besides child modules and imports.
    pub fn defines_items(&self) -> bool {
        self.names.values().flatten().any(|binding| matches!(binding.meaning, Meaning::Item(_)))
    }
}

impl Tree {
    /// Returns true if code in `module` can use a name with this visibility.
    pub fn is_visible(&self, visibility: Visibility, module: ModuleId) -> bool {
        match visibility {
            Visibility::Everywhere => true,
            Visibility::Within(owner) => self.ancestors(module).any(|ancestor| ancestor == owner),
        }
    }

    /// Returns the module and those around it, from the inside.
    pub fn ancestors(&self, module: ModuleId) -> impl Iterator<Item = ModuleId> {
        std::iter::successors(Some(module), |&module| self.modules[module].parent)
    }

    /// Returns true if the module belongs to the library, not to a program.
    pub fn is_library(&self, module: ModuleId) -> bool {
        self.library.as_ref().is_some_and(|(_, root)| self.modules[module].root == *root)
    }
}
