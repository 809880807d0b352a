use super::{Crate, imports};

/// Asserts that the library's only circle is the one given, a line for each import.
#[track_caller]
fn assert_circle(files: &[(&str, &str)], expected: &[&str]) {
    let example = Crate::new("example", files);
    let found = example.parse().circles(false);
    assert_eq!(found.len(), 1, "{found:#?}");
    let lines = found[0].lines().skip(1);
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let lines: Vec<String> = lines.map(|line| words(&line.replace("src/", ""))).collect();
    assert_eq!(lines, expected);
}

/// `b` imports `a` in a plain way; `a` imports `b` by the line in question.
#[track_caller]
fn assert_closes(line: &str, path: &str) {
    let a = format!("pub struct A;\n{line}\n");
    let b = "use crate::a::A;\npub struct B;\npub const C: usize = 0;\npub fn f(_: A) {}\npub trait T {}\npub enum E { V }\n";
    let files = [("src/lib.rs", "pub mod a;\npub mod b;\n"), ("src/a.rs", &a), ("src/b.rs", b)];
    let import = format!("a.rs:2 -> b.rs {path}");
    assert_circle(&files, &[&import, "b.rs:1 -> a.rs use crate::a::A"]);
}

#[test]
fn a_use_closes_a_circle() {
    assert_closes("use crate::b::B;", "use crate::b::B");
    assert_closes("use super::b::B;", "use super::b::B");
    assert_closes("use self::super::b::B;", "use self::super::b::B");
    assert_closes("use crate::{b::{B}};", "use crate::b::B");
    assert_closes("use crate::b::T as _;", "use crate::b::T");
    assert_closes("use crate::b::E::V;", "use crate::b::E::V");
    assert_closes("use crate::b::E::*;", "use crate::b::E::*");
    assert_closes("fn g() { use crate::b::B; }", "use crate::b::B");
}

#[test]
fn an_inline_path_closes_a_circle() {
    assert_closes("fn g() { crate::b::f(A) }", "crate::b::f");
    assert_closes("fn g() { super::b::f(A) }", "super::b::f");
    assert_closes("struct S(Vec<Option<super::b::B>>);", "super::b::B");
    assert_closes("fn g(e: u8) { matches(|| match e { crate::b::E::V => {} }) }", "crate::b::E::V");
    assert_closes("impl crate::b::T for A {}", "crate::b::T");
    assert_closes("fn g<X: super::b::T>() {}", "super::b::T");
    assert_closes("type X = <A as super::b::T>::Y;", "super::b::T::Y");
    assert_closes("impl A { fn g(&self) -> [u8; super::b::C] { [] } }", "super::b::C");
    assert_closes("mod inner { fn g() { super::super::b::f() } }", "super::super::b::f");
}

#[test]
fn a_rename_closes_a_circle() {
    assert_closes("use crate::b::B as Other;", "use crate::b::B");
    assert_closes("use crate::b as other; fn g() { other::f(A) }", "other::f");
    assert_closes("use crate::b::{self as other}; fn g() { other::f(A) }", "other::f");
}

#[test]
fn a_glob_closes_a_circle() {
    assert_closes("use crate::b::*;", "use crate::b::*");
    assert_closes("use super::*; fn g() { b::f(A) }", "b::f");
}

#[test]
fn names_through_a_glob_are_imports_of_their_definition() {
    let found = imports(&[
        ("src/lib.rs", "mod a; mod b; mod face;"),
        ("src/face.rs", "pub use crate::b::f;"),
        ("src/a.rs", "use crate::face::*;\nfn g() { f() }"),
        ("src/b.rs", "pub fn f() {}"),
    ]);
    assert_eq!(found, ["a.rs:2 -> b.rs  f", "face.rs:1 -> b.rs  pub use crate::b::f"]);
}

#[test]
fn a_path_in_a_macro_closes_a_circle() {
    assert_closes("fn g() { println!(\"{}\", crate::b::C) }", "crate::b::C");
    assert_closes("fn g() { vec![[super::b::f(A)]; 2]; }", "super::b::f");
    assert_closes("use crate::b as other; fn g() { assert!(x.y || other::f(A)) }", "other::f");
    assert_closes("macro_rules! m { () => { $crate::b::f(A) } }", "crate::b::f");
    assert_closes("made! { use crate::b::{B}; }", "crate::b::B");
    assert_closes("made! { use crate::b::*; }", "use crate::b::*");
}

