//! Decides whether an image is for this host, by compatible, architecture, operating system and
//! version. A pure decision on facts.

use super::version::compare_versions;
use crate::incoming::floor::{Downgrade, Floor};
use crate::outcome::{NothingToDo, Outcome};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use time::OffsetDateTime;
use tiu_bundle::content_digest::Digest;
use tiu_bundle::manifest::Manifest;
use tiu_system::hints;
use tiu_system::os_release::OsRelease;

/// The identity of the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostIdentity {
    /// The kind of host: configured, else that of the base's image, else `IMAGE_ID` of its
    /// os-release.
    pub compatible: Option<String>,
    /// Architecture of the base's image, else of the running kernel.
    pub arch: String,
    /// `ID` of its os-release.
    pub os_id: Option<String>,
    /// Version of the base's image, else `IMAGE_VERSION` of its os-release. It is as good as the
    /// base: for what an image needs, not for what it must not be older than.
    pub version: Option<String>,
    /// Root hash of the base's image.
    pub image: Option<Digest>,
    /// The images that an image must not be older than.
    pub floors: Vec<Floor>,
    /// The oldest version that the host's configuration accepts.
    pub minimum: Option<String>,
    /// True if the signing time counts.
    pub by_signing_time: bool,
    /// The images that did not start on this host: root hash, time and reason.
    pub failed: BTreeMap<String, (String, String)>,
}

/// The exceptions that the administrator allows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Allowed {
    /// An older version than the base's.
    pub downgrade: bool,
    /// The image that the base already has, and one that did not start here.
    pub same: bool,
}

/// An image is not for this host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
#[non_exhaustive]
pub enum Mismatch {
    /// Another kind of host.
    #[error("the image is for hosts that are compatible with {found:?}, this one is {expected:?}")]
    Compatible { found: String, expected: String },
    /// The host does not say what it is.
    #[error(
        "the image is for hosts that are compatible with {found:?}, and this one does not say what it is"
    )]
    CompatibleUnknown { found: String },
    /// Another processor.
    #[error("the image is for {found}, this host is {expected}")]
    Arch { found: String, expected: String },
    /// Another distribution.
    #[error("the image's operating system is {found:?}, the host's is {expected:?}")]
    OsId { found: String, expected: String },
    /// Older than what the host has, or has had.
    #[error(transparent)]
    Downgrade(#[from] Downgrade),
    /// Older than what the host's configuration accepts.
    #[error("the image has version {found}, the host's configuration accepts {minimum} or later")]
    BelowMinimum { found: String, minimum: String },
    /// It was tried.
    #[error("version {version} did not work on this host ({when} UTC): {reason}")]
    Failed { version: String, when: String, reason: String },
    /// The host is too old for the image.
    #[error("the image needs a host of at least version {needed}, this one has {}", have.as_deref().unwrap_or("none that is known"))]
    MinVersion { needed: String, have: Option<String> },
}

hints! { Mismatch {
    Compatible { .. } | Arch { .. } | OsId { .. } => "take the bundle that was built for this host; \
        `compatible` in /etc/tiu/tiu.yaml says what this host is",
    CompatibleUnknown { found } => {
        format!("if the image is for this host, write `compatible: {found}` into its /etc/tiu/tiu.yaml")
    },
    Downgrade(_) => "go back with `tiu rollback` if that snapshot still exists, or apply the image with \
        --allow-downgrade",
    BelowMinimum { .. } => "take a later image; `min-version` in tiu.yaml says what is accepted",
    Failed { .. } => "wait for a later version; `tiu apply --force BUNDLE` tries this one again, and `tiu mark-good` \
        forgets the failure once it runs",
    MinVersion { needed, .. } => {
        format!("apply an image between the two first, of version {needed} or a little later")
    },
} }

impl HostIdentity {
    /// Returns the host's identity. `base` is the manifest of the base's image, `machine` the
    /// running kernel's architecture. Nothing is too old for it yet.
    pub fn new(configured: Option<&str>, base: Option<&Manifest>, os: &OsRelease, machine: &str) -> Self {
        let own = |of_image: Option<&str>, key: &str| of_image.or_else(|| os.get(key)).map(str::to_owned);
        HostIdentity {
            compatible: own(configured.or(base.map(|m| m.compatible.as_str())), "IMAGE_ID"),
            arch: base.map_or(machine, |m| &m.tiu.arch).to_owned(),
            os_id: os.get("ID").map(str::to_owned),
            version: own(base.map(|m| m.version.as_str()), "IMAGE_VERSION"),
            image: base.map(|m| m.verity_hash),
            floors: Vec::new(),
            minimum: None,
            by_signing_time: false,
            failed: BTreeMap::new(),
        }
    }

