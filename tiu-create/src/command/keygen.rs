//! `tiu-create keygen`

use super::{Failure, say};
use std::path::PathBuf;
use tiu_create::keygen;

/// Make a CA and a signing certificate for development
///
/// Writes ca.cert.pem, ca.key.pem, signer.cert.pem and signer.key.pem (EC P-256; the CA is valid for 10 years, the signer for 2). They say
/// in their names that they are not for production. Existing files are never overwritten.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  tiu-create keygen keys")]
pub struct Arguments {
    /// Where to write them; made if missing
    directory: PathBuf,
    /// Print what was made as JSON: {"version":1,"files":[PATH...]}
    #[arg(long)]
    json: bool,
}

/// Runs it.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let files = keygen(&arguments.directory).map_err(Failure::new)?;
    if arguments.json {
        say(&format!("{}\n", serde_json::json!({"version": 1, "files": files})));
    } else {
        let dir = arguments.directory.display();
        say(&format!(
            "made keys for development in {dir}: hosts trust ca.cert.pem, signer.cert.pem and signer.key.pem sign\n"
        ));
    }
    Ok(())
}
