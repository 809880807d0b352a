//! The build recipe: the few facts about an image that its tree does not show. It is YAML; unknown
//! keys are errors.

use serde::Deserialize;
use std::io;
use std::path::{Path, PathBuf};
use tiu_bundle::policy::{
    NotInEtc, PersistentListError, Policy, PolicyError, check_in_etc, check_persistent,
};
use tiu_system::glob::{Glob, GlobError};
use tiu_system::hints;
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

/// The compression of the image.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Compression {
    /// Algorithm.
    #[serde(default)]
    pub compressor: Compressor,
    /// Level; default: the compressor's own (15 for zstd).
    pub level: Option<u32>,
    /// Bytes that are compressed together: a power of two from 4096 (4 KiB) to 1048576 (1 MiB).
    #[serde(default)]
    pub block_size: BlockSize,
}

/// Algorithms that both the kernel and the client read.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Compressor {
    /// Levels 1 to 22, 15 by default.
    #[default]
    Zstd,
    /// Levels 0 to 9, 6 by default.
    Xz,
    /// Levels 1 to 9, 9 by default.
    Gzip,
    /// No levels.
    Lz4,
}

impl Compressor {
    /// Returns the name that tar2sqfs uses.
    pub fn name(self) -> &'static str {
        match self {
            Compressor::Zstd => "zstd",
            Compressor::Xz => "xz",
            Compressor::Gzip => "gzip",
            Compressor::Lz4 => "lz4",
        }
    }

    /// Returns the levels that it has.
    fn levels(self) -> Option<std::ops::RangeInclusive<u32>> {
        match self {
            Compressor::Zstd => Some(1..=22),
            Compressor::Xz => Some(0..=9),
            Compressor::Gzip => Some(1..=9),
            Compressor::Lz4 => None,
        }
    }
}

/// Bytes that are compressed together.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(transparent)]
pub struct BlockSize(pub u32);

impl Default for BlockSize {
    fn default() -> Self {
        BlockSize(128 * 1024)
    }
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

/// A recipe that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // Fields without documentation are what their names say.
pub enum RecipeError {
    /// The recipe cannot be read.
    #[error("the recipe {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// Not YAML, a key that is unknown or missing, or a value of another type.
    #[error("the recipe {}: {reason}", path.display())]
    Yaml {
        path: PathBuf,
        /// The parser's message, with line and column.
        reason: String,
    },
    /// A pattern that cannot be used.
    #[error("the recipe {}: exclude: {source}", path.display())]
    Pattern { path: PathBuf, source: GlobError },
    /// A level that the compressor does not have.
    #[error("the recipe {}: compression: level is {found}, expected {expected} for {compressor}", path.display())]
    Level {
        path: PathBuf,
        found: u32,
        /// Levels of the compressor.
        expected: String,
        compressor: &'static str,
    },
    /// Not a block size of squashfs.
    #[error("the recipe {}: compression: block-size is {found}, expected a power of two from 4096 to 1048576", path.display())]
    BlockSize { path: PathBuf, found: u32 },
    /// A list of persistent paths that no client would accept.
    #[error("the recipe {}: persistent: {source}", path.display())]
    Persistent { path: PathBuf, source: PersistentListError },
    /// A path of the lists that is not in `/etc`.
    #[error("the recipe {}: etc: found {source}", path.display())]
    Etc { path: PathBuf, source: NotInEtc },
}

hints! { RecipeError {
    forward Pattern.source, Persistent.source;
    Read { .. } => "give the recipe with --recipe; examples/bundle.yaml shows every key",
    Yaml { reason, .. } if reason.contains("missing field `compatible`") =>
        "add `compatible: NAME`: hosts whose `compatible` is NAME accept the image",
    Yaml { .. } => "examples/bundle.yaml shows every key",
    Level { .. } => "leave `level` out for the compressor's own default",
    BlockSize { .. } => "131072 (128 KiB) is the default",
    Etc { .. } => "these lists are about the merge of /etc; all other paths always come from the image",
} }

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

#[cfg(test)]
mod tests {
    use super::*;
    use tiu_system::Hint;

    fn parse(text: &str) -> Result<Recipe, RecipeError> {
        Recipe::parse(text, Path::new("bundle.yaml"))
    }

    fn refused(text: &str, needles: &[&str], hint: &str) {
        let error = parse(text).expect_err("a bad recipe");
        for needle in needles {
            assert!(error.to_string().contains(needle), "{error:?} does not say {needle:?}");
        }
        let found = error.hint().expect("a hint");
        assert!(found.contains(hint), "the hint {found:?} does not say {hint:?}");
    }

