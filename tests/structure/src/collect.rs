//! The names that a module's text defines and the paths that it writes.
//!
//! It does not see names that no path shows: a call of a method, an access to a field, a trait that
//! is in scope. It ignores links in documentation, which are text.

use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::visit::{self, Visit};
use syn::{Attribute, ItemMacro, ItemUse, Path, UseTree};

use crate::cfg;
use crate::tokens::{self, TokenPath};
use crate::tree::{Binding, Form, Import, Item, Meaning, ModuleId, Tree, Visibility, Written};

/// A `mod` declaration, and who can name the module.
pub type Declaration<'ast> = (&'ast syn::ItemMod, Visibility);

/// Adds the names and paths of a module's items to the tree. Returns the modules that they declare,
/// which are still to be read.
pub fn collect<'ast>(tree: &mut Tree, module: ModuleId, items: &'ast [syn::Item]) -> Vec<Declaration<'ast>> {
    let mut collector = Collector { tree, module, blocks: 0, declarations: Vec::new() };
    for item in items {
        collector.visit_item(item);
    }
    collector.declarations
}

/// A walk over the items of a module.
struct Collector<'tree, 'ast> {
    tree: &'tree mut Tree,
    module: ModuleId,
    /// The number of blocks around the present place. No other module sees the names in them.
    blocks: usize,
    declarations: Vec<Declaration<'ast>>,
}

impl Collector<'_, '_> {
    fn visibility(&self, visibility: &syn::Visibility) -> Visibility {
        match visibility {
            _ if self.blocks > 0 => Visibility::Within(self.module),
            syn::Visibility::Public(_) => Visibility::Everywhere,
            syn::Visibility::Restricted(restricted) => self.restricted(&names(&restricted.path)),
            syn::Visibility::Inherited => Visibility::Within(self.module),
        }
    }

    /// Returns the visibility of `pub(path)`, which always names a module around this one.
    fn restricted(&self, path: &[String]) -> Visibility {
        let around: Vec<ModuleId> = self.tree.ancestors(self.module).collect();
        let up = match path.first().map(String::as_str) {
            Some("self") => 0,
            Some("super") => path.iter().filter(|name| *name == "super").count(),
            _ => around.len().saturating_sub(path.len()),
        };
        match around.get(up) {
            Some(owner) if up + 1 < around.len() => Visibility::Within(*owner),
            _ => Visibility::Everywhere,
        }
    }

    fn bind(&mut self, module: ModuleId, name: String, visibility: Visibility, meaning: Meaning) {
        let names = &mut self.tree.modules[module].names;
        names.entry(name).or_default().push(Binding { visibility, meaning });
    }

    fn define(&mut self, name: &syn::Ident, visibility: &syn::Visibility, variants: Vec<String>) {
        let file = self.tree.modules[self.module].file;
        let visibility = self.visibility(visibility);
        let item = Item { file, is_macro: false, variants };
        self.bind(self.module, name.unraw().to_string(), visibility, Meaning::Item(item));
    }

    fn define_macro(&mut self, item: &ItemMacro) {
        let Some(name) = item.ident.as_ref().map(|name| name.unraw().to_string()) else { return };
        let module = &mut self.tree.modules[self.module];
        let (file, root) = (module.file, module.root);
        module.macros.insert(name.clone(), file);
        let definition = Item { file, is_macro: true, variants: vec![] };
        if item.attrs.iter().any(|attribute| attribute.path().is_ident("macro_export")) {
            self.bind(root, name.clone(), Visibility::Everywhere, Meaning::Item(definition.clone()));
        }
        self.bind(self.module, name, Visibility::Within(self.module), Meaning::Item(definition));
    }

    fn write(&mut self, segments: Vec<String>, absolute: bool, span: Span, form: Form) {
        let line = span.start().line;
        self.tree.written.push(Written { module: self.module, line, segments, absolute, form });
    }

    fn write_tokens(&mut self, path: TokenPath) {
        let form = if path.glob {
            Form::Glob { exported: false }
        } else if path.bang {
            Form::Macro
        } else {
            Form::Inline
        };
        self.write(path.segments, path.absolute, path.span, form);
    }

    fn import(&mut self, item: &ItemUse) {
        let visibility = self.visibility(&item.vis);
        let exported = self.blocks == 0 && !matches!(item.vis, syn::Visibility::Inherited);
        let mut leaves = Vec::new();
        flatten(&item.tree, &mut Vec::new(), &mut leaves);
        for leaf in leaves {
            let number = self.tree.written.len();
            let absolute = item.leading_colon.is_some();
            let import = Import { number, segments: leaf.segments.clone(), absolute, visibility };
            let form = match leaf.name {
                Some(_) => Form::Use { exported },
                None => Form::Glob { exported },
            };
            match leaf.name {
                None => self.tree.modules[self.module].globs.push(import),
                Some(name) if name == "_" => {}
                Some(name) => self.bind(self.module, name, visibility, Meaning::Import(import)),
            }
            self.write(leaf.segments, absolute, leaf.span, form);
        }
    }
}

