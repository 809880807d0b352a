//! `tiu verify`: a snapshot against what was signed.

use super::global::GlobalArguments;
use super::host::Opened;
use super::record::{self, Facts};
use super::table::printable;
use std::collections::BTreeMap;
use tiu::accounts::AccountFile;
use tiu::host::Host;
use tiu::snapshots::{Snapshot, SnapshotError};
use tiu::verify::{self, Depth, EtcDifference, Verified, VerifyError};
use tiu_cli::{Outcome, ProgressMode, SecondSignal, cancel_on_signals, exit};
use tiu_system::path::TreePath;
use tiu_system::progress::{Unit, Watch};

/// Compare a snapshot with what was signed
///
/// Certificate, manifest, index, and every file's content, mode, owner and attributes are compared.
/// Changes in /etc are the administrator's. They are listed apart and are not a failure. Files that
/// were made on the host (the initrd) are not signed; they are compared with their digest of that
/// time.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  tiu verify                     verify what runs
  tiu verify 7                   verify snapshot 7
  tiu verify --root /mnt         verify what boots next of the host at /mnt

Ends with 1 if anything differs.")]
pub struct Arguments {
    /// Number of the snapshot [default: what runs; with --root, what boots next there]
    number: Option<u32>,
    /// Form of the progress on standard error
    #[arg(long, value_enum, value_name = "FORM", default_value_t)]
    progress: ProgressMode,
}

impl Arguments {
    pub fn run(self, global: &GlobalArguments) -> Outcome {
        let Opened { host, config, trust, .. } = global.host.open()?;
        let snapshot = self.snapshot(&host)?;
        let progress = tiu_cli::progress(self.progress);
        let cancel = cancel_on_signals(SecondSignal::Ends)?;
        let watch = Watch::new(&*progress, cancel);
        let verified = watch.phase("Verifying the snapshot", 0, Unit::Bytes, || {
            verify::verify(&host, &config, trust.as_ref(), &snapshot, Depth::Content, watch)
        })?;
        global.common.print(&verified, || human(&verified))?;
        match verified.differences.len() {
            0 => {
                let (number, image, signer) = (snapshot.number, &verified.image, &verified.signer);
                let message = format!(
                    "snapshot {number} is {} version {} as {} signed it",
                    image.compatible, image.version, signer.subject
                );
                let facts =
                    Facts { snapshot: Some(number), image: Some(image), signer: Some(signer), seconds: None };
                record::done("verify", &message, &facts);
                Ok(exit::DONE)
            }
            count => Err(VerifyError::Differs { number: snapshot.number, count }.into()),
        }
    }

    fn snapshot(&self, host: &Host) -> Result<Snapshot, SnapshotError> {
        match self.number {
            Some(number) => host.snapshot(number),
            None => match host.snapshots()?.into_iter().find(|s| s.active) {
                Some(running) if host.is_live() => Ok(running),
                _ => host.default_snapshot(),
            },
        }
    }
}

fn human(verified: &Verified) -> String {
    let image = &verified.image;
    let mut text = format!(
        "Snapshot {}: {} version {}, signed by {}\n",
        verified.snapshot,
        printable(&image.compatible),
        printable(&image.version),
        printable(&verified.signer.subject)
    );
    for difference in &verified.differences {
        text += &format!(
            "  DIFFERS  /{}: {}: found {}, expected {}\n",
            difference.path,
            difference.what,
            printable(&difference.found),
            printable(&difference.expected)
        );
    }
    // One line for each path is enough: the administrator knows their own changes.
    let mut etc: BTreeMap<(bool, &TreePath), Vec<&str>> = BTreeMap::new();
    for EtcDifference { difference, merged } in &verified.etc {
        etc.entry((*merged == Some(false), &difference.path)).or_default().push(difference.what);
    }
    for ((since, path), what) in &etc {
        let who = match (since, AccountFile::at(path.as_bytes())) {
            (true, _) => "changed since the update",
            (false, Some(_)) => "merged by entry",
            (false, None) => "modified by admin",
        };
        text += &format!("  {who}: /{path} ({})\n", what.join(", "));
    }
    for path in &verified.generated {
        text += &format!("  made on this host, not signed: /{path} (unchanged since)\n");
    }
    text += &match verified.differences.len() {
        0 => format!("All {} inodes are what was signed", verified.entries.saturating_sub(etc.len())),
        1 => "1 place differs from what was signed".into(),
        count => format!("{count} places differ from what was signed"),
    };
    text += &match etc.len() {
        0 => ".\n".to_owned(),
        count => format!("; {count} paths in /etc are the administrator's, or merged.\n"),
    };
    text
}
