//! The host that a command works on, and the certificates that it trusts.

use super::name::NAME;
use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use tiu::boot::{BootLoader, Next, Selected, boot_loader};
use tiu::config::{Config, ConfiguredTrustError};
use tiu::host::{Host, Lock};
use tiu::status::{SnapshotFacts, mark_next};
use tiu_bundle::trust::Trust;
use tiu_cli::{Failure, refuse};
use tiu_system::hints;
use tiu_system::tree::{System, Tree};

/// The host, and which certificates to trust.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Global options")]
pub struct HostArguments {
    /// Directory where the host is mounted, with its .snapshots [default: the running system]
    #[arg(long, value_name = "DIR", global = true)]
    pub root: Option<PathBuf>,
    /// Trusted certificates, a file or a directory, instead of the configured ones; can be given
    /// more than once
    #[arg(long, value_name = "FILE|DIR", global = true)]
    keyring: Vec<PathBuf>,
}

/// An open host.
pub struct OpenedHost {
    pub host: Host,
    /// Detected when it is asked first.
    loader: OnceCell<Box<dyn BootLoader>>,
    pub config: Config,
    pub trust: Option<Trust>,
}

impl OpenedHost {
    /// Returns the door to what boots next.
    pub fn next(&self) -> Next<'_> {
        let loader = self.loader.get_or_init(|| boot_loader(&self.host, &self.config));
        Next::new(&self.host, &**loader)
    }

    /// Takes the host's lock, and completes a change of what boots that was interrupted.
    pub fn lock(&self) -> Result<Lock, Failure> {
        let lock = self.host.lock()?;
        self.next().reconcile()?;
        Ok(lock)
    }

    /// Returns the facts of all snapshots. `selected` says which of them boots next.
    pub fn snapshots(&self, selected: Option<&Selected>) -> Result<Vec<SnapshotFacts>, Failure> {
        let mut snapshots = tiu::status::snapshots(&self.host, &self.config, self.trust.as_ref())?;
        if let Some(selected) = selected {
            mark_next(&mut snapshots, selected);
        }
        Ok(snapshots)
    }
}

impl HostArguments {
    /// Opens the host and reads its configuration. Without any keyring there is no [`Trust`].
    pub fn open(&self) -> Result<OpenedHost, Failure> {
        let host = Host::open(self.root.as_deref())?;
        let (config, trust) = self.settings(host.root())?;
        Ok(OpenedHost { host, loader: OnceCell::new(), config, trust })
    }

    /// Opens the host like [`open`](Self::open), for a command that has to work although the
    /// configured keyring cannot be used: that is a warning, and there is no [`Trust`].
    pub fn open_without_trust(&self) -> Result<OpenedHost, Failure> {
        let host = Host::open(self.root.as_deref())?;
        let config = Config::load(host.root())?;
        let trust = match self.trust(&config, host.root()) {
            // One that was given is meant.
            Err(error) if self.keyring.is_empty() => {
                tiu_cli::warn(NAME, &format!("signatures are not checked: {error}"));
                None
            }
            trust => trust?,
        };
        Ok(OpenedHost { host, loader: OnceCell::new(), config, trust })
    }

    /// Returns the configuration of the system at `root`, and which certificates to trust.
    pub fn settings(&self, root: &Path) -> Result<(Config, Option<Trust>), Failure> {
        let config = Config::load(root)?;
        let trust = self.trust(&config, root)?;
        Ok((config, trust))
    }

    /// Returns the certificates that are named on the command line.
    pub fn keyring(&self) -> &[PathBuf] {
        &self.keyring
    }

    /// Returns the arguments for the running system, with `keyring` in place of that of the command
    /// line.
    pub fn with_keyring(keyring: Vec<PathBuf>) -> Self {
        HostArguments { root: None, keyring }
    }

    /// Returns whether certificates are named on the command line.
    pub fn has_keyring(&self) -> bool {
        !self.keyring.is_empty()
    }

    /// Returns which certificates to trust. Paths of `config` are in the system at `root`.
    pub fn trust(&self, config: &Config, root: &Path) -> Result<Option<Trust>, ConfiguredTrustError> {
        let tree = Tree::open(root)?;
        let trusted = config.trust(&System::new(&tree), &self.keyring)?;
        for warning in &trusted.warnings {
            tiu_cli::warn(NAME, warning);
        }
        Ok(trusted.trust)
    }

    /// Fails if an option was given to the command `name`, which works on no host.
    pub fn refuse(&self, name: &str) -> Result<(), Failure> {
        refuse(self.root.is_some(), "--root <DIR>", name)?;
        refuse(!self.keyring.is_empty(), "--keyring <FILE|DIR>", name)
    }
}

/// No certificate is trusted, so no bundle can be opened.
#[derive(Debug, thiserror::Error)]
#[error("no certificate is trusted: no keyring is given or configured")]
pub struct NoKeyring;

hints! { struct NoKeyring {
    _ => "give --keyring FILE, or set keyring in the host's /etc/tiu/tiu.yaml, to the CA's certificate",
} }
