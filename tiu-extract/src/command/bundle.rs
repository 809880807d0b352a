//! The bundle that a command is given.

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
        Ok(Arc::new(open_bundle(&self.bundle, &trust.trust()?)?))
    }
}
