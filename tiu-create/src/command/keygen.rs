//! `tiu-create keygen`: makes keys for development.

use super::name::NAME;
use serde_json::json;
use std::path::PathBuf;
use tiu_cli::{CommandResult, CommonArguments, exit};
use tiu_create::keygen;

/// Create a CA and a signing certificate for development
///
/// The files are ca.cert.pem, ca.key.pem, signer.cert.pem and signer.key.pem (EC P-256; the CA is
/// valid for 10 years, the signer for 2). Their subjects say that they are not for production.
/// Existing files are never overwritten.
#[derive(clap::Args)]
#[command(after_help = "Example:
  tiu-create keygen keys")]
pub struct KeygenArguments {
    /// Directory for the files; created if missing
    directory: PathBuf,
}

impl KeygenArguments {
    pub fn run(self, common: &CommonArguments) -> CommandResult {
        let files = keygen(&self.directory)?;
        common.print_done(NAME, &json!({"files": files}), || {
            format!(
                "made keys for development in {}: hosts trust ca.cert.pem; signer.cert.pem and \
                 signer.key.pem sign\n",
                self.directory.display()
            )
        });
        Ok(exit::DONE)
    }
}
