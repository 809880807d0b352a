//! Diff: compares two images, their files and their packages. An image is a bundle, or what a
//! snapshot contains.
//!
//! Files are compared by the indexes, so only metadata is read: what the two images *are*, as they
//! were signed. `verify` checks whether a snapshot still is what was signed, and `etc diff` shows
//! what an administrator changed in `/etc`. A snapshot without an index (made by hand, or by
//! another program) is read as it is, except for what belongs to the host; the comparison leaves
//! that part out of the other side too.
//!
//! ```text
//! side       a bundle or a snapshot, as a side of the comparison
//! files      compares two lists of index entries
//! package    installed packages; packages: compares two databases
//! dpkg, rpm  read the databases
//! ```

mod dpkg;
mod error;
mod files;
mod package;
mod packages;
mod rpm;
mod side;

pub use error::DiffError;
pub use files::{ChangeKind, FileChange, FileFacts};
pub use package::{Package, PackageDatabase, PackageManager};
pub use packages::{ChangedPackage, PackageChanges};
pub use side::{DiffSide, SideFacts};

use serde::Serialize;
use tiu_system::Hint;
use tiu_system::progress::Cancel;

/// The parts that are compared.
#[derive(Clone, Copy, Debug)]
pub struct Parts {
    /// Files.
    pub files: bool,
    /// Packages.
    pub packages: bool,
}

/// The differences. The field names are those of `--json`.
#[derive(Debug, Serialize)]
pub struct Diff {
    /// The first.
    pub from: SideFacts,
    /// The second.
    pub to: SideFacts,
    /// Paths that differ, by path; null if files were not compared.
    pub files: Option<Vec<FileChange>>,
    /// Packages that differ; null if packages were not compared or could not be read.
    pub packages: Option<PackageChanges>,
    /// Warnings for the reader, for example why packages could not be read.
    pub warnings: Vec<String>,
}

/// Compares two sides. Packages that cannot be read are an error only if nothing else is compared.
pub fn diff(from: DiffSide, to: DiffSide, parts: Parts, cancel: &Cancel) -> Result<Diff, DiffError> {
    let mut warnings: Vec<String> = Vec::new();
    let files = parts.files.then(|| {
        let (labels, apart) =
            (from.is_signed() && to.is_signed(), [from.host_paths(), to.host_paths()].concat());
        files::compare(from.entries(&apart, labels), to.entries(&apart, labels))
    });
    let databases = if parts.packages {
        match both_databases(&from, &to, cancel, &mut warnings) {
            Ok(databases) => Some(databases),
            Err(error) if error.is_cancelled() || !parts.files => return Err(error),
            Err(error) => {
                let hint = error.hint().map_or(String::new(), |hint| format!(" ({hint})"));
                warnings.push(format!("packages are not compared: {error}{hint}"));
                None
            }
        }
    } else {
        None
    };
    let (mut from, mut to) = (from.facts, to.facts);
    let packages = databases.map(|(a, b)| {
        from.packages = a.as_ref().map(|database| database.manager);
        to.packages = b.as_ref().map(|database| database.manager);
        packages::compare(a.as_ref(), b.as_ref())
    });
    Ok(Diff { from, to, files, packages, warnings })
}

/// Reads the package databases of both sides.
fn both_databases(
    from: &DiffSide,
    to: &DiffSide,
    cancel: &Cancel,
    warnings: &mut Vec<String>,
) -> Result<(Option<PackageDatabase>, Option<PackageDatabase>), DiffError> {
    Ok((from.packages(cancel, warnings)?, to.packages(cancel, warnings)?))
}
