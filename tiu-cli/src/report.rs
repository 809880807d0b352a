//! The programs' output: results on standard output, errors and warnings on standard error.
//!
//! Parts of the output come from others: signers, images, programs. Control characters and
//! invisible characters are escaped here, even if the caller already did so.

use crate::CliError;
use serde::Serialize;
use std::fmt::Display;
use std::io::{self, Write};
use tiu_system::Hint;
use tiu_system::text::{is_unprintable, printable_lines};

/// Prints `error` with its causes and its hint on standard error:
///
/// ```text
/// tiu: error: what happened, found and expected
///   caused by: the cause
///   hint: what to do
/// ```
pub fn report(program: &str, error: &dyn Hint) {
    // A closed standard error is not a reason to fail in another way.
    let _ = io::stderr().write_all(printable_lines(&error_text(program, error)).as_bytes());
}

/// Returns the text that [`report`] prints.
fn error_text(program: &str, error: &dyn Hint) -> String {
    let mut text = format!("{program}: error: {error}\n");
    for cause in causes(error) {
        text += &format!("  caused by: {cause}\n");
    }
    if let Some(hint) = error.hint() {
        text += &format!("  hint: {hint}\n");
    }
    text
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
    let text = format!("{program}: nothing to do: {reason}\n  hint: {hint}");
    let _ = writeln!(io::stderr(), "{}", printable_lines(&text));
    crate::exit::NOTHING_TO_DO
}

/// Prints a warning on standard error: `tiu-create: warning: TEXT`.
pub fn warn(program: &str, text: &str) {
    let _ = writeln!(io::stderr(), "{program}: warning: {}", printable_lines(text));
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
    out.write_all(printable_lines(text).as_bytes()).and_then(|()| out.flush())
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
    let text = serde_json::to_string_pretty(&Versioned { version: 1, document })?;
    Ok(ascii_escapes(&text) + "\n")
}

/// Returns JSON of the same value in which characters that a reader cannot see are escapes. Outside
/// of strings, JSON has none of them except newlines.
fn ascii_escapes(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '\n' => text.push(c),
            c if is_unprintable(c) => {
                text.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
            }
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("bad name a\u{1b}[2Jb\u{202e}c")]
    struct Hostile;

    impl Hint for Hostile {
        fn hint(&self) -> Option<String> {
            Some("rename \u{200b}it".to_owned())
        }
    }

    #[test]
    fn an_error_cannot_steer_the_terminal() {
        let text = error_text("tiu", &Hostile);
        assert_eq!(
            printable_lines(&text),
            "tiu: error: bad name a\\u{1b}[2Jb\\u{202e}c\n  hint: rename \\u{200b}it\n"
        );
    }

    #[test]
    fn json_has_no_hidden_characters_and_the_same_value() {
        let value = "a\u{7f}\u{9b}\u{202e}\u{e0041}\nb é";
        let text = json(&serde_json::json!({"name": value})).unwrap();
        assert!(!text.chars().any(|c| c != '\n' && is_unprintable(c)), "{text}");
        assert!(text.contains(r"\u202e\udb40\udc41\nb é"), "{text}");
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["name"], value);
    }
}
