//! Facts about an image and its signer, as `--json` prints them.

use serde::Serialize;
use tiu_bundle::manifest::Manifest;
use tiu_bundle::signature::Signer;

/// An image, as its manifest describes it.
#[derive(Clone, Debug, Serialize)]
pub struct ImageFacts {
    /// The kind of host that it is for.
    pub compatible: String,
    /// Version.
    pub version: String,
    /// Description.
    pub description: Option<String>,
    /// Build.
    pub build: Option<String>,
    /// Architecture.
    pub arch: String,
    /// `ID` of its os-release.
    pub os_id: String,
    /// Version of its kernel.
    pub kernel: Option<String>,
    /// Time at which it was packed, RFC 3339.
    pub created: String,
    /// Root hash of its hash tree.
    pub root_hash: String,
}
/// The signer of an image.
#[derive(Clone, Debug, Serialize)]
pub struct SignerFacts {
    /// Subject of the certificate.
    pub subject: String,
    /// Its issuer.
    pub issuer: String,
    /// SHA-256 of the certificate.
    pub fingerprint: String,
    /// End of its validity, RFC 3339.
    pub not_after: String,
    /// Time of the signature, RFC 3339.
    pub signing_time: Option<String>,
}

impl From<&Manifest> for ImageFacts {
    fn from(manifest: &Manifest) -> Self {
        let meta = &manifest.tiu;
        ImageFacts {
            compatible: manifest.compatible.clone(),
            version: manifest.version.clone(),
            description: manifest.description.clone(),
            build: manifest.build.clone(),
            arch: meta.arch.clone(),
            os_id: meta.os_id.clone(),
            kernel: meta.kernel.clone(),
            created: meta.created.clone(),
            root_hash: manifest.verity_hash.to_string(),
        }
    }
}

impl From<&Signer> for SignerFacts {
    fn from(signer: &Signer) -> Self {
        SignerFacts {
            subject: signer.subject.clone(),
            issuer: signer.issuer.clone(),
            fingerprint: signer.fingerprint.clone(),
            not_after: signer.not_after.clone(),
            signing_time: signer.signing_time.clone(),
        }
    }
}
