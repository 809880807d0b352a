//! Persistent directories: those outside of `/var` whose content an image leaves to the host.
//!
//! A directory of the image cannot be persistent: a list could otherwise exclude programs from
//! updates. A directory whose content does not survive a boot, or that already belongs to the host,
//! cannot be persistent either.

use crate::places::{self, Owner};
use tiu_system::hints;
use tiu_system::path::{TreePath, TreePathBuf};

/// Most persistent directories of an image.
pub const MAX_PERSISTENT_PATHS: usize = 100;

/// A list of persistent directories that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PersistentListError {
    /// Not a path that means the same to everybody.
    #[error("found {found:?}, expected an absolute path without `.`, `..`, `*` and control characters")]
    NotAPath {
        /// The text of the list.
        found: String,
    },
    /// The image's own directory.
    #[error("found {found:?}, but {} belongs to the image", directory.absolute())]
    OfImage {
        /// The text of the list.
        found: String,
        /// The image's directory.
        directory: &'static TreePath,
    },
    /// A directory that no boot keeps.
    #[error("found {found:?}, but the content of {} does not survive a boot", directory.absolute())]
    Fleeting {
        /// The text of the list.
        found: String,
        /// The directory that no boot keeps.
        directory: &'static TreePath,
    },
    /// The host's own directory.
    #[error("found {found:?}, but {} already belongs to the host, with everything in it", 
        directory.absolute())]
    OfHost {
        /// The text of the list.
        found: String,
        /// The host's directory.
        directory: &'static TreePath,
    },
    /// A directory in another one, or the same twice.
    #[error("found {found:?} in addition to {other:?}, which contains it")]
    Inside {
        /// The text of the list.
        found: String,
        /// The text of the other directory.
        other: String,
    },
    /// More than [`MAX_PERSISTENT_PATHS`].
    #[error("found {found} paths, expected at most {MAX_PERSISTENT_PATHS}")]
    TooMany {
        /// Length of the list.
        found: usize,
    },
}

hints! { PersistentListError {
    NotAPath { .. } => "give the path of one directory, like /data",
    OfImage { .. } => {
        "let programs keep their data in /var, or in a directory outside of /usr and /etc, like /data"
    },
    Fleeting { .. } => "choose a directory that a boot does not empty, like /data",
    OfHost { directory, .. } => format!("leave it out: no update changes {}", directory.absolute()),
    Inside { .. } => "leave it out: the directory that contains it is persistent with everything in it",
    TooMany { .. } => "declare one directory that holds the others",
} }

/// Returns the persistent directories of `list` as relative paths, sorted; none lies in another.
pub fn check_persistent(list: &[String]) -> Result<Vec<TreePathBuf>, PersistentListError> {
    if list.len() > MAX_PERSISTENT_PATHS {
        return Err(PersistentListError::TooMany { found: list.len() });
    }
    let mut paths: Vec<(TreePathBuf, &String)> = Vec::with_capacity(list.len());
    for found in list {
        let path = check_path(found)?;
        if let Some((_, other)) =
            paths.iter().find(|(other, _)| path.starts_with(other) || other.starts_with(&path))
        {
            // The one that is held is at fault, whichever comes first.
            let (found, other) = if found.len() < other.len() { (*other, found) } else { (found, *other) };
            return Err(PersistentListError::Inside { found: found.clone(), other: other.clone() });
        }
        paths.push((path, found));
    }
    paths.sort();
    Ok(paths.into_iter().map(|(path, _)| path).collect())
}

