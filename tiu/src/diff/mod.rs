//! Diff: what differs between two images, in files and in packages. An image is a bundle, or what is in a snapshot.
//!
//! Files are compared by the indexes, so nothing but metadata is read: what two images *are*, as they were signed. Whether a snapshot still
//! is that, `verify` tells; what an administrator changed in `/etc`, `etc diff`. A snapshot without an index (made by hand, or by another
//! program) is read as it is, all but what belongs to the host, and that part is left out of the other side too.

mod dpkg;
mod error;
pub mod files;
mod package;
pub mod packages;
mod rpm;
mod side;

pub use error::DiffError;
pub use package::{Database, Manager, Package};
pub use side::{Side, SideFacts};

use files::FileChange;
use packages::PackageChanges;
use serde::Serialize;
use tiu_system::Hint;
use tiu_system::progress::Cancel;

/// What is compared.
#[derive(Clone, Copy, Debug)]
pub struct What {
    /// Files.
    pub files: bool,
    /// Packages.
    pub packages: bool,
}

/// What was found. The field names are those of `--json`.
#[derive(Debug, Serialize)]
pub struct Diff {
    /// The first.
    pub from: SideFacts,
    /// The second.
    pub to: SideFacts,
    /// Paths that differ, by path; null if they were not asked for.
    pub files: Option<Vec<FileChange>>,
    /// Packages that differ; null if they were not asked for, or could not be read.
    pub packages: Option<PackageChanges>,
    /// What the reader should know: why packages could not be read, for one.
    pub warnings: Vec<String>,
}

/// Compares two sides. Packages that cannot be read are an error only if nothing else was asked for.
pub fn diff(from: Side, to: Side, what: What, cancel: &Cancel) -> Result<Diff, DiffError> {
    let mut warnings: Vec<String> = Vec::new();
    let files = what.files.then(|| {
        let (labels, apart) =
            (from.is_signed() && to.is_signed(), [from.host_paths(), to.host_paths()].concat());
        files::compare(from.entries(&apart, labels), to.entries(&apart, labels))
    });
    let databases = match what.packages {
        false => None,
        true => match from
            .packages(cancel, &mut warnings)
            .and_then(|a| Ok((a, to.packages(cancel, &mut warnings)?)))
        {
            Ok(databases) => Some(databases),
            Err(DiffError::Cancelled) => return Err(DiffError::Cancelled),
            Err(error) if !what.files => return Err(error),
            Err(error) => {
                let hint = error.hint().map_or(String::new(), |hint| format!(" ({hint})"));
                warnings.push(format!("packages are not compared: {error}{hint}"));
                None
            }
        },
    };
    let (mut from, mut to) = (from.facts, to.facts);
    let packages = databases.map(|(a, b)| {
        from.packages = a.as_ref().map(|database| database.manager);
        to.packages = b.as_ref().map(|database| database.manager);
        packages::compare(a.as_ref(), b.as_ref())
    });
    Ok(Diff { from, to, files, packages, warnings })
}
