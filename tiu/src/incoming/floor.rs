//! The limits below which an image is a downgrade.

use super::version::compare_versions;
use std::cmp::Ordering;
use std::fmt;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tiu_bundle::manifest::Manifest;

/// The origin of a floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FloorSource {
    /// The snapshot that the update starts from.
    Base,
    /// The host's memory.
    Memory,
}

/// An image that another one must not be older than. Of images of one version, the later one is
/// newer: many images take their version from an os-release that is the same for years.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Floor {
    /// Its origin.
    pub source: FloorSource,
    /// Its version.
    pub version: String,
    /// The time at which it was packed, if that is known.
    pub created: Option<OffsetDateTime>,
    /// The time at which it was signed, if that is known.
    pub signed: Option<OffsetDateTime>,
}

/// An image is older than what the host has, or has had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
#[non_exhaustive]
pub enum Downgrade {
    /// By its version.
    #[error("the image has version {found}, the host {by} {have}: that is a downgrade")]
    Version { found: String, by: FloorSource, have: String },
    /// By the time at which it was packed.
    #[error(
        "the image of version {version} was packed at {found}, the host {by} one of the same version that was \
         packed at {have}: that is a downgrade"
    )]
    Created { version: String, found: String, by: FloorSource, have: String },
    /// By the time at which it was signed.
    #[error(
        "the image was signed at {found}, the host {by} one that was signed at {have}: that is a downgrade"
    )]
    Signed { found: String, by: FloorSource, have: String },
}

impl fmt::Display for FloorSource {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            FloorSource::Base => "has",
            FloorSource::Memory => "has had",
        })
    }
}

impl Floor {
    /// Returns the floor that an image makes, which was signed at the time `signed`.
    pub fn new(source: FloorSource, manifest: &Manifest, signed: Option<OffsetDateTime>) -> Self {
        Floor {
            source,
            version: manifest.version.clone(),
            created: parse_time(&manifest.tiu.created),
            signed,
        }
    }

    /// Checks that an image is not older. `signed` is the time of its signature, if that counts.
    pub(super) fn check(&self, image: &Manifest, signed: Option<OffsetDateTime>) -> Result<(), Downgrade> {
        let by = self.source;
        let (version, have) = (image.version.clone(), self.version.clone());
        let order = compare_versions(&version, &have);
        if order == Ordering::Less {
            return Err(Downgrade::Version { found: version, by, have });
        }
        if let (Ordering::Equal, Some(found), Some(have)) =
            (order, parse_time(&image.tiu.created), self.created)
            && found < have
        {
            return Err(Downgrade::Created { version, found: text(found), by, have: text(have) });
        }
        match (signed, self.signed) {
            (Some(found), Some(have)) if found < have => {
                Err(Downgrade::Signed { found: text(found), by, have: text(have) })
            }
            _ => Ok(()),
        }
    }
}

/// Reads a time in RFC 3339.
pub fn parse_time(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok()
}

fn text(time: OffsetDateTime) -> String {
    time.format(&Rfc3339).unwrap_or_else(|_| time.to_string())
}
