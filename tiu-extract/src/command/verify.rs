//! `tiu-extract verify`: verifies every byte of a bundle.

use super::bundle::BundleArguments;
use serde_json::json;
use std::sync::Arc;
use std::time::Instant;
use tiu_cli::{
    CommandResult, CommonArguments, ProgressMode, SecondSignal, TrustArguments, cancel_on_signals, exit,
};
use tiu_extract::Verity;
use tiu_system::progress::Watch;
use tiu_system::text::bytes;

/// Verify every byte of a bundle: signature, hash tree, index, and the content of each file
#[derive(clap::Args)]
#[command(after_help = "Example:
  tiu-extract verify --keyring ca.cert.pem system-1.tiu")]
pub struct VerifyArguments {
    #[command(flatten)]
    bundle: BundleArguments,
    /// Form of the progress on standard error
    #[arg(long, value_enum, value_name = "FORM", default_value_t)]
    progress: ProgressMode,
}

impl VerifyArguments {
    pub fn run(self, trust: &TrustArguments, common: &CommonArguments) -> CommandResult {
        let started = Instant::now();
        let progress = tiu_cli::progress(self.progress);
        let cancel = cancel_on_signals(SecondSignal::Ends)?;
        let watch = Watch::new(&*progress, cancel);
        let bundle = Arc::new(self.bundle.open_whole(trust, Some(cancel), watch)?);
        bundle.image().verify_all(watch)?;
        let image = tiu_extract::open_image(bundle.clone(), Verity::User)?;
        let index = tiu_extract::read_index(&bundle, &*image)?;
        tiu_extract::verify_contents(&index, &*image, watch)?;
        bundle.check_unchanged()?;
        let seconds = started.elapsed().as_secs_f64();
        let (manifest, signer) = (&bundle.manifest, &bundle.signer);
        let (image_size, content) = (bundle.layout.image_size, index.content_size());
        let document = json!({
            "verified": true,
            "compatible": manifest.compatible,
            "image_version": manifest.version,
            "signer": signer,
            "image_bytes": image_size,
            "entries": index.len(),
            "content_bytes": content,
            "seconds": seconds,
        });
        common.print(&document, || {
            format!(
                "{} version {}: verified, signed by {}\n\
                 {} of image and {} in {} entries, all as signed, in {seconds:.1} s ({}/s)\n",
                manifest.compatible,
                manifest.version,
                signer.subject,
                bytes(image_size),
                bytes(content),
                index.len(),
                bytes((content as f64 / seconds.max(0.001)) as u64),
            )
        })?;
        Ok(exit::DONE)
    }
}