#[test]
fn a_path_in_an_attribute_closes_a_circle() {
    assert_closes("#[arg(value_parser = crate::b::f)] struct S;", "crate::b::f");
    assert_closes(
        "struct S { #[serde(with = \"crate::b\", default = \"super::b::f\")] s: u8 }",
        "super::b::f",
    );
}

#[test]
fn fields_methods_and_documentation_are_no_paths() {
    let b = "/// Like [`crate::a::A`].\npub fn f() { m!(x.crate_::a::A, 'a'); }";
    let files =
        [("src/lib.rs", "mod a;\nmod b;"), ("src/a.rs", "use crate::b::f;\npub struct A;"), ("src/b.rs", b)];
    assert_eq!(imports(&files), ["a.rs:1 -> b.rs  use crate::b::f"]);
}

#[test]
fn a_macro_of_a_file_above_is_an_import() {
    assert_circle(
        &[
            ("src/lib.rs", "mod a;"),
            ("src/a/mod.rs", "macro_rules! m { () => {} }\nmod b;\npub use b::f;"),
            ("src/a/b.rs", "m!();\npub fn f() {}"),
        ],
        &["a/mod.rs:3 -> a/b.rs pub use b::f", "a/b.rs:1 -> a/mod.rs m!"],
    );
}

#[test]
fn a_macro_is_imported_by_its_path_or_through_macro_use() {
    let found = imports(&[
        ("src/lib.rs", "#[macro_use]\nmod macros;\nmod a;\nmod b;"),
        ("src/macros.rs", "macro_rules! m { () => {} }\nmacro_rules! n { () => {} }\npub(crate) use n;"),
        ("src/a.rs", "fn f() { m!() }"),
        ("src/b.rs", "use crate::macros::n;"),
    ]);
    assert_eq!(found, ["a.rs:1 -> macros.rs  m!", "b.rs:1 -> macros.rs  use crate::macros::n"]);
}

#[test]
fn a_re_export_is_an_import_of_the_re_exporting_file() {
    assert_circle(
        &[
            ("src/lib.rs", "mod a;"),
            ("src/a/mod.rs", "mod child;\npub use child::Child;\npub const LIMIT: usize = 1;"),
            ("src/a/child.rs", "use super::LIMIT;\npub struct Child;"),
        ],
        &["a/mod.rs:2 -> a/child.rs pub use child::Child", "a/child.rs:1 -> a/mod.rs use super::LIMIT"],
    );
}