    #[test]
    fn the_least_recipe() {
        let recipe = parse("compatible: example").expect("a good recipe");
        assert_eq!(recipe.compression.compressor, Compressor::Zstd);
        assert_eq!(recipe.compression.block_size.0, 131_072);
        assert!(recipe.factory_var);
        assert_eq!(recipe.policy(), Ok(Policy::default()));
    }

    #[test]
    fn the_example_has_every_key() {
        let text = include_str!("../../examples/bundle.yaml");
        let recipe = parse(text).expect("the example is a good recipe");
        assert!(recipe.policy().is_ok_and(|policy| policy.to_text().is_some()));
        let keys = [
            "compatible",
            "version",
            "version-from",
            "description",
            "build",
            "arch",
            "os-id",
            "kernel",
            "min-version",
            "exclude",
            "compression",
            "compressor",
            "level",
            "block-size",
            "factory-var",
            "persistent",
            "etc",
            "always-image",
            "always-host",
        ];
        for key in keys {
            assert!(text.contains(&format!("{key}:")), "{key} is not in the example");
        }
    }

    #[test]
    fn lists_reach_the_client() {
        let text = "compatible: x\npersistent: [/data, /export/x]\netc:\n  always-image: [/etc/os-release]\n";
        let written = parse(text).expect("a good recipe").policy().expect("a policy");
        let policy = Policy::parse(&written.to_text().expect("a text")).expect("a policy");
        assert_eq!(policy.always_image(), ["etc/os-release"]);
        assert!(policy.always_host().is_empty());
        assert_eq!(policy.persistent(), ["data", "export/x"].map(|path| TreePathBuf::new(path).unwrap()));
        refused(
            "compatible: x\npersistent: [/etc/x]\n",
            &["bundle.yaml", "persistent", "\"/etc/x\""],
            "/var",
        );
        refused("compatible: x\npersistent: [a/b]\n", &["persistent", "absolute"], "/data");
    }

    #[test]
    fn missing_compatible() {
        refused("description: x", &["bundle.yaml", "missing field `compatible`"], "add `compatible: NAME`");
        refused("", &["missing field `compatible`"], "add `compatible: NAME`");
    }

    #[test]
    fn unknown_key() {
        refused(
            "compatible: x\ncolour: red\n",
            &["unknown field `colour`", "line 2"],
            "examples/bundle.yaml",
        );
        refused(
            "compatible: x\ncompression: {speed: 3}\n",
            &["unknown field `speed`"],
            "examples/bundle.yaml",
        );
        refused(
            "compatible: x\ncompression: {compressor: lzo}\n",
            &["unknown variant `lzo`"],
            "examples/bundle.yaml",
        );
    }

    #[test]
    fn the_same_key_twice() {
        refused("compatible: x\ncompatible: y\n", &["duplicate", "compatible"], "examples");
    }

    #[test]
    fn broken_yaml() {
        refused("compatible: [x\n", &["line"], "examples/bundle.yaml");
        refused("- a\n", &["invalid type: sequence"], "examples/bundle.yaml");
    }

    #[test]
    fn a_version_is_text_as_it_is_written() {
        for version in ["1.10", "12", "0x10", "1e3", "'1.10'"] {
            let recipe = parse(&format!("compatible: x\nversion: {version}\n")).expect("a good recipe");
            assert_eq!(recipe.version.as_deref(), Some(version.trim_matches('\'')));
        }
        refused(
            "compatible: x\nversion: [1]\n",
            &["version", "expected a string", "line 2"],
            "examples/bundle.yaml",
        );
    }

    #[test]
    fn bad_values() {
        refused("compatible: x\nexclude: [usr/doc]", &["usr/doc"], "/usr/doc");
        refused("compatible: x\ncompression: {level: 23}", &["23", "1 to 22", "zstd"], "default");
        refused("compatible: x\ncompression: {compressor: lz4, level: 1}", &["none", "lz4"], "default");
        for size in ["5000", "2048", "2097152", "0"] {
            refused(
                &format!("compatible: x\ncompression: {{block-size: {size}}}"),
                &[size, "power of two"],
                "131072",
            );
        }
        refused("compatible: x\netc: {always-host: [/usr/x]}", &["/usr/x", "a path in /etc"], "/etc");
    }
}
