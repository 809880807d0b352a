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
        let mut of_image = None;
        if given.is_empty() {
            of_image = system.find(IMAGE_KEYRING.as_path()).unwrap_or_else(|error| {
                warnings.push(format!("the image's certificates cannot be read: {error}"));
                None
            });
        }
        let keyrings = if given.is_empty() { locate(system, &self.keyring)? } else { given.to_owned() };
        let mut trust = match of_image {
            Some(of_image) => match Trust::with_image(&keyrings, &of_image) {
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
            },
            None if keyrings.is_empty() => return Ok(Trusted { trust: None, warnings }),
            None => Trust::from_paths(&keyrings)?,
        };
        for path in locate(system, &self.crl)? {
            trust.add_crls(&path)?;
        }
        for path in locate(system, &self.distrust)? {
            trust.distrust(&path)?;
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

/// Returns where the configured paths lead. One that does not exist stays, so that reading it
/// fails.
fn locate(system: &System, paths: &[TreePathBuf]) -> Result<Vec<PathBuf>, TreeError> {
    let found = |path: &TreePathBuf| {
        let path: &Path = path.as_path();
        Ok(system.find(path)?.unwrap_or_else(|| system.tree().path().join(path)))
    };
    paths.iter().map(found).collect()
}
