//! The files of the configuration: each overwrites the weaker ones, key by key. A list is
//! overwritten as a whole; its `add-` key adds to what the defaults and the weaker files have.

mod overlay;
#[cfg(test)]
mod tests;

use crate::config::error::ConfigError;
use crate::config::keys::Config;
use std::io;
use std::path::{Path, PathBuf};
use tiu_system::glob::Glob;
use tiu_system::path::TreePath;
use tiu_system::tree::{Files, MAX_TEXT, System, Tree, TreeError};

/// The files of the configuration; earlier ones win.
pub const FILES: [&TreePath; 3] = [
    TreePath::literal("etc/tiu/tiu.yaml"),
    TreePath::literal("usr/etc/tiu/tiu.yaml"),
    TreePath::literal("usr/lib/tiu/tiu.yaml"),
];

impl Config {
    /// Reads the files of the host at `root`. A file that does not exist counts as empty; one that
    /// cannot be reached is an error.
    pub fn load(root: &Path) -> Result<Self, ConfigError> {
        let tree = Tree::open(root).map_err(unreadable)?;
        Self::load_files(&System::new(&tree), Keys::All)
    }

    /// Reads the files of a system that does not run yet. Of the files that its image brings, only
    /// the keys about trust are read: its own tiu may know keys that this one does not.
    pub fn load_next(system: &System) -> Result<Self, ConfigError> {
        Self::load_files(system, Keys::TrustOfImage)
    }

    fn load_files(system: &System, keys: Keys) -> Result<Self, ConfigError> {
        let mut config = Config::default();
        // The weakest file is read first: each later file overwrites the keys that it has, or adds
        // to them.
        for file in FILES.iter().rev() {
            let Some(bytes) = system.read(file.as_path(), MAX_TEXT).map_err(unreadable)? else { continue };
            let path = Files::shown(system, file.as_path());
            let text = String::from_utf8(bytes).map_err(|e| ConfigError::Read {
                path: path.clone(),
                source: io::Error::new(io::ErrorKind::InvalidData, e),
            })?;
            let by_image = file.as_path().starts_with("usr");
            if keys == Keys::TrustOfImage && by_image {
                config.overlay(&only_trust(&text, &path)?, &path)?;
            } else {
                config.overlay(&text, &path)?;
            }
        }
        config.keep_trust(system);
        Ok(config)
    }

    /// Reads one file, outside of any host.
    pub fn load_file(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let mut config = Config::default();
        config.overlay(&text, path)?;
        Ok(config)
    }

    /// Takes the keys that the next update needs to trust its image from the host: an image neither
    /// replaces nor removes them.
    fn keep_trust(&mut self, system: &System) {
        let named: Vec<&Path> = self.trust_paths().map(|path| path.as_path()).collect();
        let real: Vec<PathBuf> = named.iter().filter_map(|path| system.real_path(path)).collect();
        let paths = named.into_iter().chain(real.iter().map(PathBuf::as_path));
        let in_etc = paths.filter(|path| path.starts_with("etc") && *path != Path::new("etc"));
        let globs: Vec<Glob> =
            in_etc.filter_map(|path| Glob::stars(&format!("/{}", path.to_str()?)).ok()).collect();
        for glob in globs {
            if !self.etc_always_host.contains(&glob) {
                self.etc_always_host.push(glob);
            }
        }
    }
}

/// The keys that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keys {
    /// All.
    All,
    /// All of the administrator's file, and those about trust of the image's files.
    TrustOfImage,
}

/// Keys about trust.
const TRUST_KEYS: [&str; 7] = ["keyring", "add-keyring", "crl", "add-crl", "distrust", "purpose", "valid-at"];

/// Returns the keys about trust of a file.
fn only_trust(text: &str, path: &Path) -> Result<String, ConfigError> {
    let failed = |source| ConfigError::Syntax { path: path.to_owned(), source };
    let keys: Option<serde_yaml::Mapping> = serde_yaml::from_str(text).map_err(failed)?;
    let mut keys = keys.unwrap_or_default();
    keys.retain(|key, _| key.as_str().is_some_and(|key| TRUST_KEYS.contains(&key)));
    serde_yaml::to_string(&keys).map_err(failed)
}

fn unreadable(error: TreeError) -> ConfigError {
    ConfigError::Read { path: error.path, source: error.source }
}
