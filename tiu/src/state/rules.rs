//! The engine's rules, made from the facts that a snapshot holds about itself. No other code makes
//! them.

use super::error::{StateError, StateProblem};
use super::image_state::ImageState;
use crate::config::Config;
use crate::etc::ETC;
use crate::host::host_paths;
use tiu_bundle::places::{self, Owner};
use tiu_extract::Rules;
use tiu_system::path::TreePathBuf;
use tiu_system::tree::{Tree, destination};

impl ImageState {
    /// Returns how the image's owners map to the host's numbers in this snapshot.
    pub fn owner_rules(&self) -> Result<Rules, StateError> {
        let Some(record) = self.record()? else { return Ok(Rules::default()) };
        let copy = |map: &std::collections::BTreeMap<u32, u32>| map.iter().map(|(k, v)| (*k, *v)).collect();
        Ok(Rules { uids: copy(&record.uids), gids: copy(&record.gids), ..Rules::default() })
    }

    /// Returns the rules for the whole tree without what an image declared as persistent: mount
    /// points, nested subvolumes and configured paths are the host's.
    pub fn host_rules(&self, config: &Config) -> Result<Rules, StateError> {
        let nested = self.nested()?;
        let host_paths = host_paths(self.mounts()?, nested, &config.host_paths)
            .map_err(|e| StateError { number: self.number(), source: StateProblem::Host(e) })?;
        let host_paths = with_destinations(self.tree(), host_paths);
        let own_etc = nested.iter().any(|path| path.as_os_str().as_encoded_bytes() == ETC.as_bytes());
        let subvolumes = if own_etc { vec![ETC.to_owned()] } else { Vec::new() };
        Ok(Rules { host_paths, subvolumes, ..self.owner_rules()? })
    }

    /// Returns the rules for the whole tree as it was made: [`host_rules`](Self::host_rules), and
    /// what the image declared as persistent is the host's.
    pub fn rules(&self, config: &Config) -> Result<Rules, StateError> {
        let mut rules = self.host_rules(config)?;
        rules.host_paths.extend(self.persistent()?);
        Ok(rules)
    }

    /// Returns the rules for `/etc` alone: subvolumes inside it and configured paths are the
    /// host's.
    pub fn etc_rules(&self, config: &Config) -> Result<Rules, StateError> {
        let nested = self.nested()?.iter().map(|path| path.as_os_str().as_encoded_bytes().to_vec());
        let configured = config.host_paths.iter().cloned();
        let nested = nested.filter_map(|path| TreePathBuf::new(path).ok()).filter(|path| **path != *ETC);
        let host_paths = nested.chain(configured).collect();
        Ok(Rules { host_paths, ..self.owner_rules()? })
    }
}

/// Returns `paths` with those that they lead to in `tree`: `/lib64/x` is `usr/lib64/x` where
/// `/lib64` is a link. A link in a directory of the image's stays the image's itself.
fn with_destinations(tree: &Tree, paths: Vec<TreePathBuf>) -> Vec<TreePathBuf> {
    let mut all: Vec<TreePathBuf> = Vec::new();
    for path in paths {
        let at = destination(tree, &path);
        let of_image = places::innermost(&path).is_some_and(|place| place.owner == Owner::Image);
        if at == path || at.is_root() || !of_image {
            all.push(path.clone());
        }
        if at != path && !at.is_root() && !at.starts_with(ETC) {
            all.push(at);
        }
    }
    all.sort();
    all.dedup();
    all
}
