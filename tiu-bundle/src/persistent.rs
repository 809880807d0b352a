//! Which paths an image may declare as persistent: directories outside of `/var` whose content is the host's and outlasts updates.
//!
//! The builder and the client ask the same question, so it is answered here. What is the image's cannot be declared, or a list could keep
//! updates away from programs; nor what no boot keeps; nor what is the host's anyway.

use tiu_system::Hint;

/// How many paths an image may declare.
pub const MAX_PATHS: usize = 100;

/// Directories that are the image's, or are merged by rules of their own.
const OF_IMAGE: [&str; 9] = ["bin", "boot", "etc", "lib", "lib32", "lib64", "libx32", "sbin", "usr"];
/// Directories that hold nothing from one boot to the next.
const FLEETING: [&str; 6] = ["dev", "lost+found", "proc", "run", "sys", "tmp"];
/// Directories that are the host's with all below them, whatever an image says.
const OF_HOST: [&str; 12] = [
    ".snapshots",
    "boot/efi",
    "boot/writable",
    "efi",
    "home",
    "media",
    "mnt",
    "opt",
    "root",
    "srv",
    "usr/local",
    "var",
];

/// A list that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PersistentError {
    /// Not a path that means the same to everybody.
    #[error("found {found:?}, expected an absolute path without `.`, `..`, `*` and control characters")]
    NotAPath {
        /// As it is there.
        found: String,
    },
    /// It is the image's.
    #[error("found {found:?}, but /{directory} is the image's")]
    OfImage {
        /// As it is there.
        found: String,
        /// Without a leading slash.
        directory: &'static str,
    },
    /// No boot keeps it.
    #[error("found {found:?}, but nothing in /{directory} outlasts a boot")]
    Fleeting {
        /// As it is there.
        found: String,
        /// Without a leading slash.
        directory: &'static str,
    },
    /// It is the host's already.
    #[error("found {found:?}, but /{directory} is the host's already, with all in it")]
    OfHost {
        /// As it is there.
        found: String,
        /// Without a leading slash.
        directory: &'static str,
    },
    /// It lies in another one, or is there twice.
    #[error("found {found:?} beside {other:?}, which holds it")]
    Inside {
        /// As it is there.
        found: String,
        /// The other one.
        other: String,
    },
    /// Too many.
    #[error("found {found} paths, expected at most {MAX_PATHS}")]
    TooMany {
        /// How many there are.
        found: usize,
    },
}

impl Hint for PersistentError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            PersistentError::NotAPath { .. } => "give the path of one directory, like /data".into(),
            PersistentError::OfImage { .. } => {
                "let programs keep their data in /var, or in a directory beside /usr and /etc, like /data"
                    .into()
            }
            PersistentError::Fleeting { .. } => {
                "choose a directory that a boot does not empty, like /data".into()
            }
            PersistentError::OfHost { directory, .. } => {
                format!("leave it away: every update leaves /{directory} alone")
            }
            PersistentError::Inside { .. } => {
                "leave it away: what holds it is persistent with all in it".into()
            }
            PersistentError::TooMany { .. } => "declare one directory that holds the others".into(),
        })
    }
}

/// The paths of `list` without leading slashes, sorted; none lies in another.
pub fn check(list: &[String]) -> Result<Vec<String>, PersistentError> {
    if list.len() > MAX_PATHS {
        return Err(PersistentError::TooMany { found: list.len() });
    }
    let mut paths: Vec<(String, &String)> = Vec::with_capacity(list.len());
    for found in list {
        let path = one(found)?;
        if let Some((_, other)) = paths.iter().find(|(other, _)| holds(other, &path) || holds(&path, other)) {
            // The one that is held is at fault, whichever comes first.
            let (found, other) = if found.len() < other.len() { (*other, found) } else { (found, *other) };
            return Err(PersistentError::Inside { found: found.clone(), other: other.clone() });
        }
        paths.push((path, found));
    }
    paths.sort();
    Ok(paths.into_iter().map(|(path, _)| path).collect())
}

