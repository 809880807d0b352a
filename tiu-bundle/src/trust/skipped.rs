//! Files of a keyring directory that are not read.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use tiu_system::text::printable_path;

/// Ends of the names of files that are read.
pub(super) const EXTENSIONS: [&str; 5] = ["pem", "crt", "cer", "der", "crl"];
/// Most names that are shown.
const SHOWN_NAMES: usize = 5;

/// Entries of a directory that are not read, because their names are not those of certificates or
/// revocation lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedFiles {
    /// The directory.
    pub directory: PathBuf,
    /// The names of the entries, sorted.
    pub names: Vec<OsString>,
}

impl fmt::Display for SkippedFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> =
            self.names.iter().take(SHOWN_NAMES).map(|name| printable_path(Path::new(name))).collect();
        write!(
            f,
            "{} has {} files that are not read, because their names do not end in .{}: {}",
            printable_path(&self.directory),
            self.names.len(),
            EXTENSIONS.join(", ."),
            names.join(", ")
        )?;
        if self.names.len() > SHOWN_NAMES { f.write_str(", ...") } else { Ok(()) }
    }
}
