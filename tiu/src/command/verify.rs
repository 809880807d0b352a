//! `tiu verify`: compares a snapshot with what was signed.

use super::global::GlobalArguments;
use super::host::OpenedHost;
use super::record::{self, RecordFacts};
use super::table::printable;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tiu::accounts::AccountFile;
use tiu::config::Config;
use tiu::host::Host;
use tiu::snapshots::{Snapshot, SnapshotError};
use tiu::verify::{
    self, Depth, EtcDifference, InitrdSettings, NotCompared, NotComparedReason, Verified, VerifyError,
    VerifyRequest,
};
use tiu_bundle::trust::Trust;
use tiu_cli::{CommandResult, Failure, ProgressMode, SecondSignal, cancel_on_signals, exit};
use tiu_system::path::{TreePath, TreePathBuf};
use tiu_system::progress::{Unit, Watch};

/// Compare a snapshot with what was signed
///
/// Certificate, manifest, index, and every file's content, mode, owner and attributes are compared.
/// Changes in /etc are the administrator's. They are listed separately and are not a failure. The
/// initrd that was made on the host is not signed; it is compared with its recorded digest. What is
/// not compared is listed; in the image's directories that is a failure, regardless of what the
/// snapshot says.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  tiu verify                     verify what runs
  tiu verify 7                   verify snapshot 7
  tiu verify --since-seal        verify only what may have changed since the update
  tiu verify --root /mnt --config mine.yaml --keyring mine.pem
                                 verify what boots next of the host at /mnt, and read nothing of
                                 its own configuration

Ends with 1 if anything differs.")]
pub struct VerifyArguments {
    /// Number of the snapshot [default: what runs; with --root, what boots next there]
    number: Option<u32>,
    /// Configuration to use instead of the host's own, with --root; its paths of certificates are
    /// this system's
    #[arg(long, value_name = "FILE", requires = "root")]
    config: Option<PathBuf>,
    /// Path that need not be compared, or that was made on the host; can be given more than once
    #[arg(long, value_name = "PATH", value_parser = accepted_path)]
    accept: Vec<TreePathBuf>,
    /// Read only what changed since the update compared it, as far as btrfs proves the rest
    #[arg(long)]
    since_seal: bool,
    /// Also fail if /etc was changed since the update
    #[arg(long)]
    strict: bool,
    /// Form of the progress on standard error
    #[arg(long, value_enum, value_name = "FORM", default_value_t)]
    progress: ProgressMode,
}

impl VerifyArguments {
    pub fn run(self, global: &GlobalArguments) -> CommandResult {
        let (host, config, trust, is_auditors) = self.open(global)?;
        let snapshot = self.snapshot(&host)?;
        let progress = tiu_cli::progress(self.progress);
        let cancel = cancel_on_signals(SecondSignal::Ends)?;
        let watch = Watch::new(&*progress, cancel);
        let mut accepted = self.accept.clone();
        // The auditor's word counts everywhere, the host's own outside of the image's directories.
        let claimed = if is_auditors {
            accepted.extend(config.host_paths.iter().cloned());
            &[][..]
        } else {
            &config.host_paths[..]
        };
        // The running system can lie about itself anyway. A suspect below --root is not believed.
        let initrd = match (is_auditors, host.is_live()) {
            (true, _) => InitrdSettings::from_auditor(&config),
            (false, true) => InitrdSettings::from_running_system(&config),
            (false, false) => InitrdSettings::default(),
        };
        let depth = if self.since_seal { Depth::SinceSeal } else { Depth::Content };
        let request = VerifyRequest { depth, claimed, accepted: &accepted, initrd };
        let verified = watch.phase("Verifying the snapshot", 0, Unit::Bytes, || {
            verify::verify(&host, trust.as_ref(), &snapshot, &request, watch)
        })?;
        global.common.print(&verified, || human(&verified))?;
        match (verified.differences.len(), verified.changed_since().len()) {
            (0, count) if count > 0 && self.strict => {
                Err(VerifyError::EtcChanged { number: snapshot.number, count }.into())
            }
            (0, _) => {
                let (number, image, signer) = (snapshot.number, &verified.image, &verified.signer);
                let message = format!(
                    "snapshot {number} is {} version {} as {} signed it",
                    image.compatible, image.version, signer.subject
                );
                let facts = RecordFacts {
                    snapshot: Some(number),
                    image: Some(image),
                    signer: Some(signer),
                    seconds: None,
                };
                record::done("verify", &message, &facts);
                Ok(exit::DONE)
            }
            (count, _) => Err(VerifyError::Differs { number: snapshot.number, count }.into()),
        }
    }

    /// Returns the host, the configuration, which certificates to trust, and whether nothing of the
    /// host's own configuration was read.
    fn open(&self, global: &GlobalArguments) -> Result<(Host, Config, Option<Trust>, bool), Failure> {
        let arguments = &global.host;
        if arguments.root.is_none() || (self.config.is_none() && !arguments.has_keyring()) {
            let OpenedHost { host, config, trust, .. } = arguments.open()?;
            return Ok((host, config, trust, false));
        }
        let host = Host::open(arguments.root.as_deref())?;
        let config = self.config.as_deref().map_or_else(|| Ok(Config::default()), Config::load_file)?;
        let trust = arguments.trust(&config, Path::new("/"))?;
        Ok((host, config, trust, true))
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
    if let Some(time) = &verified.expired_since {
        text += &format!("  expired since {time}; the certificate was valid when the image was signed\n");
    }
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
        let who = match (since, AccountFile::from_path(path)) {
            (true, _) => "changed since the update",
            (false, Some(_)) => "merged by entry",
            (false, None) => "modified by admin",
        };
        text += &format!("  {who}: /{path} ({})\n", what.join(", "));
    }
    for path in &verified.generated {
        text += &format!("  made on this host, not signed: /{path} (unchanged since)\n");
    }
    for NotCompared { path, reason, entries } in &verified.not_compared {
        let reason = match reason {
            NotComparedReason::Table => "the host's own directory",
            NotComparedReason::Accepted => "accepted",
            NotComparedReason::Snapshot => "the host's own, as the snapshot says",
            NotComparedReason::Subvolume => "a subvolume of its own",
            NotComparedReason::Made => "made on this host, as tiu.yaml says",
        };
        let entries = match entries {
            0 => String::new(),
            1 => ", 1 entry of the image".to_owned(),
            count => format!(", {count} entries of the image"),
        };
        text += &format!("  not compared: /{path} ({reason}{entries})\n");
    }
    let mut notes = Vec::new();
    if !etc.is_empty() {
        notes.push(format!("{} paths in /etc are the administrator's, or merged", etc.len()));
    }
    if !verified.not_compared.is_empty() {
        notes.push(match verified.not_compared.len() {
            1 => "1 path was not compared".to_owned(),
            count => format!("{count} paths were not compared"),
        });
    }
    let result = match verified.differences.len() {
        0 if notes.is_empty() => format!("All {} inodes are what was signed", verified.compared),
        0 => format!("{} of {} inodes are what was signed", verified.unchanged(), verified.compared),
        1 => "1 place differs from what was signed".into(),
        count => format!("{count} places differ from what was signed"),
    };
    notes.insert(0, result);
    text + &notes.join("; ") + ".\n"
}

fn accepted_path(text: &str) -> Result<TreePathBuf, String> {
    match TreePath::parse_absolute(text) {
        Ok(path) if !path.is_root() => Ok(path.to_owned()),
        Ok(_) => Err("the root itself cannot be left out".into()),
        Err(e) => Err(e.to_string()),
    }
}
