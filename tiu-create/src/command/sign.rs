//! `tiu-create sign`

use super::signer::SignerArguments;
use super::{Failure, cancel_on_signals, say};
use serde_json::json;
use std::path::{Path, PathBuf};
use tiu_bundle::signature::Signer;
use tiu_cli::ProgressMode;
use tiu_create::{SignError, Unsigned};
use tiu_system::progress::Watch;

/// Sign a bundle, sign it again, or put in a signature made elsewhere
///
/// The image is compared with its hash tree first; nothing else of the bundle changes. The bundle is replaced as a whole:
/// a crash leaves the old one or the new one.
#[derive(clap::Args)]
#[command(group = clap::ArgGroup::new("how").required(true).args(["cert", "write_payload", "cms"]))]
#[command(after_help = "Examples:
  tiu-create sign --cert signer.cert.pem --key signer.key.pem example-1.tiu
  tiu-create sign --cert signer.cert.pem --key 'pkcs11:token=release;object=signer' --pin-file pin example-1.tiu

With a signer outside, in two steps:
  tiu-create sign --write-payload manifest example-1.tiu
  openssl cms -sign -binary -nodetach -md sha256 -nosmimecap -outform DER -signer signer.cert.pem -inkey signer.key.pem \\
      -in manifest -out manifest.cms
  tiu-create sign --cms manifest.cms example-1.tiu

--json prints {\"version\":1,\"bundle\":PATH,\"image_version\",\"compatible\",\"root_hash\",\"payload\":PATH|null,\"signer\":NAME|null}.")]
pub struct Arguments {
    #[command(flatten)]
    signer: SignerArguments,
    /// Write what is to be signed (the manifest) to a file
    #[arg(long, value_name = "FILE")]
    write_payload: Option<PathBuf>,
    /// Put in this CMS (DER), which was made over the payload
    #[arg(long, value_name = "FILE", conflicts_with_all = ["cert", "write_payload"])]
    cms: Option<PathBuf>,
    /// Write the signed bundle here instead of replacing it
    #[arg(long, value_name = "FILE", conflicts_with = "write_payload")]
    output: Option<PathBuf>,
    /// How to show progress
    #[arg(long, value_enum, default_value_t)]
    progress: ProgressMode,
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
    /// The bundle
    bundle: PathBuf,
}

/// Runs it.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let cancel = cancel_on_signals();
    let identity = arguments.signer.load()?;
    let progress = tiu_cli::progress(arguments.progress);
    let bundle = Unsigned::open(&arguments.bundle, Watch::new(&*progress, cancel))
        .map_err(|e| Failure::new(e).cancelled_if(cancel.is_cancelled()))?;
    let out = arguments.output.as_deref().unwrap_or(&arguments.bundle);
    let signer = match (&identity, &arguments.cms, &arguments.write_payload) {
        (Some(identity), ..) => Some(bundle.sign(identity, out).map_err(Failure::new)?),
        (None, Some(cms), _) => {
            let cms = std::fs::read(cms)
                .map_err(|source| Failure::new(SignError::Read { path: cms.clone(), source }))?;
            Some(bundle.put_in(&cms, out).map_err(Failure::new)?)
        }
        (None, None, Some(payload)) => {
            std::fs::write(payload, bundle.payload())
                .map_err(|source| Failure::new(SignError::Write { path: payload.clone(), source }))?;
            None
        }
        // clap asks for one of them.
        (None, None, None) => None,
    };
    show(&arguments, &bundle, out, signer.as_ref());
    Ok(())
}

fn show(arguments: &Arguments, bundle: &Unsigned, out: &Path, signer: Option<&Signer>) {
    let manifest = bundle.manifest();
    if arguments.json {
        say(&format!(
            "{}\n",
            json!({
                "version": 1,
                "bundle": out.to_string_lossy(),
                "image_version": manifest.version,
                "compatible": manifest.compatible,
                "root_hash": manifest.verity_hash.to_string(),
                "payload": arguments.write_payload.as_ref().map(|path| path.to_string_lossy()),
                "signer": signer.map(|signer| &signer.subject),
            })
        ));
        return;
    }
    let what = format!("version {} for {}", manifest.version, manifest.compatible);
    match (signer, &arguments.write_payload) {
        (Some(signer), _) => say(&format!("{}: {what} signed by {}\n", out.display(), signer.subject)),
        (None, Some(payload)) => say(&format!("{}: what is to be signed for {what}\n", payload.display())),
        (None, None) => {}
    }
}
