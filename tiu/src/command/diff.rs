//! `tiu diff`: shows the differences between two images.

use super::global::GlobalArguments;
use super::host::NoKeyring;
use super::table::{columns, printable};
use std::str::FromStr;
use tiu::diff::PackageChanges;
use tiu::diff::{self, Diff, DiffSide, Parts, SideFacts};
use tiu::diff::{ChangeKind, FileChange, FileFacts};
use tiu::host::Host;
use tiu_cli::{CommandResult, Failure, ProgressMode, SecondSignal, cancel_on_signals, exit};
use tiu_source::{Location, LocationError, Network};
use tiu_system::progress::{Unit, Watch};

/// Show the differences between two images: files and packages
///
/// Each side is a bundle or a snapshot. Files are compared by the signed indexes: content, size,
/// type, target, mode, owner and attributes, not times. `tiu verify` shows whether a snapshot is
/// still what was signed. A snapshot that tiu did not make is read as it is, without the
/// directories of the host (/var, /home, mount points).
#[derive(clap::Args)]
#[command(after_help = "Examples:
  tiu diff 3 4                             compare two snapshots
  tiu diff 4 system-5.tiu --packages       show what an update would bring
  tiu diff --keyring ca.cert.pem system-4.tiu system-5.tiu

A marks files that only the second has, D files that only the first has, M files that differ.
Ends with 0 whether or not anything differs.")]
pub struct DiffArguments {
    /// Number of a snapshot, or path or URL of a bundle (./7 is a file)
    #[arg(value_name = "A")]
    from: Operand,
    /// Number of a snapshot, or path or URL of a bundle, to compare it with
    #[arg(value_name = "B")]
    to: Operand,
    /// Compare files only
    #[arg(long)]
    files: bool,
    /// Compare packages only: those of dpkg, or of rpm, which must then be installed here
    #[arg(long)]
    packages: bool,
    /// Form of the progress on standard error
    #[arg(long, value_enum, value_name = "FORM", default_value_t)]
    progress: ProgressMode,
}

/// One side of the comparison.
#[derive(Clone, Debug)]
enum Operand {
    Snapshot(u32),
    Bundle(Location),
}

impl FromStr for Operand {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Self, LocationError> {
        match text.parse() {
            Ok(number) => Ok(Operand::Snapshot(number)),
            Err(_) => Location::parse(text.as_ref()).map(Operand::Bundle),
        }
    }
}

impl DiffArguments {
    pub fn run(self, global: &GlobalArguments) -> CommandResult {
        // Two bundles can be compared anywhere: only a snapshot needs a host.
        let root = global.host.root.clone().unwrap_or_else(|| "/".into());
        let (config, trust) = global.host.settings(&root)?;
        let progress = tiu_cli::progress(self.progress);
        let cancel = cancel_on_signals(SecondSignal::Ends)?;
        let side = |operand: &Operand| -> Result<DiffSide, Failure> {
            match operand {
                Operand::Snapshot(number) => {
                    let host = Host::open(Some(&root))?;
                    let snapshot = host.snapshot(*number)?;
                    let watch = Watch::new(&*progress, cancel);
                    let step = format!("Reading snapshot {number}");
                    Ok(watch.phase(&step, 0, Unit::Bytes, || {
                        DiffSide::snapshot(&host, &config, trust.as_ref(), &snapshot, watch)
                    })?)
                }
                Operand::Bundle(location) => {
                    let trust = trust.as_ref().ok_or(NoKeyring)?;
                    let network = Network { cancel: Some(cancel), ..Network::default() };
                    Ok(DiffSide::bundle(location, &network, trust, config.verity)?)
                }
            }
        };
        let (from, to) = (side(&self.from)?, side(&self.to)?);
        let both = self.files == self.packages;
        let what = Parts { files: self.files || both, packages: self.packages || both };
        let diff = diff::diff(from, to, what, cancel)?;
        global.common.print(&diff, || human(&diff))?;
        Ok(exit::DONE)
    }
}

