//! Finds the item that a path names, as the compiler does: explicit names before globs, through any
//! number of re-exports, each name only where it is visible.
//!
//! Namespaces are not distinguished: a name that is a function and a module has both meanings. A
//! path goes on through the module.

use std::collections::HashSet;

use crate::tree::{FileId, Item, Meaning, ModuleId, Tree};

/// The item that a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A module.
    Module(ModuleId),
    /// An item, or what belongs to it: a variant, an associated function.
    Item(Item),
    /// A name that the module must have, but which is not in its text: a macro makes it.
    Unlisted(ModuleId),
    /// Something of another crate, or a local name of a function.
    External(String),
}

impl Tree {
    /// Returns everything that the path can name when written in `module`.
    pub fn resolve(&self, module: ModuleId, segments: &[String], absolute: bool) -> Vec<Target> {
        self.path(module, segments, absolute, &mut HashSet::new())
    }

    /// Returns the file that defines the `macro_rules!` macro which code in `module` calls by its
    /// plain name.
    pub fn textual_macro(&self, module: ModuleId, name: &str) -> Option<FileId> {
        self.ancestors(module).find_map(|ancestor| self.modules[ancestor].macros.get(name).copied())
    }

    /// `busy`: the imports on the way, so that a circle of re-exports ends.
    fn path(
        &self,
        module: ModuleId,
        segments: &[String],
        absolute: bool,
        busy: &mut HashSet<usize>,
    ) -> Vec<Target> {
        let Some((first, rest)) = segments.split_first() else { return vec![] };
        let mut targets = match first.as_str() {
            _ if absolute => vec![self.external(module, first)],
            "Self" => return vec![],
            "crate" => vec![Target::Module(self.modules[module].root)],
            "self" => vec![Target::Module(module)],
            "super" => self.modules[module].parent.map(Target::Module).into_iter().collect(),
            name => {
                let found = self.name(module, name, module, busy);
                if found.is_empty() { vec![self.external(module, name)] } else { found }
            }
        };
        for name in rest {
            targets = self.step(targets, name, module, busy);
        }
        targets.dedup();
        targets
    }

    /// Goes on from `targets` by one name.
    fn step(
        &self,
        targets: Vec<Target>,
        name: &str,
        viewer: ModuleId,
        busy: &mut HashSet<usize>,
    ) -> Vec<Target> {
        let module = targets.iter().find_map(|target| match target {
            Target::Module(module) => Some(*module),
            _ => None,
        });
        let Some(module) = module else { return targets };
        if name == "self" {
            return vec![Target::Module(module)];
        }
        if name == "super" {
            return self.modules[module].parent.map(Target::Module).into_iter().collect();
        }
        let found = self.name(module, name, viewer, busy);
        if found.is_empty() { vec![Target::Unlisted(module)] } else { found }
    }

    /// Returns the meanings of a name in `module` that code in `viewer` can use.
    fn name(&self, module: ModuleId, name: &str, viewer: ModuleId, busy: &mut HashSet<usize>) -> Vec<Target> {
        let mut found = Vec::new();
        for binding in self.modules[module].names.get(name).into_iter().flatten() {
            if !self.is_visible(binding.visibility, viewer) {
                continue;
            }
            match &binding.meaning {
                Meaning::Module(child) => found.push(Target::Module(*child)),
                Meaning::Item(item) => found.push(Target::Item(item.clone())),
                Meaning::Import(import) => {
                    if busy.insert(import.number) {
                        found.extend(self.path(module, &import.segments, import.absolute, busy));
                        busy.remove(&import.number);
                    }
                }
            }
        }
        if !found.is_empty() {
            return found;
        }
        for glob in &self.modules[module].globs {
            if !self.is_visible(glob.visibility, viewer) || !busy.insert(glob.number) {
                continue;
            }
            for target in self.path(module, &glob.segments, glob.absolute, busy) {
                match target {
                    Target::Module(source) => found.extend(self.name(source, name, module, busy)),
                    Target::Item(item) if item.variants.iter().any(|variant| variant == name) => {
                        found.push(Target::Item(item));
                    }
                    _ => {}
                }
            }
            busy.remove(&glob.number);
        }
        found
    }

    fn external(&self, module: ModuleId, name: &str) -> Target {
        match &self.library {
            Some((library, root)) if library == name && self.modules[module].root != *root => {
                Target::Module(*root)
            }
            _ => Target::External(name.to_owned()),
        }
    }
}
