use std::path::Path;

use super::Crate;
use crate::check::tables;
use crate::rooms::{lines, parse_table, room};

const FILES: [(&str, &str); 5] = [
    ("src/lib.rs", "mod config;\nmod host;\npub use host::Host;"),
    ("src/config.rs", "pub struct Config;"),
    ("src/host/mod.rs", "mod lock;\npub struct Host(lock::Lock);"),
    ("src/host/lock.rs", "pub struct Lock(crate::config::Config);"),
    ("src/main.rs", "fn main() { tiu::Host::open() }"),
];

fn found(document: Option<&str>, required: bool) -> Vec<String> {
    let client = Crate::new("tiu", &FILES);
    tables(document, &[client.parse()], required)
}

#[test]
fn a_room_is_the_first_folder_or_file_below_src() {
    let room = |file: &str| room(Path::new("tiu"), Path::new(file));
    assert_eq!(room("tiu/src/host/lock.rs"), "host");
    assert_eq!(room("tiu/src/config.rs"), "config");
    assert_eq!(room("tiu/crash/main.rs"), "crash");
}

#[test]
fn the_rooms_of_a_crate_are_printed_as_a_table() {
    let client = Crate::new("tiu", &FILES);
    let text = lines(&client.parse().rooms());
    assert_eq!(text, "config:\nhost: config\nlib: host\nmain: host\n");
}

#[test]
fn a_table_that_is_what_the_code_does_passes() {
    let document = "# Rooms\n\n```rooms\nconfig:\nhost: config  # the lock\nlib: *\n\nmain: host\n```\n";
    assert_eq!(found(Some(document), true), Vec::<String>::new());
}

#[test]
fn each_import_that_the_table_does_not_allow_is_reported() {
    let document =
        "```text\nhost: config\n```\n```rooms\nconfig: host\nhost:\nlib: host cellar\nattic:\n```\n";
    let expected = [
        "tiu: `host` may not import `config`: src/host/lock.rs:1  crate::config::Config\n",
        "tiu: `main` has no line in the table\n",
        "tiu: the table has a line for `attic`, which does not exist\n",
        "tiu: the table's line for `lib` names `cellar`, which does not exist\n",
    ];
    assert_eq!(found(Some(document), true), expected);
}

#[test]
fn a_missing_table_is_an_error_only_when_required() {
    for document in [None, Some("# Rooms\n\n```rooms tiu-extract\nlib:\n```\n")] {
        assert_eq!(found(document, false), Vec::<String>::new());
        let expected =
            ["tiu: no table of rooms: docs/internals/architecture.md has no fenced block marked `rooms`\n"];
        assert_eq!(found(document, true), expected);
    }
}

#[test]
fn the_crates_have_a_table_too() {
    let document = "```crates\ntiu: tiu-system\ntiu-system:\n```\n";
    let expected = [
        "workspace: the table's line for `tiu` names `tiu-system`, which does not exist\n",
        "workspace: the table has a line for `tiu-system`, which does not exist\n",
    ];
    assert_eq!(found(Some(document), false), expected);
}

#[test]
fn a_table_that_cannot_be_read_is_reported() {
    let error = |document| parse_table(document, "rooms").unwrap_err();
    assert_eq!(
        error("\n```rooms\nhost config\n```\n"),
        "line 3: `host config` is not of the form `room: room room`"
    );
    assert_eq!(error("```rooms\na:\na: b\n```\n"), "line 3: `a` has two lines");
    assert_eq!(error("```rooms\na:\n"), "the block marked `rooms` has no end");
}