fn check_path(found: &str) -> Result<TreePathBuf, PersistentListError> {
    let parts: Vec<&str> = found.split('/').filter(|part| !part.is_empty()).collect();
    let odd = |c: char| c.is_control() || c == '*';
    let path = match TreePathBuf::new(parts.join("/")) {
        Ok(path) if found.starts_with('/') && !path.is_root() && !found.contains(odd) => path,
        _ => return Err(PersistentListError::NotAPath { found: found.to_owned() }),
    };
    let found = found.to_owned();
    match places::innermost(&path).map(|place| (place.owner, place.path)) {
        Some((Owner::Host, directory)) => Err(PersistentListError::OfHost { found, directory }),
        Some((Owner::Image | Owner::Merged, directory)) => {
            Err(PersistentListError::OfImage { found, directory })
        }
        Some((Owner::System | Owner::Filesystem, directory)) => {
            Err(PersistentListError::Fleeting { found, directory })
        }
        None => Ok(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(paths: &[&str]) -> Result<Vec<TreePathBuf>, PersistentListError> {
        check_persistent(&paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn good_lists() {
        assert_eq!(list(&[]), Ok(vec![]));
        assert_eq!(
            list(&["/export/home/", "//data", "/usr2/x y", "/database"]),
            Ok(["data", "database", "export/home", "usr2/x y"]
                .map(|path| TreePath::literal(path).to_owned())
                .to_vec())
        );
        let many: Vec<String> = (0..MAX_PERSISTENT_PATHS).map(|i| format!("/data/{i}")).collect();
        assert_eq!(check_persistent(&many).map(|paths| paths.len()), Ok(MAX_PERSISTENT_PATHS));
    }

    #[test]
    fn relative_climbing_and_odd_paths() {
        for path in ["", "/", "//", "data", "./data", "/data/..", "/../etc", "/a/./b", "/d*", "/a\nb", "/a\0"]
        {
            assert!(
                matches!(list(&[path]), Err(PersistentListError::NotAPath { found }) if found == path),
                "{path}"
            );
        }
    }

    #[test]
    fn what_is_the_images() {
        for (path, directory) in [
            ("/etc", "etc"),
            ("/usr/share/x", "usr"),
            ("/usr", "usr"),
            ("/boot", "boot"),
            ("/lib64/x", "lib64"),
        ] {
            let expected = PersistentListError::OfImage {
                found: path.to_owned(),
                directory: TreePath::literal(directory),
            };
            assert_eq!(list(&["/data", path]), Err(expected));
        }
    }

    #[test]
    fn what_no_boot_keeps_and_what_is_the_hosts_already() {
        for path in ["/run/x", "/proc", "/dev/shm", "/tmp"] {
            assert!(matches!(list(&[path]), Err(PersistentListError::Fleeting { .. })), "{path}");
        }
        for path in ["/var/lib/x", "/home", "/usr/local/bin", "/boot/efi", "/.snapshots/1"] {
            assert!(matches!(list(&[path]), Err(PersistentListError::OfHost { .. })), "{path}");
        }
    }

    #[test]
    fn one_in_another_and_the_same_twice() {
        for paths in [["/data", "/data/x"], ["/data/x", "/data"]] {
            let expected = PersistentListError::Inside { found: "/data/x".into(), other: "/data".into() };
            assert_eq!(list(&paths), Err(expected));
        }
        assert!(matches!(list(&["/data", "/data/"]), Err(PersistentListError::Inside { .. })));
    }

    #[test]
    fn too_many() {
        let many: Vec<String> = (0..=MAX_PERSISTENT_PATHS).map(|i| format!("/data/{i}")).collect();
        assert_eq!(
            check_persistent(&many),
            Err(PersistentListError::TooMany { found: MAX_PERSISTENT_PATHS + 1 })
        );
    }

    proptest::proptest! {
        #[test]
        fn what_passes_stays_in_the_tree_and_out_of_the_image(paths in proptest::collection::vec("/?(etc|usr|data|local|\\.\\.|\\PC|/){0,6}", 0..4)) {
            for path in check_persistent(&paths).unwrap_or_default() {
                proptest::prop_assert!(!path.is_root());
                proptest::prop_assert_eq!(places::innermost(&path), None);
            }
        }
    }
}
