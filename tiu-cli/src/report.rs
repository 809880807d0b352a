//! What the programs print: errors with cause and hint, and results.

use std::io::Write;
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
    let mut shown = error.to_string();
    let mut cause = error.source();
    while let Some(e) = cause {
        let message = e.to_string();
        if !shown.contains(&message) {
            text += &format!("  caused by: {message}\n");
            shown = message;
        }
        cause = e.source();
    }
    if let Some(hint) = error.hint() {
        text += &format!("  hint: {hint}\n");
    }
    // A closed standard error is no reason to fail in another way.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Prints why there was nothing to do, and what else may be wanted, on standard error.
pub fn report_nothing_to_do(program: &str, why: &dyn std::fmt::Display, hint: &str) {
    // A closed standard error is no reason to fail in another way.
    let _ = writeln!(std::io::stderr(), "{program}: nothing to do: {why}\n  hint: {hint}");
}

/// Writes `text` to standard output. A reader that left (`| head`) is no error.
pub fn print(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(e),
        _ => Ok(()),
    }
}
