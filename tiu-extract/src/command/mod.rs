//! The command line. Arguments are turned into plain structs here; the library knows nothing of it but `options`.

mod extract;
mod info;
mod list;
mod man;
mod mount;
mod verify;

use clap::{CommandFactory, Parser, Subcommand};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use tiu_bundle::bundle::Bundle;
use tiu_bundle::bundle::open_bundle;
use tiu_cli::exit;
use tiu_cli::trust::TrustArguments;
use tiu_system::Hint;

/// Verifies, shows and extracts tiu bundles
#[derive(Parser)]
#[command(name = "tiu-extract", version, about, after_help = EXAMPLE)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLE: &str = "\
Examples:
  tiu-extract info --keyring ca.cert.pem system-1.tiu
  tiu-extract verify --keyring ca.cert.pem system-1.tiu
  tiu-extract extract --keyring ca.cert.pem system-1.tiu /srv/tree

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 cancelled.";

#[derive(Subcommand)]
enum Command {
    Info(info::Arguments),
    Verify(verify::Arguments),
    List(list::Arguments),
    Extract(extract::Arguments),
    Mount(mount::Arguments),
    Umount(mount::UmountArguments),
    Man(man::Arguments),
}

/// How a command ended when it did not end well.
struct Failure {
    error: Box<dyn Hint>,
    code: u8,
}

impl<E: Hint + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Failure { error: Box::new(error), code: exit::FAILED }
    }
}

impl Failure {
    fn cancelled_if(mut self, cancelled: bool) -> Self {
        if cancelled {
            self.code = exit::CANCELLED;
        }
        self
    }
}

/// Errors of the command layer itself.
#[derive(Debug, thiserror::Error)]
enum CommandError {
    #[error("writing the output: {0}")]
    Output(io::Error),
    #[error("waiting for signals: {0}")]
    Signals(io::Error),
    #[error("{}: {source}", path.display())]
    Path { path: PathBuf, source: io::Error },
    #[error("another tiu-extract writes into {}", .0.display())]
    Busy(PathBuf),
}

impl CommandError {
    fn path(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| CommandError::Path { path, source }
    }
}

impl Hint for CommandError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            CommandError::Output(_) => "see whether the output's file or pipe can still be written".into(),
            CommandError::Signals(_) => "see the system's limits".into(),
            CommandError::Busy(_) => "wait until it has ended, or extract into another directory".into(),
            CommandError::Path { .. } => "see whether the directory is there and may be used".into(),
        })
    }
}

/// Runs the program.
pub fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Info(arguments) => arguments.run(),
        Command::Verify(arguments) => arguments.run(),
        Command::List(arguments) => arguments.run(),
        Command::Extract(arguments) => arguments.run(),
        Command::Mount(arguments) => arguments.run(),
        Command::Umount(arguments) => arguments.run(),
        Command::Man(arguments) => arguments.run(&Cli::command()),
    };
    match result {
        Ok(()) => ExitCode::from(exit::DONE),
        Err(failure) => {
            tiu_cli::report("tiu-extract", &*failure.error);
            ExitCode::from(failure.code)
        }
    }
}

/// The bundle that a command is about, and whom to trust.
#[derive(clap::Args)]
struct BundleArguments {
    /// Bundle file
    bundle: PathBuf,
    #[command(flatten)]
    trust: TrustArguments,
}

impl BundleArguments {
    fn open(&self) -> Result<Arc<Bundle>, Failure> {
        Ok(Arc::new(open_bundle(&self.bundle, &self.trust.trust()?)?))
    }
}

fn print(text: &str) -> Result<(), CommandError> {
    tiu_cli::print(text).map_err(CommandError::Output)
}

fn print_json(value: &serde_json::Value) -> Result<(), CommandError> {
    print(&format!("{value:#}\n"))
}
