//! The command line. Arguments are turned into plain structs here; the library knows nothing of clap.

mod keygen;
mod man;
mod pack;
mod sign;
mod signer;

use clap::{CommandFactory, Parser, Subcommand};
use std::process::ExitCode;
use std::sync::OnceLock;
use tiu_cli::exit;
use tiu_system::Hint;
use tiu_system::progress::Cancel;

/// Packs a root tree into a signed tiu bundle.
#[derive(Parser)]
#[command(name = "tiu-create", version, about, after_help = EXAMPLE)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLE: &str = "\
Example:
  tiu-create keygen keys
  tiu-create pack --recipe bundle.yaml --cert keys/signer.cert.pem --key keys/signer.key.pem root/ example-1.tiu
  tiu-extract info --keyring keys/ca.cert.pem example-1.tiu

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 cancelled.";

#[derive(Subcommand)]
enum Command {
    Keygen(keygen::Arguments),
    Pack(pack::Arguments),
    Sign(sign::Arguments),
    Man(man::Arguments),
}

/// How a command ended when it did not end well.
struct Failure {
    error: Box<dyn Hint>,
    cancelled: bool,
}

impl Failure {
    fn new(error: impl Hint + 'static) -> Self {
        Failure { error: Box::new(error), cancelled: false }
    }

    fn cancelled_if(mut self, cancelled: bool) -> Self {
        self.cancelled = cancelled;
        self
    }
}

/// Runs the program.
pub fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Keygen(arguments) => keygen::run(arguments),
        Command::Pack(arguments) => pack::run(arguments),
        Command::Sign(arguments) => sign::run(arguments),
        Command::Man(arguments) => man::run(arguments, &Cli::command()),
    };
    match result {
        Ok(()) => ExitCode::from(exit::DONE),
        Err(failure) => {
            tiu_cli::report("tiu-create", &*failure.error);
            ExitCode::from(if failure.cancelled { exit::CANCELLED } else { exit::FAILED })
        }
    }
}

/// Set by the first SIGINT or SIGTERM; a second one ends the program at once.
fn cancel_on_signals() -> &'static Cancel {
    static CANCEL: OnceLock<Cancel> = OnceLock::new();
    let cancel = CANCEL.get_or_init(Cancel::new);
    use signal_hook::consts::{SIGINT, SIGTERM};
    // Without handlers the signals end the program as they always do.
    if let Ok(mut signals) = signal_hook::iterator::Signals::new([SIGINT, SIGTERM]) {
        std::thread::spawn(move || {
            for signal in signals.forever() {
                if cancel.is_cancelled() {
                    let _ = signal_hook::low_level::emulate_default_handler(signal);
                }
                cancel.cancel();
            }
        });
    }
    cancel
}

/// Prints on standard output. A closed pipe is no reason to fail.
fn say(text: &str) {
    let _ = tiu_cli::print(text);
}

/// Prints a warning on standard error.
fn warn(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "tiu-create: warning: {text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_made() {
        Cli::command().debug_assert();
    }
}
