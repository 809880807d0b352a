//! The certificates that a system trusts: its configured keyring and the certificates that its
//! image brought, without those that it distrusts.

use super::keys::Config;
use std::path::{Path, PathBuf};
use tiu_bundle::trust::{Trust, TrustError};
use tiu_system::hints;
use tiu_system::path::{TreePath, TreePathBuf};
use tiu_system::tree::{System, TreeError};

/// The certificates that an image brings.
const IMAGE_KEYRING: &TreePath = TreePath::literal("usr/lib/tiu/keyring");

/// The trusted certificates.
#[derive(Debug)]
pub struct Trusted {
    /// `None` if no keyring is given or configured, and the image has none.
    pub trust: Option<Trust>,
    /// Warnings for the administrator.
    pub warnings: Vec<String>,
}

/// The configured trust cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum ConfiguredTrustError {
    #[error(transparent)]
    Tree(#[from] TreeError),
    #[error(transparent)]
    Trust(#[from] TrustError),
}

hints! { ConfiguredTrustError {
    forward Trust;
    Tree(_) => "`keyring`, `crl` and `distrust` in tiu.yaml name files; to go on without them: --keyring FILE",
} }

impl Config {
    /// Returns which certificates `system`, of which this is the configuration, trusts. With
    /// `given`, only the certificates there: the configured keyring and the image's do not count.
    ///
    /// The image's certificates are as good as the image: it was verified when it was applied. One
    /// that cannot be read is left out with a warning, so that a damaged image can be replaced.
    pub fn trust(&self, system: &System, given: &[PathBuf]) -> Result<Trusted, ConfiguredTrustError> {
        let mut warnings = Vec::new();
        for path in self.trust_paths().filter(|path| given.is_empty() || !self.keyring.contains(path)) {
            // A link that leads nowhere is said to be one.
            system.has(path.as_path())?;
        }
        let keyrings: Vec<&Path> = self.keyring.iter().map(|path| path.as_path()).collect();
        let of_image = IMAGE_KEYRING.as_path();
        let has_image = given.is_empty()
            && system.has(of_image).unwrap_or_else(|error| {
                warnings.push(format!("the image's certificates cannot be read: {error}"));
                false
            });
        let mut trust = if !given.is_empty() {
            Trust::from_paths(given)?
        } else if has_image {
            match Trust::with_image(system, &keyrings, of_image) {
                Ok((trust, left_out)) => {
                    let left_out =
                        left_out.iter().map(|e| format!("a certificate of the image is left out: {e}"));
                    warnings.extend(left_out);
                    trust
                }
                // An empty directory is no keyring.
                Err(TrustError::Empty { .. }) if keyrings.is_empty() => {
                    return Ok(Trusted { trust: None, warnings });
                }
                Err(e) => return Err(e.into()),
            }
        } else if keyrings.is_empty() {
            return Ok(Trusted { trust: None, warnings });
        } else {
            Trust::from_files(system, &keyrings)?
        };
        for path in &self.crl {
            trust.add_crls_from(system, path.as_path())?;
        }
        for path in &self.distrust {
            trust.distrust_from(system, path.as_path())?;
        }
        warnings.extend(trust.skipped().iter().map(ToString::to_string));
        trust.set_purpose(self.purpose);
        trust.set_valid_at(self.valid_at);
        Ok(Trusted { trust: Some(trust), warnings })
    }

    /// Returns the configured files and directories with certificates and revocation lists.
    pub(super) fn trust_paths(&self) -> impl Iterator<Item = &TreePathBuf> {
        self.keyring.iter().chain(&self.crl).chain(&self.distrust)
    }
}
