//! The source of updates.

use super::error::UpdateError;
use crate::config::Config;
use crate::host::Host;
use std::ffi::OsStr;
use std::path::Path;
use tiu_source::{Location, Network};
use tiu_system::tree::{System, Tree};

/// A source of updates: a bundle, or a folder with bundles.
#[derive(Clone, Debug)]
pub struct UpdateSource {
    /// The place: a folder, a file, a device or a URL.
    pub location: Location,
    /// The text that named it, for messages.
    pub shown: String,
    /// The way to fetch it, if it is on a server.
    pub network: Network,
}

impl UpdateSource {
    /// Returns the source that the command line names. Standard input can be read only once, and is
    /// refused.
    pub fn given(location: &Location, network: Network) -> Result<Self, UpdateError> {
        if *location == Location::StandardInput {
            return Err(UpdateError::Source { found: "-".into() });
        }
        Ok(UpdateSource { location: location.clone(), shown: location.to_string(), network })
    }

    /// Returns the source that `update` of the configuration names. A path is one of the host;
    /// symbolic links are followed within it.
    pub fn configured(host: &Host, config: &Config, network: Network) -> Result<Self, UpdateError> {
        let text = config.update.clone().ok_or(UpdateError::NoSource)?;
        let given = Self::given(&Location::parse(OsStr::new(&text))?, network)?;
        let Location::Path(path) = &given.location else { return Ok(given) };
        if !path.has_root() {
            return Err(UpdateError::Source { found: text });
        }
        let tree = Tree::open(host.root())?;
        let inside = path.strip_prefix("/").unwrap_or(path);
        let real = System::new(&tree).real_path(inside).unwrap_or_else(|| inside.to_owned());
        let location = Location::Path(host.root().join(real));
        Ok(UpdateSource { location, shown: text, ..given })
    }

    /// Returns the folder, if it may be one.
    pub(super) fn path(&self) -> Option<&Path> {
        self.location.path()
    }
}
