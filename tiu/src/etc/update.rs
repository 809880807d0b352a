//! The system whose `/etc` is updated, and the image that updates it.

use super::report::EtcReport;
use crate::config::Config;
use crate::incoming::IncomingImage;
use tiu_bundle::index::Index;
use tiu_extract::Rules;
use tiu_system::progress::Watch;
use tiu_system::tree::Tree;

/// The base image, as the system to be updated describes it. All parts are empty where none was
/// applied.
pub struct BaseImage<'a> {
    /// Version of the image.
    pub version: Option<&'a str>,
    /// The image's index.
    pub index: Option<&'a Index>,
    /// The map of the image's owners to the host's numbers.
    pub owners: Rules,
    /// The report of the last update on `/etc`.
    pub report: Option<&'a EtcReport>,
}

/// The system to be updated, and what it is updated with.
pub struct EtcUpdate<'a> {
    /// The host's configuration.
    pub config: &'a Config,
    /// The system's tree.
    pub tree: &'a Tree,
    /// The system's own image, as the system describes it.
    pub base: BaseImage<'a>,
    /// The image that comes.
    pub incoming: IncomingImage<'a>,
    /// The host's own paths.
    pub rules: &'a Rules,
    /// Receives progress, and stops the work.
    pub watch: Watch<'a>,
}
