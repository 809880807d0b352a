//! The bundle argument of the commands.

use super::name::NAME;
use tiu_bundle::bundle::Bundle;
use tiu_cli::{Failure, NetworkArguments, TrustArguments};
use tiu_source::{Location, Network};
use tiu_system::progress::{Cancel, Watch};

/// The bundle of a command.
#[derive(clap::Args)]
pub struct BundleArguments {
    /// Bundle: a file, a block device, a URL (http, https, file), or - for standard input
    #[arg(value_parser = tiu_cli::location())]
    bundle: Location,
    #[command(flatten)]
    network: NetworkArguments,
}

impl BundleArguments {
    /// Opens the bundle and verifies its signature. `cancel` stops waiting for a server; a command
    /// without it is ended by the signal itself.
    pub fn open(&self, trust: &TrustArguments, cancel: Option<&'static Cancel>) -> Result<Bundle, Failure> {
        self.open_from(trust, &self.network.network(cancel)?)
    }

    /// Opens the bundle like [`open`](Self::open), and fetches all of it if it is on a server: for
    /// commands that read everything, or that need a file.
    pub fn open_whole(
        &self,
        trust: &TrustArguments,
        cancel: Option<&'static Cancel>,
        watch: Watch,
    ) -> Result<Bundle, Failure> {
        let network = self.network.network(cancel)?;
        let bundle = self.open_from(trust, &network)?;
        Ok(tiu_source::spooled(bundle, &network, watch)?)
    }

    fn open_from(&self, trust: &TrustArguments, network: &Network) -> Result<Bundle, Failure> {
        let trust = trust.trust()?;
        trust.skipped().iter().for_each(|skipped| tiu_cli::warn(NAME, &skipped.to_string()));
        Ok(tiu_source::open_bundle(&self.bundle, network, &trust, &mut |_| {})?)
    }
}
