//! The programs' output: results on standard output, errors and warnings on standard error.

use crate::CliError;
use serde::Serialize;
use std::fmt::Display;
use std::io::{self, Write};
use tiu_system::Hint;

/// Prints `error` with its causes and its hint on standard error:
///
/// ```text
/// tiu: error: what happened, found and expected
///   caused by: the cause
///   hint: what to do
/// ```
pub fn report(program: &str, error: &dyn Hint) {
    let mut text = format!("{program}: error: {error}\n");
    for cause in causes(error) {
        text += &format!("  caused by: {cause}\n");
    }
    if let Some(hint) = error.hint() {
        text += &format!("  hint: {hint}\n");
    }
    // A closed standard error is not a reason to fail in another way.
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Returns the messages of all causes of `error`, without those that the message before already
/// quotes.
pub fn causes(error: &dyn Hint) -> Vec<String> {
    let mut causes = Vec::new();
    let mut shown = error.to_string();
    let mut cause = error.source();
    while let Some(e) = cause {
        let message = e.to_string();
        if !shown.contains(&message) {
            causes.push(message.clone());
            shown = message;
        }
        cause = e.source();
    }
    causes
}

/// Says on standard error why there was nothing to do, and what the administrator may want instead.
/// Returns the exit code.
pub fn nothing_to_do(program: &str, reason: &dyn Display, hint: &str) -> u8 {
    let _ = writeln!(io::stderr(), "{program}: nothing to do: {reason}\n  hint: {hint}");
    crate::exit::NOTHING_TO_DO
}

/// Prints a warning on standard error: `tiu-create: warning: TEXT`.
pub fn warn(program: &str, text: &str) {
    let _ = writeln!(io::stderr(), "{program}: warning: {text}");
}

/// Writes `text` to standard output. A reader that left (`| head`) is not an error.
pub fn print(text: &str) -> Result<(), CliError> {
    match print_all(text) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(CliError::Output(e)),
        _ => Ok(()),
    }
}

/// Writes `text` to standard output. A reader that left is an error, too.
pub(crate) fn print_all(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush())
}

/// Prints `document`, a map or struct, as JSON. The first key is `version`: the version of its
/// schema, 1 today.
pub fn print_json(document: &impl Serialize) -> Result<(), CliError> {
    print(&json(document).map_err(CliError::Output)?)
}

/// Returns the text that [`print_json`] prints.
pub(crate) fn json(document: &impl Serialize) -> io::Result<String> {
    #[derive(Serialize)]
    struct Versioned<'a, T> {
        version: u32,
        #[serde(flatten)]
        document: &'a T,
    }
    let text = serde_json::to_string_pretty(&Versioned { version: 1, document });
    Ok(text? + "\n")
}
