//! `tiu-extract verify`: every byte of a bundle.

use super::{BundleArguments, CommandError, Failure, print, print_json};
use serde_json::json;
use std::time::Instant;
use tiu_bundle::hash_tree::VerityError;
use tiu_cli::ProgressMode;
use tiu_cli::signals::cancel_on_signals;
use tiu_extract::{ContentsError, Verity};
use tiu_system::progress::Watch;

/// Verifies every byte of a bundle: signature, hash tree, index, and each file's content
#[derive(clap::Args)]
#[command(after_help = "Example:
  tiu-extract verify --keyring ca.cert.pem system-1.tiu")]
pub struct Arguments {
    #[command(flatten)]
    bundle: BundleArguments,
    /// Prints JSON
    #[arg(long)]
    json: bool,
    /// How progress is shown, on standard error
    #[arg(long, value_enum, value_name = "HOW", default_value_t)]
    progress: ProgressMode,
}

impl Arguments {
    pub fn run(self) -> Result<(), Failure> {
        let started = Instant::now();
        let bundle = self.bundle.open()?;
        let progress = tiu_cli::progress(self.progress);
        let cancel = cancel_on_signals().map_err(CommandError::Signals)?;
        bundle.image().verify_all(Watch::new(&*progress, cancel)).map_err(|e| {
            let cancelled = matches!(e, VerityError::Cancelled(_));
            Failure::from(e).cancelled_if(cancelled)
        })?;
        let image = tiu_extract::open_image(bundle.clone(), Verity::User)?;
        let index = tiu_extract::read_index(&bundle, &*image)?;
        tiu_extract::verify_contents(&index, &*image, Watch::new(&*progress, cancel)).map_err(|e| {
            let cancelled = matches!(e, ContentsError::Cancelled(_));
            Failure::from(e).cancelled_if(cancelled)
        })?;
        bundle.check_unchanged()?;
        let seconds = started.elapsed().as_secs_f64();
        let manifest = &bundle.manifest;
        let content = index.content_size();
        match self.json {
            true => print_json(&json!({
                "version": 1,
                "verified": true,
                "compatible": manifest.compatible,
                "image_version": manifest.version,
                "signer": bundle.signer,
                "image_bytes": bundle.layout.image_size,
                "entries": index.len(),
                "content_bytes": content,
                "seconds": seconds,
            }))?,
            false => print(&format!(
                "{} version {}: verified, signed by {}\n{} of image and {} in {} entries, all as signed, in {seconds:.1} s ({}/s)\n",
                manifest.compatible,
                manifest.version,
                bundle.signer.subject,
                tiu_system::text::bytes(bundle.layout.image_size),
                tiu_system::text::bytes(content),
                index.len(),
                tiu_system::text::bytes((content as f64 / seconds.max(0.001)) as u64),
            ))?,
        }
        Ok(())
    }
}
