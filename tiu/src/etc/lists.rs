//! Paths of `/etc` that always are one side's, whatever changed: the host's configuration has such lists, and the image may bring more. The
//! host's count first.

use super::decision::Side;
use crate::config::{Config, matches};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tiu_system::Hint;

/// Where an image's lists lie, without the leading slash: `version`, then `etc` as in a build recipe.
pub const IMAGE_PATH: &str = "usr/lib/tiu/image.yaml";
/// Version of the format.
const VERSION: u32 = 1;

/// Patterns, without leading slashes; each stands for a path or a directory with all in it, and `*` for any run of characters but a slash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lists {
    /// Always the image's.
    pub image: Vec<String>,
    /// Always the host's.
    pub host: Vec<String>,
}

/// Lists of an image that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ListsError {
    /// No YAML, or not what it should be.
    #[error("/{IMAGE_PATH} of the image: {0}")]
    Syntax(serde_yaml::Error),
    /// A newer format.
    #[error("/{IMAGE_PATH} of the image has format {found}, this tiu reads up to {VERSION}")]
    Future {
        /// Format found.
        found: u32,
    },
    /// Not a path in `/etc`.
    #[error("/{IMAGE_PATH} of the image: found {found:?}, expected a path in /etc without `.` and `..`")]
    NotInEtc {
        /// As it is there.
        found: String,
    },
}

impl Hint for ListsError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            ListsError::Future { .. } => "update tiu on this host first".into(),
            _ => "ask the image's maker to correct the etc lists of its build recipe".into(),
        })
    }
}

impl Lists {
    /// The host's.
    pub fn of_host(config: &Config) -> Self {
        Lists { image: config.etc_always_image.clone(), host: config.etc_always_host.clone() }
    }

    /// Whose `path` is, by these lists.
    pub fn side(&self, path: &[u8]) -> Option<Side> {
        match () {
            () if listed(&self.image, path) => Some(Side::Image),
            () if listed(&self.host, path) => Some(Side::Host),
            () => None,
        }
    }

    /// Reads an image's; without any text there are none. Keys that are not known are passed over.
    pub fn of_image(text: &str) -> Result<Self, ListsError> {
        #[derive(Default, Deserialize)]
        struct File {
            #[serde(default)]
            etc: Etc,
        }
        #[derive(Default, Deserialize)]
        #[serde(rename_all = "kebab-case", default)]
        struct Etc {
            always_image: Vec<String>,
            always_host: Vec<String>,
        }
        let File { etc } = read_policy(text)?;
        Ok(Lists { image: relative(etc.always_image)?, host: relative(etc.always_host)? })
    }
}

/// Reads one part of what an image says to the client ([`IMAGE_PATH`]); without any text it says nothing.
pub(crate) fn read_policy<T: DeserializeOwned + Default>(text: &str) -> Result<T, ListsError> {
    #[derive(Deserialize)]
    struct Head {
        version: u32,
    }
    if text.trim().is_empty() {
        return Ok(T::default());
    }
    let Head { version } = serde_yaml::from_str(text).map_err(ListsError::Syntax)?;
    if version > VERSION {
        return Err(ListsError::Future { found: version });
    }
    serde_yaml::from_str(text).map_err(ListsError::Syntax)
}

fn relative(list: Vec<String>) -> Result<Vec<String>, ListsError> {
    let one = |found: String| {
        let parts: Vec<&str> = found.split('/').filter(|part| !part.is_empty()).collect();
        let climbs = parts.iter().any(|part| matches!(*part, "." | ".."));
        match (found.starts_with('/'), parts.as_slice()) {
            (true, ["etc", _, ..]) if !climbs => Ok(parts.join("/")),
            _ => Err(ListsError::NotInEtc { found }),
        }
    };
    list.into_iter().map(one).collect()
}

/// Whether one of `patterns` names `path` or a directory that it lies in.
fn listed(patterns: &[String], path: &[u8]) -> bool {
    let ends = path.iter().enumerate().filter(|(_, c)| **c == b'/').map(|(i, _)| i).chain([path.len()]);
    let prefixes: Vec<&[u8]> = ends.filter_map(|end| path.get(..end)).collect();
    patterns.iter().any(|pattern| prefixes.iter().any(|prefix| matches(pattern, prefix)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tiu_create_writes_is_read() {
        let text = "# x\nversion: 1\netc:\n  always-image:\n  - /etc/a\n  - /etc//b.d/*.conf\n  always-host: [/etc/c]\nnew: 1\n";
        let lists = Lists::of_image(text).unwrap();
        assert_eq!(lists.side(b"etc/a"), Some(Side::Image));
        assert_eq!(lists.side(b"etc/b.d/x.conf"), Some(Side::Image));
        assert_eq!(lists.side(b"etc/c/below"), Some(Side::Host));
        assert_eq!(lists.side(b"etc/cd"), None);
        assert_eq!(Lists::of_image("").unwrap(), Lists::default());
        assert_eq!(Lists::of_image("version: 1").unwrap(), Lists::default());
    }

    #[test]
    fn paths_elsewhere_later_formats_and_what_is_no_yaml_are_errors_of_their_own() {
        for path in ["/usr/bin/sh", "etc/a", "/etc/../usr", "/etc/", "/etc/./a", "/etc"] {
            let text = format!("version: 1\netc: {{always-host: [{path:?}]}}");
            assert!(
                matches!(Lists::of_image(&text), Err(ListsError::NotInEtc { found }) if found == path),
                "{path}"
            );
        }
        for text in ["version: 2", "version: 2\netc: 7"] {
            assert!(matches!(Lists::of_image(text), Err(ListsError::Future { found: 2 })), "{text}");
        }
        for text in ["{", "etc: {}", "version: x", "- a"] {
            assert!(matches!(Lists::of_image(text), Err(ListsError::Syntax(_))), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read(text: String, path: Vec<u8>) {
            if let Ok(lists) = Lists::of_image(&text) {
                lists.side(&path);
            }
        }
    }
}
