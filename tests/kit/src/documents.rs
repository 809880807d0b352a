//! The JSON documents that the programs print, against the schemas in docs/format/json.
//!
//! [`program::outcome`](crate::program::outcome) checks every document of every run in every test.
//! The schemas let readers meet fields that they do not know; here each field must be in its
//! schema, so that none is left undocumented.

use crate::schema::Schemas;
use serde_json::Value;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Extension of the schemas' file names.
const EXTENSION: &str = ".schema.json";
/// The schema with what others share.
const COMMON: &str = "common";
/// Commands of `tiu etc`.
const ETC: [&str; 5] = ["diff", "conflicts", "report", "reset", "keep"];

/// The folder of the schemas.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/format/json")
}

/// All schemas that describe a document, by name.
pub fn names() -> Vec<String> {
    schemas().names().filter(|name| *name != COMMON).map(str::to_owned).collect()
}

/// Checks what `command` printed, if it is one of the project's programs and was asked for JSON.
#[track_caller]
pub fn check_output(command: &Command, stdout: &str, stderr: &str) {
    let arguments: Vec<&str> = command.get_args().filter_map(OsStr::to_str).collect();
    if arguments.contains(&"--json")
        && !stdout.is_empty()
        && let Some(name) = name(command, &arguments)
    {
        check(&name, stdout);
    }
    if arguments.windows(2).any(|pair| pair == ["--progress", "json"]) && is_ours(command) {
        stderr.lines().filter(|line| line.starts_with('{')).for_each(|line| check("progress", line));
    }
}

/// Checks that `text` is a document that the schema `name` describes, with nothing else in it.
#[track_caller]
pub fn check(name: &str, text: &str) {
    let faults = faults(name, text);
    assert!(
        faults.is_empty(),
        "not as docs/format/json/{name}{EXTENSION} says:\n{}\n{text}",
        faults.join("\n")
    );
}

/// Returns the places at which `text` violates the schema `name`.
pub fn faults(name: &str, text: &str) -> Vec<String> {
    let value: Value = match serde_json::from_str(text) {
        Ok(value) => value,
        Err(e) => return vec![format!("not JSON: {e}")],
    };
    schemas().faults(name, &value)
}

fn is_ours(command: &Command) -> bool {
    let program = Path::new(command.get_program()).file_name().and_then(OsStr::to_str);
    matches!(program, Some("tiu" | "tiu-extract" | "tiu-create"))
}

/// The schema of what the program prints with these arguments.
fn name(command: &Command, arguments: &[&str]) -> Option<String> {
    let program = Path::new(command.get_program()).file_name()?.to_str()?;
    let prefix = match program {
        "tiu" => "",
        "tiu-extract" => "extract-",
        "tiu-create" => "create-",
        _ => return None,
    };
    if prefix.is_empty() && ["apply", "--dry-run"].iter().all(|argument| arguments.contains(argument)) {
        return Some("apply-plan".to_owned());
    }
    if prefix.is_empty() && ["mark-good", "mark-bad"].iter().any(|argument| arguments.contains(argument)) {
        return Some("mark".to_owned());
    }
    if prefix.is_empty() && ["update", "--check"].iter().all(|argument| arguments.contains(argument)) {
        return Some("update-check".to_owned());
    }
    if prefix.is_empty() && arguments.contains(&"media") {
        return Some("update".to_owned());
    }
    if prefix.is_empty() && arguments.contains(&"etc") {
        let command = arguments.iter().find(|argument| ETC.contains(argument))?;
        return Some(format!(
            "etc-{}",
            if matches!(*command, "reset" | "keep") { "change" } else { command }
        ));
    }
    let names = arguments.iter().map(|argument| format!("{prefix}{argument}"));
    names.into_iter().find(|name| schemas().names().any(|known| known == name))
}

fn schemas() -> &'static Schemas {
    static SCHEMAS: OnceLock<Schemas> = OnceLock::new();
    SCHEMAS.get_or_init(|| {
        let mut schemas = Schemas::default();
        for file in std::fs::read_dir(folder()).unwrap() {
            let path = file.unwrap().path();
            let file = path.file_name().unwrap().to_str().unwrap();
            let name = file.strip_suffix(EXTENSION).unwrap_or_else(|| panic!("{file} is not a schema"));
            let schema: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap())
                .unwrap_or_else(|e| panic!("{file}: {e}"));
            schemas.add(name, schema);
        }
        schemas
    })
}