fn one(found: &str) -> Result<String, PersistentError> {
    let parts: Vec<&str> = found.split('/').filter(|part| !part.is_empty()).collect();
    let odd = |part: &&str| matches!(*part, "." | "..") || part.chars().any(|c| c.is_control() || c == '*');
    if !found.starts_with('/') || parts.is_empty() || parts.iter().any(odd) {
        return Err(PersistentError::NotAPath { found: found.to_owned() });
    }
    let path = parts.join("/");
    let within = |list: &[&'static str]| list.iter().copied().find(|directory| holds(directory, &path));
    let found = || found.to_owned();
    // First, for some of it lies in what is the image's.
    if let Some(directory) = within(&OF_HOST) {
        return Err(PersistentError::OfHost { found: found(), directory });
    }
    if let Some(directory) = within(&OF_IMAGE) {
        return Err(PersistentError::OfImage { found: found(), directory });
    }
    match within(&FLEETING) {
        Some(directory) => Err(PersistentError::Fleeting { found: found(), directory }),
        None => Ok(path),
    }
}

/// Whether `path` is `directory` or lies in it.
fn holds(directory: &str, path: &str) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(paths: &[&str]) -> Result<Vec<String>, PersistentError> {
        check(&paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn good_lists() {
        assert_eq!(list(&[]), Ok(vec![]));
        assert_eq!(
            list(&["/export/home/", "//data", "/usr2/x y", "/database"]),
            Ok(["data", "database", "export/home", "usr2/x y"].map(str::to_owned).to_vec())
        );
        let many: Vec<String> = (0..MAX_PATHS).map(|i| format!("/data/{i}")).collect();
        assert_eq!(check(&many).map(|paths| paths.len()), Ok(MAX_PATHS));
    }

    #[test]
    fn relative_climbing_and_odd_paths() {
        for path in ["", "/", "//", "data", "./data", "/data/..", "/../etc", "/a/./b", "/d*", "/a\nb", "/a\0"]
        {
            assert!(
                matches!(list(&[path]), Err(PersistentError::NotAPath { found }) if found == path),
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
            let expected = PersistentError::OfImage { found: path.to_owned(), directory };
            assert_eq!(list(&["/data", path]), Err(expected));
        }
    }

    #[test]
    fn what_no_boot_keeps_and_what_is_the_hosts_already() {
        for path in ["/run/x", "/proc", "/dev/shm", "/tmp"] {
            assert!(matches!(list(&[path]), Err(PersistentError::Fleeting { .. })), "{path}");
        }
        for path in ["/var/lib/x", "/home", "/usr/local/bin", "/boot/efi", "/.snapshots/1"] {
            assert!(matches!(list(&[path]), Err(PersistentError::OfHost { .. })), "{path}");
        }
    }

    #[test]
    fn one_in_another_and_the_same_twice() {
        for paths in [["/data", "/data/x"], ["/data/x", "/data"]] {
            let expected = PersistentError::Inside { found: "/data/x".into(), other: "/data".into() };
            assert_eq!(list(&paths), Err(expected));
        }
        assert!(matches!(list(&["/data", "/data/"]), Err(PersistentError::Inside { .. })));
    }

    #[test]
    fn too_many() {
        let many: Vec<String> = (0..=MAX_PATHS).map(|i| format!("/data/{i}")).collect();
        assert_eq!(check(&many), Err(PersistentError::TooMany { found: MAX_PATHS + 1 }));
    }

    proptest::proptest! {
        #[test]
        fn what_passes_stays_in_the_tree_and_out_of_the_image(paths in proptest::collection::vec("/?(etc|usr|data|local|\\.\\.|\\PC|/){0,6}", 0..4)) {
            for path in check(&paths).unwrap_or_default() {
                proptest::prop_assert!(path.split('/').all(|part| !part.is_empty() && part != ".." && part != "."));
                proptest::prop_assert!(!OF_IMAGE.iter().any(|directory| holds(directory, &path)));
            }
        }
    }
}
