use super::Crate;

#[test]
fn a_circle_is_printed_with_the_place_and_the_path_of_each_import() {
    let example = Crate::new(
        "example",
        &[
            ("src/lib.rs", "mod a;\nmod long;\nmod c;"),
            ("src/a.rs", "\nuse crate::long::Long;\npub struct A;"),
            ("src/long.rs", "pub struct Long(crate::c::C);"),
            ("src/c.rs", "use {crate::a::A, crate::long::Long};\npub struct C;"),
        ],
    );
    let expected = "\
example: 3 files import each other in a circle. A shortest one has 2:
    src/long.rs:1 -> src/c.rs     crate::c::C
    src/c.rs:1    -> src/long.rs  use crate::long::Long
  All 4 imports between these files:
    src/a.rs:2    -> src/long.rs  use crate::long::Long
    src/long.rs:1 -> src/c.rs     crate::c::C
    src/c.rs:1    -> src/a.rs     use crate::a::A
    src/c.rs:1    -> src/long.rs  use crate::long::Long
";
    assert_eq!(example.parse().circles(true), [expected]);
}

#[test]
fn each_circle_of_its_own_is_printed() {
    let example = Crate::new(
        "example",
        &[
            ("src/lib.rs", "mod a;\nmod b;\nmod c;\nmod d;"),
            ("src/a.rs", "pub struct A(crate::b::B);"),
            ("src/b.rs", "pub struct B(crate::a::A, crate::c::C);"),
            ("src/c.rs", "pub struct C(crate::d::D);"),
            ("src/d.rs", "pub struct D(crate::c::C);"),
        ],
    );
    let found = example.parse().circles(false);
    assert_eq!(found.len(), 2);
    assert!(found[0].contains("src/a.rs:1"), "{}", found[0]);
    assert!(found[1].contains("src/c.rs:1"), "{}", found[1]);
}

#[test]
fn clap_in_a_library_is_reported_with_its_first_place() {
    let files = [
        ("src/lib.rs", "mod a;\nmod b;\nmod c;\nmod d;"),
        ("src/a.rs", "\n#[derive(clap::Args)]\nstruct A;\nfn f() -> clap::Command { todo!() }"),
        ("src/b.rs", "use clap::Parser as _;"),
        ("src/c.rs", "#[cfg(test)] use clap::Parser;\nfn f() { let clap = 1; g!(clap) }"),
        ("src/d.rs", "use std as clap_like;\nmod clap { pub fn f() {} }\nfn g() { clap::f() }"),
        ("src/main.rs", "use clap::Parser;\nfn main() {}"),
    ];
    let expected = "\
example: 2 files of the library name a crate of the command line, which only programs may:
    src/a.rs:2  clap::Args
    src/b.rs:1  use clap::Parser
";
    assert_eq!(Crate::new("example", &files).parse().command_line().as_deref(), Some(expected));
    assert_eq!(Crate::new("tiu-cli", &files).parse().command_line(), None);
}

#[test]
fn a_program_may_name_clap() {
    let files = [("src/main.rs", "mod a;\nfn main() {}"), ("src/a.rs", "use clap::Parser;")];
    assert_eq!(Crate::new("example", &files).parse().command_line(), None);
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let example = Crate::new("example", &[("src/lib.rs", "mod a;")]);
    let error = example.try_parse().unwrap_err().to_string();
    assert_eq!(error, "src/a.rs: neither this file nor a/mod.rs exists");

    let example = Crate::new("example", &[("src/lib.rs", "mod a;"), ("src/a.rs", "fn f( {}")]);
    let error = example.try_parse().unwrap_err().to_string();
    assert!(error.starts_with("src/a.rs: line 1, column "), "{error}");
}