impl<'ast> Visit<'ast> for Collector<'_, 'ast> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if cfg::is_test_only(cfg::item_attributes(item)) {
            return;
        }
        match item {
            syn::Item::Mod(item) => {
                for attribute in &item.attrs {
                    self.visit_attribute(attribute);
                }
                let visibility = self.visibility(&item.vis);
                return self.declarations.push((item, visibility));
            }
            syn::Item::Use(item) => return self.import(item),
            syn::Item::Macro(item) => self.define_macro(item),
            syn::Item::Const(item) => self.define(&item.ident, &item.vis, vec![]),
            syn::Item::Enum(item) => {
                let variants = item.variants.iter().map(|variant| variant.ident.unraw().to_string());
                self.define(&item.ident, &item.vis, variants.collect());
            }
            syn::Item::Fn(item) => self.define(&item.sig.ident, &item.vis, vec![]),
            syn::Item::ForeignMod(item) => {
                for item in &item.items {
                    match item {
                        syn::ForeignItem::Fn(item) => self.define(&item.sig.ident, &item.vis, vec![]),
                        syn::ForeignItem::Static(item) => self.define(&item.ident, &item.vis, vec![]),
                        _ => {}
                    }
                }
            }
            syn::Item::Static(item) => self.define(&item.ident, &item.vis, vec![]),
            syn::Item::Struct(item) => self.define(&item.ident, &item.vis, vec![]),
            syn::Item::Trait(item) => self.define(&item.ident, &item.vis, vec![]),
            syn::Item::Type(item) => self.define(&item.ident, &item.vis, vec![]),
            syn::Item::Union(item) => self.define(&item.ident, &item.vis, vec![]),
            _ => {}
        }
        visit::visit_item(self, item);
    }

    fn visit_block(&mut self, block: &'ast syn::Block) {
        self.blocks += 1;
        visit::visit_block(self, block);
        self.blocks -= 1;
    }

    fn visit_impl_item(&mut self, item: &'ast syn::ImplItem) {
        if !cfg::is_test_only(cfg::impl_item_attributes(item)) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_trait_item(&mut self, item: &'ast syn::TraitItem) {
        if !cfg::is_test_only(cfg::trait_item_attributes(item)) {
            visit::visit_trait_item(self, item);
        }
    }

    fn visit_stmt(&mut self, statement: &'ast syn::Stmt) {
        if !cfg::is_test_only(cfg::statement_attributes(statement)) {
            visit::visit_stmt(self, statement);
        }
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        if !cfg::is_test_only(&field.attrs) {
            visit::visit_field(self, field);
        }
    }

    fn visit_variant(&mut self, variant: &'ast syn::Variant) {
        if !cfg::is_test_only(&variant.attrs) {
            visit::visit_variant(self, variant);
        }
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        if !cfg::is_test_only(&arm.attrs) {
            visit::visit_arm(self, arm);
        }
    }

    fn visit_path(&mut self, path: &'ast Path) {
        if let Some(last) = path.segments.last() {
            self.write(names(path), path.leading_colon.is_some(), last.ident.span(), Form::Inline);
        }
        visit::visit_path(self, path);
    }

    /// `pub(in path)` names no item.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    /// A constant in a pattern looks like a new variable, except for its first letter.
    fn visit_pat_ident(&mut self, pattern: &'ast syn::PatIdent) {
        let name = pattern.ident.unraw().to_string();
        if name.starts_with(char::is_uppercase) {
            self.write(vec![name], false, pattern.ident.span(), Form::Inline);
        }
        visit::visit_pat_ident(self, pattern);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        if let Some(last) = call.path.segments.last() {
            let absolute = call.path.leading_colon.is_some();
            self.write(names(&call.path), absolute, last.ident.span(), Form::Macro);
        }
        for path in tokens::paths(call.tokens.clone(), false) {
            self.write_tokens(path);
        }
    }

    /// Attributes are other crates' words, except for the paths in their arguments.
    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        let path = attribute.path();
        if path.is_ident("doc") {
            return;
        }
        if let Some(last) = path.segments.last() {
            self.write(names(path), true, last.ident.span(), Form::Inline);
        }
        let arguments = match &attribute.meta {
            syn::Meta::Path(_) => return,
            syn::Meta::List(list) => list.tokens.clone(),
            syn::Meta::NameValue(pair) => return self.visit_expr(&pair.value),
        };
        for path in tokens::paths(arguments, true) {
            if path.segments.len() > 1 {
                self.write_tokens(path);
            }
        }
    }
}

/// A name that a `use` brings, or a glob (without a name).
struct Leaf {
    segments: Vec<String>,
    name: Option<String>,
    span: Span,
}

fn flatten(tree: &UseTree, before: &mut Vec<String>, leaves: &mut Vec<Leaf>) {
    match tree {
        UseTree::Path(path) => {
            before.push(path.ident.unraw().to_string());
            flatten(&path.tree, before, leaves);
            before.pop();
        }
        UseTree::Name(name) => leaf(before, &name.ident, &name.ident, leaves),
        UseTree::Rename(rename) => leaf(before, &rename.ident, &rename.rename, leaves),
        UseTree::Glob(glob) => {
            let span = glob.star_token.spans[0];
            leaves.push(Leaf { segments: before.clone(), name: None, span });
        }
        UseTree::Group(group) => {
            for tree in &group.items {
                flatten(tree, before, leaves);
            }
        }
    }
}

/// `path::{self}` is `path`, by its last name.
fn leaf(before: &[String], ident: &syn::Ident, renamed: &syn::Ident, leaves: &mut Vec<Leaf>) {
    let mut segments = before.to_owned();
    let mut name = renamed.unraw().to_string();
    if ident != "self" || before.is_empty() {
        segments.push(ident.unraw().to_string());
    } else if renamed == "self" {
        name = before.last().cloned().unwrap_or_default();
    }
    leaves.push(Leaf { segments, name: Some(name), span: ident.span() });
}

fn names(path: &Path) -> Vec<String> {
    path.segments.iter().map(|segment| segment.ident.unraw().to_string()).collect()
}
