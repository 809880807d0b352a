//! The command line. Each subcommand is one file: its arguments, turned into plain options for the library, and what it prints.

mod apply;
mod cleanup;
mod diff;
mod etc;
mod in_target;
mod list;
mod man;
mod pin;
mod rollback;
mod status;
mod table;
mod verify;
mod without_plugins;

use clap::{Args, Parser, Subcommand};
use serde::Serialize;
use std::io;
use std::path::{Path, PathBuf};
use tiu::boot::{BootLoader, Next, boot_loader};
use tiu::config::Config;
use tiu::host::Host;
use tiu::outcome::NothingToDo;
use tiu_bundle::trust::Trust;
use tiu_cli::exit;
use tiu_system::Hint;
use tiu_system::progress::Cancel;
use tiu_system::tree::Tree;

/// Updates a host by whole, signed images; each becomes a btrfs snapshot.
///
/// The running system is never written. An image is verified, brought into a new snapshot, and made what boots next; older
/// snapshots stay as a way back.
#[derive(Parser)]
#[command(name = "tiu", version, propagate_version = true, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:
  tiu apply system-2.tiu     make version 2 what boots next
  tiu status                 what runs, what boots next, what one can go back to
  tiu rollback               go back to what ran before
  tiu verify                 is every byte still what was signed?

Exit codes: 0 done, 1 failed, 2 wrong usage, 77 nothing to do, 130 cancelled.";

#[derive(Subcommand)]
enum Command {
    Apply(apply::Arguments),
    Status(status::Arguments),
    List(list::Arguments),
    Rollback(rollback::Arguments),
    Diff(diff::Arguments),
    Etc(etc::Arguments),
    Verify(verify::Arguments),
    Pin(pin::Arguments),
    Cleanup(cleanup::Arguments),
    Man(man::Arguments),
    InTarget(in_target::Arguments),
    WithoutPlugins(without_plugins::Arguments),
}

/// Which host, and whom to trust.
#[derive(Args)]
struct HostArguments {
    /// Works on the host that is mounted at DIR instead of on the running system; its .snapshots must be mounted there too
    #[arg(long, value_name = "DIR", global = true)]
    root: Option<PathBuf>,
    /// Trusts these certificates, a file or a directory, instead of the configured ones; may be given more than once
    #[arg(long, value_name = "FILE|DIR", global = true)]
    keyring: Vec<PathBuf>,
}

/// A host, ready to work on.
struct Opened {
    host: Host,
    loader: Box<dyn BootLoader>,
    config: Config,
    trust: Option<Trust>,
}

impl Opened {
    /// Returns the door to what boots next.
    fn next(&self) -> Next<'_> {
        Next::new(&self.host, &*self.loader)
    }
}

impl HostArguments {
    /// Opens the host and reads its configuration. Without any keyring there is no [`Trust`].
    fn open(&self) -> Result<Opened, Failure> {
        let host = Host::open(self.root.as_deref())?;
        let (config, trust) = self.settings(host.root())?;
        let loader = boot_loader(config.boot);
        Ok(Opened { host, loader, config, trust })
    }

    /// The configuration of the system at `root`, and whom to trust.
    fn settings(&self, root: &Path) -> Result<(Config, Option<Trust>), Failure> {
        let config = Config::load(root)?;
        let tree = Tree::open(root)?;
        let below = |paths: &[tiu_system::path::TreePathBuf]| -> Vec<PathBuf> {
            paths.iter().map(|p| tree.resolve(p.as_path())).collect()
        };
        let keyrings = if self.keyring.is_empty() { below(&config.keyring) } else { self.keyring.clone() };
        let trust = match keyrings.is_empty() {
            true => None,
            false => {
                let mut trust = Trust::from_paths(&keyrings)?;
                for crl in below(&config.crl) {
                    trust.add_crls(&crl)?;
                }
                trust.set_purpose(config.purpose);
                trust.set_valid_at(config.valid_at);
                Some(trust)
            }
        };
        Ok((config, trust))
    }
}

/// An error that ends the program, and its exit code.
struct Failure {
    error: Box<dyn Hint>,
    code: u8,
}

/// Errors of the command line itself.
#[derive(Debug, thiserror::Error)]
enum CommandError {
    #[error("nobody is trusted: no keyring is given or configured")]
    NoKeyring,
    #[error("writing the output: {0}")]
    Output(io::Error),
    #[error("waiting for signals: {0}")]
    Signals(io::Error),
}

impl Hint for CommandError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            CommandError::NoKeyring => {
                "give --keyring FILE, or set keyring in the host's /etc/tiu/tiu.yaml, to the CA's certificate"
                    .into()
            }
            CommandError::Output(_) => "see whether the output's file or pipe can still be written".into(),
            CommandError::Signals(_) => "see the system's limits".into(),
        })
    }
}

impl<E: Hint + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let code = if error.is_cancelled() { exit::CANCELLED } else { exit::FAILED };
        Failure { error: Box::new(error), code }
    }
}

/// What a subcommand gives: its exit code.
type Outcome = Result<u8, Failure>;

/// The program.
pub fn main() -> u8 {
    let outcome = match Cli::parse().command {
        Command::Apply(arguments) => arguments.run(),
        Command::Status(arguments) => arguments.run(),
        Command::List(arguments) => arguments.run(),
        Command::Rollback(arguments) => arguments.run(),
        Command::Diff(arguments) => arguments.run(),
        Command::Etc(arguments) => arguments.run(),
        Command::Verify(arguments) => arguments.run(),
        Command::Pin(arguments) => arguments.run(),
        Command::Cleanup(arguments) => arguments.run(),
        Command::Man(arguments) => arguments.run(),
        Command::InTarget(arguments) => arguments.run(),
        Command::WithoutPlugins(arguments) => arguments.run(),
    };
    outcome.unwrap_or_else(|failure| {
        tiu_cli::report("tiu", &*failure.error);
        failure.code
    })
}

/// Reports that there was nothing to do.
fn nothing_to_do(why: &NothingToDo) -> Outcome {
    tiu_cli::report_nothing_to_do("tiu", why, &why.hint());
    Ok(exit::NOTHING_TO_DO)
}

/// Prints text on standard output.
fn print(text: &str) -> Result<(), Failure> {
    tiu_cli::print(text).map_err(|e| CommandError::Output(e).into())
}

/// Prints `facts` as JSON, with the version of the schema (docs/format/json.md).
fn print_json(facts: &impl Serialize) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Versioned<'a, T> {
        version: u32,
        #[serde(flatten)]
        facts: &'a T,
    }
    let text = serde_json::to_string_pretty(&Versioned { version: 1, facts })
        .map_err(|e| CommandError::Output(e.into()))?;
    print(&(text + "\n"))
}

fn cancel_on_signals() -> Result<&'static Cancel, Failure> {
    tiu_cli::signals::cancel_on_signals().map_err(|e| CommandError::Signals(e).into())
}