#[test]
fn a_path_through_a_re_export_goes_to_the_sibling_that_defines_the_item() {
    let found = imports(&[
        ("src/lib.rs", "mod a;"),
        ("src/a/mod.rs", "mod left;\nmod right;\npub use left::Left;\npub use right::Right;"),
        ("src/a/left.rs", "pub struct Left;"),
        ("src/a/right.rs", "use super::Left;\npub struct Right(Left);"),
    ]);
    let expected = [
        "a/mod.rs:3 -> a/left.rs  pub use left::Left",
        "a/mod.rs:4 -> a/right.rs  pub use right::Right",
        "a/right.rs:1 -> a/left.rs  use super::Left",
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_circle_through_two_levels_of_re_exports_is_found() {
    assert_circle(
        &[
            ("src/lib.rs", "pub mod face;\nmod a;\nmod b;"),
            ("src/face.rs", "mod inner;\npub use inner::*;"),
            ("src/face/inner.rs", "pub use crate::b::B as Renamed;"),
            ("src/a.rs", "pub struct A;\nfn f(_: crate::face::Renamed) {}"),
            ("src/b.rs", "pub struct B(crate::a::A);"),
        ],
        &["a.rs:2 -> b.rs crate::face::Renamed", "b.rs:1 -> a.rs crate::a::A"],
    );
}

#[test]
fn a_circle_of_re_exports_alone_ends() {
    let found = imports(&[
        ("src/lib.rs", "mod a;\nmod b;"),
        ("src/a.rs", "pub use crate::b::*;"),
        ("src/b.rs", "pub use crate::a::*;\nfn f() { nothing() }"),
    ]);
    assert_eq!(found, ["a.rs:1 -> b.rs  pub use crate::b::*", "b.rs:1 -> a.rs  pub use crate::a::*"]);
}

#[test]
fn both_layouts_of_nested_modules_are_read() {
    for (face, other) in [("src/a.rs", "src/b/mod.rs"), ("src/a/mod.rs", "src/b.rs")] {
        let files = [
            ("src/lib.rs", "mod a;\nmod b;"),
            (face, "pub mod inner;"),
            ("src/a/inner.rs", "fn f() { crate::b::f() }\npub fn g() {}"),
            (other, "mod deep;\npub use deep::f;"),
            ("src/b/deep.rs", "pub fn f() { super::super::a::inner::g() }"),
        ];
        assert_circle(
            &files,
            &["a/inner.rs:1 -> b/deep.rs crate::b::f", "b/deep.rs:1 -> a/inner.rs super::super::a::inner::g"],
        );
    }
}

#[test]
fn the_path_attribute_and_inline_modules_lead_to_files() {
    let found = imports(&[
        ("src/lib.rs", "#[path = \"elsewhere/x.rs\"]\nmod a;\nmod b;\nmod c { pub mod d; }"),
        ("src/elsewhere/x.rs", "mod y;\npub struct X;"),
        ("src/elsewhere/y.rs", "use super::X;"),
        ("src/b.rs", "mod inline {\n#[path = \"z.rs\"] mod file;\n}\n#[path = \"other.rs\"] mod other;"),
        ("src/b/inline/z.rs", "use crate::a::X;"),
        ("src/other.rs", "use crate::c::d::D;"),
        ("src/c/d.rs", "pub struct D;"),
    ]);
    let expected = [
        "b/inline/z.rs:1 -> elsewhere/x.rs  use crate::a::X",
        "elsewhere/y.rs:1 -> elsewhere/x.rs  use super::X",
        "other.rs:1 -> c/d.rs  use crate::c::d::D",
    ];
    assert_eq!(found, expected);
}

#[test]
fn test_code_is_left_out() {
    let a = "pub struct A;
        #[cfg(test)] mod tests { use crate::b::B; }
        #[cfg(all(test, unix))] use crate::b::B;
        #[test] fn t() { crate::b::f() }
        impl A { #[cfg(test)] fn g() { crate::b::f() } }
        fn h() { #[cfg(test)] crate::b::f(); #[cfg(test)] let x = crate::b::f(); }
        enum E { #[cfg(test)] V(crate::b::B) }";
    let files = [
        ("src/lib.rs", "mod a;\nmod b;\n#[cfg(test)]\nmod not_there;"),
        ("src/a.rs", a),
        ("src/b.rs", "use crate::a::A;\npub struct B;"),
    ];
    assert_eq!(imports(&files), ["b.rs:1 -> a.rs  use crate::a::A"]);
    assert_closes("#[cfg(any(test, unix))] use crate::b::B;", "use crate::b::B");
    assert_closes("#[cfg(not(test))] use crate::b::B;", "use crate::b::B");
}

#[test]
fn a_crate_without_a_circle_passes() {
    let example = Crate::new(
        "example",
        &[
            ("src/lib.rs", "pub mod top;\nmod ground;\npub use top::Top;"),
            ("src/main.rs", "fn main() { example::top::run(example::Top) }"),
            (
                "src/top/mod.rs",
                "mod left;\nmod right;\npub use left::Top;\npub fn run(_: Top) { right::go() }",
            ),
            (
                "src/top/left.rs",
                "use crate::ground::{self, Ground};\npub struct Top(Ground);\nfn f() { ground::g() }",
            ),
            ("src/top/right.rs", "use super::Top;\nuse std::fmt::{self, *};\npub fn go() { Top::new() }"),
            ("src/ground.rs", "pub struct Ground;\npub fn g() {}"),
        ],
    );
    let parsed = example.parse();
    assert_eq!(parsed.circles(true), Vec::<String>::new());
    let imports: usize = parsed.graph.iter().map(|imports| imports.len()).sum();
    assert_eq!(imports, 7);
}

#[test]
fn a_name_that_a_macro_makes_belongs_to_its_module() {
    let found = imports(&[
        ("src/lib.rs", "mod a;\nmod b;"),
        ("src/a.rs", "use crate::b::Made;"),
        ("src/b.rs", "make! { Made }"),
    ]);
    assert_eq!(found, ["a.rs:1 -> b.rs  use crate::b::Made"]);
}

#[test]
fn a_private_name_is_not_found_through_a_glob() {
    let found = imports(&[
        ("src/lib.rs", "mod a;\nmod b;\nmod c;"),
        ("src/a.rs", "use crate::b::*;\nuse crate::c::*;\nfn f() { g() }"),
        ("src/b.rs", "use std::fs::read as g;"),
        ("src/c.rs", "mod d;\npub use d::g;"),
        ("src/c/d.rs", "pub(in crate::c) fn h() {}\npub(crate) fn g() {}"),
    ]);
    assert_eq!(found, ["a.rs:3 -> c/d.rs  g", "c.rs:2 -> c/d.rs  pub use d::g"]);
}
