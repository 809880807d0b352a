//! The system whose `/etc` is updated, and what it is updated with.

use super::report::EtcReport;
use crate::config::Config;
use crate::incoming::IncomingImage;
use tiu_bundle::index::Index;
use tiu_extract::Rules;
use tiu_system::progress::Watch;
use tiu_system::tree::Tree;

/// What the system to be updated says of its own image. All parts are empty where none was applied.
pub struct BaseImage<'a> {
    /// Version of the image.
    pub version: Option<&'a str>,
    /// The image's index.
    pub index: Option<&'a Index>,
    /// How the image's owners map to the host's numbers.
    pub owners: Rules,
    /// What became of `/etc` at the last update.
    pub report: Option<&'a EtcReport>,
}

/// The system to be updated, and what it is updated with.
pub struct EtcUpdate<'a> {
    /// The host's configuration.
    pub config: &'a Config,
    /// The system's tree.
    pub tree: &'a Tree,
    /// What the system says of its own image.
    pub base: BaseImage<'a>,
    /// The image that comes.
    pub incoming: IncomingImage<'a>,
    /// What is the host's.
    pub rules: &'a Rules,
    /// Receives progress, and stops the work.
    pub watch: Watch<'a>,
}
