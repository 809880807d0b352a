//! The bundle that a command is given.

use super::name::NAME;
use std::path::PathBuf;
use std::sync::Arc;
use tiu_bundle::bundle::{Bundle, open_bundle};
use tiu_cli::{Failure, TrustArguments};

/// The bundle of a command.
#[derive(clap::Args)]
pub struct BundleArguments {
    /// Bundle file
    bundle: PathBuf,
}

impl BundleArguments {
    /// Opens the bundle and verifies its signature.
    pub fn open(&self, trust: &TrustArguments) -> Result<Arc<Bundle>, Failure> {
        let trust = trust.trust()?;
        trust.skipped().iter().for_each(|skipped| tiu_cli::warn(NAME, &skipped.to_string()));
        Ok(Arc::new(open_bundle(&self.bundle, &trust)?))
    }
}