    /// Checks whether `manifest`, which was signed at the time `signed`, is for this host. There is
    /// nothing to do if the host has its image.
    pub fn accepts(
        &self,
        manifest: &Manifest,
        signed: Option<OffsetDateTime>,
        allowed: Allowed,
    ) -> Result<Outcome<()>, Mismatch> {
        let found = manifest.compatible.clone();
        match &self.compatible {
            None => return Err(Mismatch::CompatibleUnknown { found }),
            Some(expected) if *expected != found => {
                return Err(Mismatch::Compatible { found, expected: expected.clone() });
            }
            Some(_) => {}
        }
        if manifest.tiu.arch != self.arch {
            return Err(Mismatch::Arch { found: manifest.tiu.arch.clone(), expected: self.arch.clone() });
        }
        if let Some(expected) = self.os_id.as_ref().filter(|id| **id != manifest.tiu.os_id) {
            return Err(Mismatch::OsId { found: manifest.tiu.os_id.clone(), expected: expected.clone() });
        }
        if let Some(needed) = &manifest.tiu.min_version
            && self.version.as_ref().is_none_or(|have| compare_versions(have, needed) == Ordering::Less)
        {
            return Err(Mismatch::MinVersion { needed: needed.clone(), have: self.version.clone() });
        }
        if self.image == Some(manifest.verity_hash) && !allowed.same {
            let Manifest { compatible, version, .. } = manifest.clone();
            return Ok(Outcome::NothingToDo(NothingToDo::Installed { compatible, version }));
        }
        if let Some((when, reason)) =
            self.failed.get(&manifest.verity_hash.to_string()).filter(|_| !allowed.same)
        {
            let (when, reason) = (when.clone(), reason.clone());
            return Err(Mismatch::Failed { version: manifest.version.clone(), when, reason });
        }
        if let Some(minimum) = &self.minimum
            && compare_versions(&manifest.version, minimum) == Ordering::Less
        {
            return Err(Mismatch::BelowMinimum { found: manifest.version.clone(), minimum: minimum.clone() });
        }
        // The image that the host has is not older than itself, whatever the host had before.
        if self.image != Some(manifest.verity_hash) && !allowed.downgrade {
            let signed = signed.filter(|_| self.by_signing_time);
            self.floors.iter().try_for_each(|floor| floor.check(manifest, signed))?;
        }
        Ok(Outcome::Done(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incoming::floor::FloorSource;
    use tiu_bundle::manifest::Meta;
    use tiu_system::Hint;

    fn manifest(version: &str) -> Manifest {
        Manifest {
            compatible: "testos".into(),
            version: version.into(),
            description: None,
            build: None,
            verity_hash: Digest([version.len() as u8; 32]),
            verity_salt: [0; 32],
            verity_size: 4096,
            tiu: Meta {
                format: 1,
                arch: "x86_64".into(),
                os_id: "testos".into(),
                kernel: None,
                files: 1,
                size: 1,
                index_digest: Digest([0; 32]),
                created: "2024-01-01T00:00:00Z".into(),
                min_version: None,
            },
        }
    }

    fn host() -> HostIdentity {
        let base = manifest("2.0");
        let floors = vec![Floor::new(FloorSource::Base, &base, None)];
        let identity = HostIdentity::new(None, Some(&base), &OsRelease::parse("ID=testos\n"), "riscv64");
        HostIdentity { floors, ..identity }
    }

    #[test]
    fn a_newer_image_of_the_same_kind_is_accepted() {
        let accepted = host().accepts(&manifest("2.0.1"), None, Allowed::default()).unwrap();
        assert_eq!(accepted, Outcome::Done(()));
    }

    #[test]
    fn the_image_that_boots_next_leaves_nothing_to_do_unless_forced() {
        let mut same = manifest("2.0");
        same.verity_hash = Digest([3; 32]);
        let outcome = host().accepts(&same, None, Allowed::default()).unwrap();
        let why = NothingToDo::Installed { compatible: "testos".into(), version: "2.0".into() };
        assert_eq!(outcome, Outcome::NothingToDo(why));
        let forced = host().accepts(&same, None, Allowed { same: true, ..Allowed::default() }).unwrap();
        assert_eq!(forced, Outcome::Done(()));
    }

    #[test]
    fn each_mismatch_is_an_error_of_its_own() {
        let refused = |change: fn(&mut Manifest)| {
            let mut image = manifest("2.0.1");
            change(&mut image);
            host().accepts(&image, None, Allowed::default()).unwrap_err()
        };
        assert!(matches!(refused(|m| m.compatible = "other".into()), Mismatch::Compatible { .. }));
        assert!(matches!(refused(|m| m.tiu.arch = "aarch64".into()), Mismatch::Arch { .. }));
        assert!(matches!(refused(|m| m.tiu.os_id = "debian".into()), Mismatch::OsId { .. }));
        assert!(matches!(refused(|m| m.version = "1.9".into()), Mismatch::Downgrade(_)));
        assert!(matches!(refused(|m| m.tiu.min_version = Some("2.0.1".into())), Mismatch::MinVersion { .. }));
    }

    #[test]
    fn a_host_that_does_not_say_what_it_is_is_refused_with_what_to_write() {
        let host = HostIdentity::new(None, None, &OsRelease::default(), "x86_64");
        let error = host.accepts(&manifest("1"), None, Allowed::default()).unwrap_err();
        assert!(error.hint().unwrap().contains("compatible: testos"));
        let host = HostIdentity::new(Some("testos"), None, &OsRelease::default(), "x86_64");
        let accepted = host.accepts(&manifest("1"), None, Allowed::default()).unwrap();
        assert_eq!(accepted, Outcome::Done(()));
    }

    #[test]
    fn an_image_that_did_not_start_is_refused_unless_forced() {
        let image = manifest("2.0.1");
        let mut host = host();
        host.failed.insert(image.verity_hash.to_string(), ("yesterday".into(), "it hung".into()));
        let error = host.accepts(&image, None, Allowed::default()).unwrap_err();
        assert_eq!(error.to_string(), "version 2.0.1 did not work on this host (yesterday UTC): it hung");
        assert!(error.hint().unwrap().contains("--force"));
        let forced = Allowed { same: true, ..Allowed::default() };
        assert_eq!(host.accepts(&image, None, forced).unwrap(), Outcome::Done(()));
        // Another image of the same version is another one.
        let mut rebuilt = manifest("2.0.1");
        rebuilt.verity_hash = Digest([9; 32]);
        assert_eq!(host.accepts(&rebuilt, None, Allowed::default()).unwrap(), Outcome::Done(()));
    }

    #[test]
    fn an_unknown_version_is_below_every_floor() {
        let host = HostIdentity::new(Some("testos"), None, &OsRelease::default(), "x86_64");
        let mut image = manifest("5");
        image.tiu.min_version = Some("0.1".into());
        let error = host.accepts(&image, None, Allowed::default()).unwrap_err();
        assert_eq!(error, Mismatch::MinVersion { needed: "0.1".into(), have: None });
    }

    #[test]
    fn the_administrator_may_allow_a_downgrade_and_the_same_image() {
        assert_eq!(
            host().accepts(&manifest("1.0.1"), None, Allowed { downgrade: true, same: false }).unwrap(),
            Outcome::Done(())
        );
        assert_eq!(
            host().accepts(&manifest("2.0"), None, Allowed { downgrade: false, same: true }).unwrap(),
            Outcome::Done(())
        );
    }

    #[test]
    fn os_release_speaks_for_a_host_without_an_image() {
        let os = OsRelease::parse("ID=testos\nIMAGE_ID=testos\nIMAGE_VERSION=3\n");
        let host = HostIdentity::new(None, None, &os, "x86_64");
        assert_eq!((host.compatible.as_deref(), host.version.as_deref()), (Some("testos"), Some("3")));
    }

    #[test]
    fn a_minimum_version_holds_even_where_a_downgrade_is_allowed() {
        let host = HostIdentity { minimum: Some("2.1".into()), ..host() };
        let allowed = Allowed { downgrade: true, same: true };
        for old in ["2.0.1", "2.0"] {
            let error = host.accepts(&manifest(old), None, allowed).unwrap_err();
            assert_eq!(error, Mismatch::BelowMinimum { found: old.into(), minimum: "2.1".into() });
        }
        assert!(host.accepts(&manifest("2.1.00"), None, Allowed::default()).is_ok());
    }

    #[test]
    fn the_image_that_the_host_has_can_be_applied_again_below_what_it_had_before() {
        let mut host = host();
        host.floors.push(Floor::new(FloorSource::Memory, &manifest("5.0.0"), None));
        assert!(matches!(
            host.accepts(&manifest("2.0.0.1"), None, Allowed::default()),
            Err(Mismatch::Downgrade(_))
        ));
        let mut same = manifest("2.0");
        same.verity_hash = host.image.unwrap();
        let forced = Allowed { same: true, ..Allowed::default() };
        assert_eq!(host.accepts(&same, None, forced).unwrap(), Outcome::Done(()));
    }
}
