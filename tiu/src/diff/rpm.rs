//! Reads rpm's database. Its format is internal to rpm and differs between distributions (SQLite,
//! ndb, Berkeley DB), so rpm(8) reads it. It reads a private copy, because it takes locks and may
//! write even when it only queries.

use super::error::DiffError;
use super::package::Package;
use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;
use tiu_system::path::TreePath;
use tiu_system::program::{RPM, Run};
use tiu_system::progress::Cancel;

/// The possible directories of the database in a tree without `/var`: where distributions with
/// snapshots keep it, in the defaults for `/var`, or in `/var`.
pub const DIRECTORIES: [&TreePath; 3] = [
    TreePath::literal("usr/lib/sysimage/rpm"),
    TreePath::literal("usr/share/factory/var/lib/rpm"),
    TreePath::literal("var/lib/rpm"),
];
/// The file that makes a directory a database: of SQLite, of ndb, of Berkeley DB.
pub const DATABASES: [&str; 3] = ["rpmdb.sqlite", "Packages.db", "Packages"];
/// Further files that belong to the database.
pub const COMPANIONS: [&str; 2] = ["rpmdb.sqlite-wal", "Index.db"];
/// Largest file that is copied, in bytes.
const MAX_SIZE: u64 = 4 << 30;
/// The line that rpm prints for each package. `EPOCHNUM` is 0 if the package has no epoch.
const FORMAT: &str = r"%{NAME}\t%{EPOCHNUM}\t%{VERSION}\t%{RELEASE}\t%{ARCH}\n";

/// Returns the packages of a database. `files` are the names and contents of its files.
pub fn packages<'a>(
    files: impl Iterator<Item = (&'static str, Box<dyn Read + 'a>)>,
    cancel: &Cancel,
) -> Result<Vec<Package>, DiffError> {
    let copy = tempfile::tempdir().map_err(DiffError::Copy)?;
    for (name, content) in files {
        copy_file(content, &copy.path().join(name))?;
    }
    let output = Run::new(&RPM)
        .arg("--dbpath")
        .arg(copy.path())
        .args(["--query", "--all", "--queryformat", FORMAT])
        .limit(Duration::from_secs(300))
        .cancel(cancel)
        .output()
        .map_err(DiffError::Rpm)?;
    match parse(&output.stdout) {
        // rpm did not understand a database without packages.
        packages if packages.is_empty() => Err(DiffError::NoPackages { stderr: output.stderr }),
        packages => Ok(packages),
    }
}

fn copy_file(content: Box<dyn Read + '_>, path: &Path) -> Result<(), DiffError> {
    let mut file = std::fs::File::create_new(path).map_err(DiffError::Copy)?;
    let copied = std::io::copy(&mut content.take(MAX_SIZE), &mut file).map_err(DiffError::Copy)?;
    if copied == MAX_SIZE {
        return Err(DiffError::Copy(std::io::Error::other(format!("larger than {MAX_SIZE} bytes"))));
    }
    file.flush().map_err(DiffError::Copy)
}

/// Reads what rpm prints for [`FORMAT`]. Ignores other lines.
fn parse(text: &str) -> Vec<Package> {
    let line = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        let [name, epoch, version, release, arch] = fields[..] else { return None };
        let epoch = if epoch == "0" { String::new() } else { format!("{epoch}:") };
        (!name.is_empty()).then(|| Package {
            name: name.to_owned(),
            arch: arch.to_owned(),
            version: format!("{epoch}{version}-{release}"),
        })
    };
    text.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_packages() {
        let found = parse("bash\t0\t5.2\t1\tx86_64\nperl\t4\t5.36\t2.1\tnoarch\n\nwarning: x\na\tb\n");
        let shown: Vec<String> =
            found.iter().map(|p| format!("{} {} {}", p.name, p.arch, p.version)).collect();
        assert_eq!(shown, ["bash x86_64 5.2-1", "perl noarch 4:5.36-2.1"]);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read(text: String) {
            proptest::prop_assert!(parse(&text).len() <= text.lines().count());
        }

        #[test]
        fn what_was_printed_is_read(fields in proptest::collection::vec("[a-z0-9.+~^-]{1,6}", 5)) {
            let found = parse(&(fields.join("\t") + "\n"));
            proptest::prop_assert_eq!(found.len(), 1);
            proptest::prop_assert_eq!(&found[0].name, &fields[0]);
        }
    }
}
