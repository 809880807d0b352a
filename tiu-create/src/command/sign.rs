//! `tiu-create sign`: signs a bundle.

use super::name::NAME;
use super::signer::SignerArguments;
use serde_json::json;
use std::path::{Path, PathBuf};
use tiu_bundle::signature::Signer;
use tiu_cli::{CommandResult, CommonArguments, ProgressMode, SecondSignal, cancel_on_signals, exit};
use tiu_create::{SignError, UnsignedBundle};
use tiu_system::progress::Watch;

/// Sign a bundle, sign it again, or insert a signature that was made elsewhere
///
/// The image is first compared with its hash tree. Only the signature of the bundle changes. The
/// bundle is replaced as a whole: a crash leaves the old one or the new one.
#[derive(clap::Args)]
#[command(group = clap::ArgGroup::new("how").required(true).args(["cert", "write_payload", "cms"]))]
#[command(after_help = "Examples:
  tiu-create sign --cert signer.cert.pem --key signer.key.pem example-1.tiu
  tiu-create sign --cert signer.cert.pem --key 'pkcs11:token=release;object=signer' \\
      --pin-file pin example-1.tiu

With an external signer, in two steps:
  tiu-create sign --write-payload manifest example-1.tiu
  openssl cms -sign -binary -nodetach -md sha256 -nosmimecap -outform DER \\
      -signer signer.cert.pem -inkey signer.key.pem -in manifest -out manifest.cms
  tiu-create sign --cms manifest.cms example-1.tiu")]
pub struct SignArguments {
    #[command(flatten)]
    signer: SignerArguments,
    /// File for the payload: the bytes to sign (the manifest)
    #[arg(long, value_name = "FILE")]
    write_payload: Option<PathBuf>,
    /// CMS (DER) over the payload, to insert into the bundle
    #[arg(long, value_name = "FILE", conflicts_with_all = ["cert", "write_payload"])]
    cms: Option<PathBuf>,
    /// File for the signed bundle [default: the bundle itself is replaced]
    #[arg(long, value_name = "FILE", conflicts_with = "write_payload")]
    output: Option<PathBuf>,
    /// Form of the progress on standard error
    #[arg(long, value_enum, value_name = "FORM", default_value_t)]
    progress: ProgressMode,
    /// Bundle file
    bundle: PathBuf,
}

impl SignArguments {
    pub fn run(self, common: &CommonArguments) -> CommandResult {
        let cancel = cancel_on_signals(SecondSignal::Ends)?;
        // Before the work. A bundle that is signed is its own output.
        let inputs = self.signer.files().chain(self.cms.as_deref());
        match &self.write_payload {
            Some(payload) => tiu_create::check_output(payload, inputs.chain([&*self.bundle]))?,
            None => tiu_create::check_output(self.output.as_deref().unwrap_or(&self.bundle), inputs)?,
        }
        let identity = self.signer.load()?;
        let progress = tiu_cli::progress(self.progress);
        let bundle = UnsignedBundle::open(&self.bundle, Watch::new(&*progress, cancel))?;
        let out = self.output.as_deref().unwrap_or(&self.bundle);
        let signer = match (&identity, &self.cms, &self.write_payload) {
            (Some(identity), ..) => Some(bundle.sign(identity, out)?),
            (None, Some(cms), _) => {
                let cms =
                    std::fs::read(cms).map_err(|source| SignError::Read { path: cms.clone(), source })?;
                Some(bundle.put_in(&cms, &self.signer.hosts()?, out)?)
            }
            (None, None, Some(payload)) => {
                bundle.write_payload(payload)?;
                None
            }
            // clap asks for one of them.
            (None, None, None) => None,
        };
        let (signer, warnings) = signer.unzip();
        let warnings: Vec<String> = warnings.iter().flatten().map(ToString::to_string).collect();
        if !common.json {
            warnings.iter().for_each(|text| tiu_cli::warn(NAME, text));
        }
        self.print(common, &bundle, out, signer.as_ref(), &warnings);
        Ok(exit::DONE)
    }

    fn print(
        &self,
        common: &CommonArguments,
        bundle: &UnsignedBundle,
        out: &Path,
        signer: Option<&Signer>,
        warnings: &[String],
    ) {
        let manifest = bundle.manifest();
        let document = json!({
            "bundle": out.to_string_lossy(),
            "image_version": manifest.version,
            "compatible": manifest.compatible,
            "root_hash": manifest.verity_hash.to_string(),
            "payload": self.write_payload.as_ref().map(|path| path.to_string_lossy()),
            "signer": signer.map(|signer| &signer.subject),
            "signer_warnings": warnings,
        });
        let image = format!("version {} for {}", manifest.version, manifest.compatible);
        common.print_done(NAME, &document, || match (signer, &self.write_payload) {
            (Some(signer), _) => format!("{}: {image} signed by {}\n", out.display(), signer.subject),
            (None, Some(payload)) => format!("{}: payload to sign for {image}\n", payload.display()),
            (None, None) => String::new(),
        });
    }
}
