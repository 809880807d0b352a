//! The build recipe: the few facts about an image that its tree does not show. It is YAML; unknown
//! keys are errors.

mod compression;
mod error;
#[cfg(test)]
mod tests;

pub use compression::{BlockSize, Compression, Compressor};
pub use error::RecipeError;

use serde::Deserialize;
use std::path::Path;
use tiu_bundle::policy::{PersistentListError, Policy, PolicyError, check_in_etc, check_persistent};
use tiu_system::glob::{Glob, GlobError};
use tiu_system::path::TreePathBuf;

/// A recipe. What it lacks is taken from the tree.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Recipe {
    /// The kind of host the image is for; a host takes only images with its own value.
    pub compatible: String,
    /// Version; default: `IMAGE_VERSION`, else `VERSION_ID` of the tree's os-release.
    pub version: Option<String>,
    /// The key of the tree's os-release that has the version, if `version` is missing.
    pub version_from: Option<VersionFrom>,
    /// One line of description.
    pub description: Option<String>,
    /// Build identifier; default: `BUILD_ID` of the tree's os-release.
    pub build: Option<String>,
    /// Architecture as `uname -m` prints it; default: that of the tree's shell or init.
    pub arch: Option<String>,
    /// Operating system; default: `ID` of the tree's os-release.
    pub os_id: Option<String>,
    /// Kernel version; default: the only directory under `/usr/lib/modules`.
    pub kernel: Option<String>,
    /// Hosts with an older version must not apply the image.
    pub min_version: Option<String>,
    /// Patterns of what is left out, see [`Glob`].
    #[serde(default)]
    pub exclude: Vec<String>,
    /// The compression of the image.
    #[serde(default)]
    pub compression: Compression,
    /// True if the image's `/var` becomes defaults under `/usr/share/factory/var`, false if it is
    /// left out.
    #[serde(default = "default_true")]
    pub factory_var: bool,
    /// Directories outside of `/var` whose content is the host's (absolute).
    #[serde(default)]
    pub persistent: Vec<String>,
    /// Lists about `/etc`, in addition to the client's own defaults.
    #[serde(default)]
    pub etc: EtcLists,
}

/// A key of os-release that can have the version.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub enum VersionFrom {
    /// The version of the image.
    #[serde(rename = "IMAGE_VERSION")]
    ImageVersion,
    /// The version of the operating system, which many images can share.
    #[serde(rename = "VERSION_ID")]
    VersionId,
    /// The build identifier.
    #[serde(rename = "BUILD_ID")]
    BuildId,
}

impl VersionFrom {
    /// Returns the key.
    pub fn key(self) -> &'static str {
        match self {
            VersionFrom::ImageVersion => "IMAGE_VERSION",
            VersionFrom::VersionId => "VERSION_ID",
            VersionFrom::BuildId => "BUILD_ID",
        }
    }
}

fn default_true() -> bool {
    true
}

/// Paths in `/etc` (absolute) that the client always takes from one side.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct EtcLists {
    /// Always as the image has it.
    #[serde(default)]
    pub always_image: Vec<String>,
    /// Always as the host has it.
    #[serde(default)]
    pub always_host: Vec<String>,
}

impl Recipe {
    /// Reads the file at `path`.
    pub fn read(path: &Path) -> Result<Self, RecipeError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| RecipeError::Read { path: path.to_owned(), source })?;
        Self::parse(&text, path)
    }

    /// Reads `text`, which came from `path`.
    pub fn parse(text: &str, path: &Path) -> Result<Self, RecipeError> {
        let path = || path.to_owned();
        // An empty document has no mapping, and the parser would not report the missing key.
        let text = if text.trim().is_empty() { "{}" } else { text };
        let recipe: Recipe = serde_yaml::from_str(text)
            .map_err(|e| RecipeError::Yaml { path: path(), reason: e.to_string() })?;
        recipe.globs().map_err(|source| RecipeError::Pattern { path: path(), source })?;
        recipe.persistent().map_err(|source| RecipeError::Persistent { path: path(), source })?;
        let Compression { compressor, level, block_size: BlockSize(size) } = recipe.compression;
        match (level, compressor.levels()) {
            (None, _) => {}
            (Some(level), Some(levels)) if levels.contains(&level) => {}
            (Some(found), levels) => {
                let expected = levels.map_or("none".to_owned(), |l| format!("{} to {}", l.start(), l.end()));
                return Err(RecipeError::Level {
                    path: path(),
                    found,
                    expected,
                    compressor: compressor.name(),
                });
            }
        }
        if !size.is_power_of_two() || !(4096..=1 << 20).contains(&size) {
            return Err(RecipeError::BlockSize { path: path(), found: size });
        }
        let mut listed = recipe.etc.always_image.iter().chain(&recipe.etc.always_host);
        match listed.find_map(|entry| check_in_etc(entry).err()) {
            Some(source) => Err(RecipeError::Etc { path: path(), source }),
            None => Ok(recipe),
        }
    }

    /// Returns the patterns of `exclude`.
    pub fn globs(&self) -> Result<Vec<Glob>, GlobError> {
        self.exclude.iter().map(|pattern| Glob::new(pattern)).collect()
    }

    /// Returns the paths of `persistent`.
    pub fn persistent(&self) -> Result<Vec<TreePathBuf>, PersistentListError> {
        check_persistent(&self.persistent)
    }

    /// Returns the image's policy, which the client reads.
    pub fn policy(&self) -> Result<Policy, PolicyError> {
        let EtcLists { always_image, always_host } = self.etc.clone();
        Policy::new(self.persistent.clone(), always_image, always_host)
    }
}
