//! `tiu-extract info`: shows the manifest and the signer of a bundle.

use super::bundle::BundleArguments;
use serde_json::json;
use tiu_bundle::bundle::Bundle;
use tiu_cli::{CommandResult, CommonArguments, TrustArguments, exit};

/// Show the image in a bundle, its signer, and the hosts that it is for
///
/// Signature, certificates, manifest and sizes are checked. The image is not read (see `verify`).
#[derive(clap::Args)]
#[command(after_help = "Example:
  tiu-extract info --keyring ca.cert.pem system-1.tiu")]
pub struct InfoArguments {
    #[command(flatten)]
    bundle: BundleArguments,
}

impl InfoArguments {
    pub fn run(self, trust: &TrustArguments, common: &CommonArguments) -> CommandResult {
        let bundle = self.bundle.open(trust, None)?;
        common.print(&facts(&bundle), || text(&bundle))?;
        Ok(exit::DONE)
    }
}

/// Returns the document of `--json`: fields as in the manifest, sizes in bytes, times in RFC 3339.
fn facts(bundle: &Bundle) -> serde_json::Value {
    let (manifest, layout) = (&bundle.manifest, &bundle.layout);
    json!({
        "image": {
            "compatible": manifest.compatible,
            "version": manifest.version,
            "description": manifest.description,
            "build": manifest.build,
            "arch": manifest.tiu.arch,
            "os_id": manifest.tiu.os_id,
            "kernel": manifest.tiu.kernel,
            "created": manifest.tiu.created,
            "min_version": manifest.tiu.min_version,
            "files": manifest.tiu.files,
            "size": manifest.tiu.size,
            "index_digest": manifest.tiu.index_digest.to_string(),
        },
        "format": manifest.tiu.format,
        "root_hash": manifest.verity_hash.to_string(),
        "layout": {"image": layout.image_size, "hash_tree": layout.tree_size, "cms": layout.cms_size},
        "signer": bundle.signer,
    })
}

fn text(bundle: &Bundle) -> String {
    let (manifest, signer, layout) = (&bundle.manifest, &bundle.signer, &bundle.layout);
    let meta = &manifest.tiu;
    let mut rows = vec![
        ("Image", format!("{} version {}", manifest.compatible, manifest.version)),
        ("Description", manifest.description.clone().unwrap_or_default()),
        ("Build", manifest.build.clone().unwrap_or_default()),
        ("System", format!("{} on {}", meta.os_id, meta.arch)),
        ("Kernel", meta.kernel.clone().unwrap_or_default()),
        ("Created", meta.created.clone()),
        ("For hosts from", meta.min_version.clone().unwrap_or_default()),
        ("Content", format!("{} in {} entries", tiu_system::text::bytes(meta.size), meta.files)),
        (
            "File",
            format!(
                "{} image, {} hash tree, {} B signature",
                tiu_system::text::bytes(layout.image_size),
                tiu_system::text::bytes(layout.tree_size),
                layout.cms_size
            ),
        ),
        ("Root hash", manifest.verity_hash.to_string()),
        ("Signed by", signer.subject.clone()),
        ("Issued by", signer.issuer.clone()),
        ("Fingerprint", signer.fingerprint.clone()),
        ("Valid until", signer.not_after.clone()),
        ("Signed on", signer.signing_time.clone().unwrap_or_default()),
        ("Chain", signer.chain.join("  <-  ")),
    ];
    rows.retain(|(_, value)| !value.is_empty());
    rows.iter().map(|(name, value)| format!("{name:<16}{}\n", tiu_system::text::printable(value))).collect()
}
