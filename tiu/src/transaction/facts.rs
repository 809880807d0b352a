//! The facts about an update, planned or done. Their names are those of `--json`.

use super::foreign::Foreign;
use super::preflight::Ready;
use crate::accounts::Note;
use crate::etc::EtcReport;
use crate::host::NotInstalled;
use crate::host::persistent::Persistent;
use crate::status::{ImageFacts, SignerFacts};
use serde::{Serialize, Serializer};
use std::io::{self, Write};
use std::time::Duration;
use tiu_bundle::read_at::FetchCost;
use tiu_extract::{Plan, Summary};
use tiu_system::path::{TreePath, TreePathBuf, plain};

/// The effects of an update on a host.
#[derive(Debug, Serialize)]
pub struct UpdateFacts {
    /// The snapshot that the new one is made from.
    pub base: u32,
    /// The image.
    pub image: ImageFacts,
    /// The image's signer.
    pub signer: SignerFacts,
    /// The work of the engine.
    pub summary: Summary,
    /// The plan for `/etc`.
    #[serde(flatten, serialize_with = "etc_facts")]
    pub etc: EtcReport,
    /// Directories outside `/var` whose content is the host's.
    pub persistent: Vec<Persistent>,
    /// Parts of the image that are not installed, because they lie where the host's paths are.
    pub not_installed: Vec<NotInstalled>,
    /// The files that no image brought, and that will not be in the new snapshot.
    pub foreign: Foreign,
    /// Warnings for the administrator.
    pub warnings: Vec<String>,
}

impl UpdateFacts {
    pub(super) fn new(ready: Ready, summary: Summary, etc: EtcReport, foreign: Foreign) -> Self {
        UpdateFacts {
            base: ready.base.number,
            image: (&ready.bundle.manifest).into(),
            signer: (&ready.bundle.signer).into(),
            summary,
            etc,
            persistent: ready.persistent.paths,
            not_installed: ready.not_installed,
            foreign,
            warnings: ready.warnings,
        }
    }
}

/// The report as the paths that are shown, and the accounts.
fn etc_facts<S: Serializer>(etc: &EtcReport, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct EtcFacts<'a> {
        etc_kept: Vec<&'a TreePath>,
        etc_conflicts: Vec<&'a TreePath>,
        accounts: &'a [Note],
    }
    let facts = EtcFacts {
        etc_kept: etc.hosts().map(|decided| &*decided.path).collect(),
        etc_conflicts: etc.conflicts().map(|decided| &*decided.path).collect(),
        accounts: &etc.accounts,
    };
    facts.serialize(serializer)
}

/// An update that was carried out.
#[derive(Debug, Serialize)]
pub struct Applied {
    /// The new snapshot, which boots next.
    pub snapshot: u32,
    /// The effects.
    #[serde(flatten)]
    pub facts: UpdateFacts,
    /// Paths that were made on the host.
    #[serde(with = "plain::list")]
    pub generated: Vec<TreePathBuf>,
    /// Unfinished snapshots of earlier runs that were removed.
    pub removed: Vec<u32>,
    /// The duration; in JSON in seconds.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub took: Duration,
}

fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

/// An update that was planned and not carried out.
#[derive(Debug, Serialize)]
pub struct Planned {
    /// Always true: tells the document from that of an update that was carried out.
    dry_run: bool,
    /// The content that would be fetched; null if the bundle is not on a server.
    pub download: Option<FetchCost>,
    /// The effects.
    #[serde(flatten)]
    pub facts: UpdateFacts,
    /// The plan as text.
    #[serde(skip)]
    text: Vec<u8>,
}

impl Planned {
    pub(super) fn new(ready: Ready, plan: &Plan, foreign: Foreign) -> io::Result<Self> {
        let mut text = Vec::new();
        ready.describe(&mut text)?;
        let download = ready.image.cost(&plan.files_from_image(&ready.index));
        if let Some(FetchCost { bytes, requests }) = download {
            let bytes = tiu_system::text::bytes(bytes);
            writeln!(text, "{:<9} {bytes} of content in {requests} requests", "download")?;
        }
        ready.etc.report.describe(&mut text)?;
        plan.describe(&ready.index, &mut text)?;
        let (summary, etc) = (plan.summary(), ready.etc.report.clone());
        Ok(Planned { dry_run: true, download, facts: UpdateFacts::new(ready, summary, etc, foreign), text })
    }

    /// Returns the plan as text, one line for each step.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.text).into_owned()
    }
}
