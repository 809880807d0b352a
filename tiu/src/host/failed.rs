//! An image that did not start on a host.

use super::rfc3339;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::OffsetDateTime;

/// An image that did not start on this host, or that was marked as bad.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedImage {
    /// Kind of host that it is for.
    pub compatible: String,
    /// Its version.
    pub version: String,
    /// The reason, in words.
    pub reason: String,
    /// The number of boots that did not succeed, if the boot loader counted them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boots: Option<u32>,
    /// The time at which this was noticed.
    #[serde(with = "rfc3339")]
    pub when: OffsetDateTime,
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

impl FailedImage {
    /// Returns the note of an image that failed at the time `when`.
    pub fn new(
        compatible: &str,
        version: &str,
        reason: &str,
        boots: Option<u32>,
        when: OffsetDateTime,
    ) -> Self {
        let (compatible, version) = (compatible.to_owned(), version.to_owned());
        FailedImage { compatible, version, reason: reason.to_owned(), boots, when, unknown: Map::new() }
    }

    /// Returns the day and the minute, in UTC, at which it was noticed.
    pub fn minute(&self) -> String {
        let (date, time) = (self.when.date(), self.when.time());
        format!("{date} {:02}:{:02}", time.hour(), time.minute())
    }
}