fn human(diff: &Diff) -> String {
    let mut text = columns(&[title("A", &diff.from), title("B", &diff.to)], "");
    if let Some(packages) = &diff.packages {
        text += &packages_text(packages, diff);
    }
    if let Some(files) = &diff.files {
        text += &files_text(files);
    }
    for warning in &diff.warnings {
        text += &format!("warning: {}\n", printable(warning));
    }
    text
}

fn title(label: &str, side: &SideFacts) -> Vec<String> {
    let what = match (&side.bundle, side.snapshot) {
        (_, Some(number)) => format!("snapshot {number}"),
        (path, None) => path.clone().unwrap_or_default(),
    };
    let image = match &side.image {
        Some(image) => format!("{} version {}", image.compatible, image.version),
        None => "not made by tiu: read as it is".into(),
    };
    let signer = match (&side.image, &side.signer) {
        (None, _) => String::new(),
        (_, Some(signer)) => format!("signed by {}", signer.subject),
        (_, None) => "signature NOT checked or not trusted".into(),
    };
    [label.into(), what, image, signer].iter().map(|cell: &String| printable(cell)).collect()
}

fn packages_text(packages: &PackageChanges, diff: &Diff) -> String {
    if diff.from.packages.is_none() && diff.to.packages.is_none() {
        return "\nPackages: no database of dpkg or rpm on either side\n".into();
    }
    let PackageChanges { upgraded, downgraded, added, removed } = packages;
    let mut rows = Vec::new();
    for (word, list) in [("upgraded", upgraded), ("DOWNGRADED", downgraded)] {
        let row =
            |c: &diff::ChangedPackage| [word, &c.name, &c.arch, &c.from, "->", &c.to].map(printable).to_vec();
        rows.extend(list.iter().map(row));
    }
    for (word, list) in [("added", added), ("removed", removed)] {
        let row = |p: &diff::Package| [word, &p.name, &p.arch, &p.version].map(printable).to_vec();
        rows.extend(list.iter().map(row));
    }
    let heading = format!(
        "\nPackages: {} upgraded, {} downgraded, {} added, {} removed\n",
        upgraded.len(),
        downgraded.len(),
        added.len(),
        removed.len()
    );
    heading + &columns(&rows, "  ")
}

fn files_text(files: &[FileChange]) -> String {
    let count = |change: ChangeKind| files.iter().filter(|file| file.change == change).count();
    let mut text = format!(
        "\nFiles: {} added, {} removed, {} modified\n",
        count(ChangeKind::Added),
        count(ChangeKind::Removed),
        count(ChangeKind::Modified)
    );
    for file in files {
        text += &match (file.change, &file.from, &file.to) {
            (ChangeKind::Modified, Some(from), Some(to)) => {
                let what: Vec<String> = file.what.iter().map(|what| detail(what, from, to)).collect();
                format!("  M  /{} ({})\n", file.path, what.join(", "))
            }
            (ChangeKind::Removed, ..) => format!("  D  /{}\n", file.path),
            _ => format!("  A  /{}\n", file.path),
        };
    }
    text
}

/// Returns a way in which two inodes differ, with both values where people can read them.
fn detail(what: &str, from: &FileFacts, to: &FileFacts) -> String {
    let both = |a: &dyn std::fmt::Display, b: &dyn std::fmt::Display| format!("{what} {a} -> {b}");
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    match what {
        "type" => both(&from.kind, &to.kind),
        "size" => both(&from.size.unwrap_or_default(), &to.size.unwrap_or_default()),
        "target" => both(&text(&from.target), &text(&to.target)),
        "rdev" => both(&text(&from.rdev), &text(&to.rdev)),
        "mode" => both(&from.mode, &to.mode),
        "owner" => both(&format!("{}:{}", from.uid, from.gid), &format!("{}:{}", to.uid, to.gid)),
        other => other.to_owned(),
    }
}
