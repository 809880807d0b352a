//! The policy of an image: its persistent directories, and its lists about `/etc`.
//!
//! The builder writes it from the recipe to [`POLICY_PATH`], and the client reads it. It is YAML:
//!
//! ```yaml
//! version: 1
//! persistent:          # absolute paths of directories whose content is the host's
//! - /data
//! etc:                 # absolute paths in /etc, `*` is any run of characters except a slash
//!   always-image:
//!   - /etc/os-release
//!   always-host:
//!   - /etc/app/*.conf
//! ```
//!
//! Every key except `version` is optional. Unknown keys are ignored, so an older client can read
//! what a newer builder adds. A change that an older client would misread gets a new version.

mod persistent;

pub use persistent::{MAX_PERSISTENT_PATHS, PersistentListError, check_persistent};

use serde::{Deserialize, Serialize};
use tiu_system::path::{TreePath, TreePathBuf};
use tiu_system::text::printable;
use tiu_system::{hints, versioned};

/// The path of the policy in an image.
pub const POLICY_PATH: &TreePath = TreePath::literal("usr/lib/tiu/image.yaml");
/// Largest policy that is read, in bytes.
pub const MAX_POLICY_SIZE: usize = 1 << 20;
/// Version of the format.
const VERSION: u32 = 1;

/// A checked policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    persistent: Listed<TreePathBuf>,
    always_image: Listed<String>,
    always_host: Listed<String>,
}

/// A list as it was given, and as relative paths or patterns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Listed<T> {
    given: Vec<String>,
    paths: Vec<T>,
}

/// A policy that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // Fields without documentation are what their names say.
pub enum PolicyError {
    /// Not YAML, or a value of another type.
    #[error("/{POLICY_PATH} of the image: {0}")]
    Syntax(String),
    /// A newer format.
    #[error("/{POLICY_PATH} of the image has format {found}, this tiu reads up to {VERSION}")]
    Future { found: u32 },
    /// Larger than [`MAX_POLICY_SIZE`].
    #[error("/{POLICY_PATH} of the image has {found} bytes, expected at most {MAX_POLICY_SIZE}")]
    TooLarge {
        /// Size in bytes.
        found: usize,
    },
    /// The list of persistent directories cannot be used.
    #[error("/{POLICY_PATH} of the image: persistent: {0}")]
    Persistent(PersistentListError),
    /// A list about `/etc` names another path.
    #[error("/{POLICY_PATH} of the image: found {0}")]
    Etc(NotInEtc),
}

/// A path that is not in `/etc`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{found:?}, expected a path in /etc without `.` and `..`")]
#[non_exhaustive]
pub struct NotInEtc {
    /// The text of the list.
    pub found: String,
}

hints! { PolicyError {
    Future { .. } => "update tiu on this host first",
    Persistent(PersistentListError::TooMany { .. }) =>
        "ask the image's maker to correct `persistent` of its build recipe",
    Persistent(e) => {
        let why = e.hint().unwrap_or_default();
        format!("ask the image's maker to correct `persistent` of its build recipe: {why}")
    },
    Syntax(_) | TooLarge { .. } | Etc(_) =>
        "ask the image's maker to correct the etc lists of its build recipe",
} }

/// The document.
#[derive(Serialize, Deserialize)]
struct File {
    version: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    persistent: Vec<String>,
    #[serde(default, skip_serializing_if = "Etc::is_empty")]
    etc: Etc,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Etc {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    always_image: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    always_host: Vec<String>,
}

impl Etc {
    fn is_empty(&self) -> bool {
        self.always_image.is_empty() && self.always_host.is_empty()
    }
}

impl Policy {
    /// Returns the policy of these lists: directories whose content is the host's, and patterns of
    /// paths in `/etc` that are always the image's or always the host's.
    pub fn new(
        persistent: Vec<String>,
        always_image: Vec<String>,
        always_host: Vec<String>,
    ) -> Result<Policy, PolicyError> {
        let paths = check_persistent(&persistent).map_err(PolicyError::Persistent)?;
        Ok(Policy {
            persistent: Listed { given: persistent, paths },
            always_image: Listed::in_etc(always_image).map_err(PolicyError::Etc)?,
            always_host: Listed::in_etc(always_host).map_err(PolicyError::Etc)?,
        })
    }

    /// Reads the text of [`POLICY_PATH`]. An image without that file has no text, and an empty
    /// policy.
    pub fn parse(text: &str) -> Result<Policy, PolicyError> {
        if text.len() > MAX_POLICY_SIZE {
            return Err(PolicyError::TooLarge { found: text.len() });
        }
        if text.trim().is_empty() {
            return Ok(Policy::default());
        }
        let syntax = |e: serde_yaml::Error| PolicyError::Syntax(printable(&e.to_string()));
        let File { persistent, etc, .. } = versioned::from_yaml(text, VERSION)
            .map_err(|e| e.map(syntax, |found| PolicyError::Future { found }))?;
        Policy::new(persistent, etc.always_image, etc.always_host)
    }

    /// Returns the text of [`POLICY_PATH`], or `None` if the policy says nothing.
    pub fn to_text(&self) -> Option<String> {
        if *self == Policy::default() {
            return None;
        }
        let file = File {
            version: VERSION,
            persistent: self.persistent.given.clone(),
            etc: Etc {
                always_image: self.always_image.given.clone(),
                always_host: self.always_host.given.clone(),
            },
        };
        let head =
            "# The image's own policy, from its build recipe. Hosts add theirs in /etc/tiu/tiu.yaml.\n";
        // Lists of text can always be written.
        let text = serde_yaml::to_string(&file).ok()?;
        Some([head, &text].concat())
    }

    /// Returns the persistent directories, sorted; none lies in another.
    pub fn persistent(&self) -> &[TreePathBuf] {
        &self.persistent.paths
    }

    /// Returns the patterns that are always the image's, as relative paths.
    pub fn always_image(&self) -> &[String] {
        &self.always_image.paths
    }

    /// Returns the patterns that are always the host's, as relative paths.
    pub fn always_host(&self) -> &[String] {
        &self.always_host.paths
    }
}

impl Listed<String> {
    fn in_etc(given: Vec<String>) -> Result<Self, NotInEtc> {
        let paths = given.iter().map(|found| check_in_etc(found)).collect::<Result<_, _>>()?;
        Ok(Listed { given, paths })
    }
}

/// Returns the relative path of a pattern that names paths in `/etc`.
pub fn check_in_etc(found: &str) -> Result<String, NotInEtc> {
    let parts: Vec<&str> = found.split('/').filter(|part| !part.is_empty()).collect();
    let climbs = parts.iter().any(|part| matches!(*part, "." | ".."));
    match (found.starts_with('/'), parts.as_slice()) {
        (true, ["etc", _, ..]) if !climbs => Ok(parts.join("/")),
        _ => Err(NotInEtc { found: found.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tiu_system::Hint;
    use tiu_system::path::TreePath;

    fn list(paths: &[&str]) -> Vec<String> {
        paths.iter().map(|path| (*path).to_owned()).collect()
    }

    #[test]
    fn the_text_is_what_builders_have_always_written() {
        let policy =
            Policy::new(list(&["/data", "/export/x"]), list(&["/etc/a", "/etc//b.d/*.conf"]), vec![])
                .unwrap();
        assert_eq!(
            policy.to_text().unwrap(),
            "# The image's own policy, from its build recipe. Hosts add theirs in /etc/tiu/tiu.yaml.\n\
             version: 1\npersistent:\n- /data\n- /export/x\netc:\n  always-image:\n  - /etc/a\n  - /etc//b.d/*.conf\n"
        );
        let policy = Policy::new(list(&["/data"]), vec![], vec![]).unwrap();
        assert!(policy.to_text().unwrap().ends_with("version: 1\npersistent:\n- /data\n"));
        let policy = Policy::new(vec![], vec![], list(&["/etc/c"])).unwrap();
        assert!(policy.to_text().unwrap().ends_with("version: 1\netc:\n  always-host:\n  - /etc/c\n"));
        assert_eq!(Policy::default().to_text(), None);
    }

    #[test]
    fn paths_are_relative_and_without_empty_components() {
        let text = "version: 1\npersistent: [//data/]\netc: {always-image: [/etc//b.d/*.conf]}\nnew: 1\n";
        let policy = Policy::parse(text).unwrap();
        assert_eq!(policy.persistent(), [TreePath::literal("data").to_owned()]);
        assert_eq!(policy.always_image(), ["etc/b.d/*.conf"]);
        assert!(policy.always_host().is_empty());
    }

    #[test]
    fn no_text_and_no_lists_are_an_empty_policy() {
        for text in ["", "\n", "version: 1", "version: 1\netc: {}\npersistent: []\n", "version: 0"] {
            assert_eq!(Policy::parse(text), Ok(Policy::default()), "{text}");
        }
    }

    #[test]
    fn later_formats_are_not_read() {
        for text in ["version: 2", "version: 2\netc: 7"] {
            assert_eq!(Policy::parse(text), Err(PolicyError::Future { found: 2 }), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_policy() {
        for text in
            ["{", "etc: {}", "version: x", "- a", "7", "version: 1\netc: 7", "version: 1\npersistent: x"]
        {
            assert!(matches!(Policy::parse(text), Err(PolicyError::Syntax(_))), "{text}");
        }
    }

    #[test]
    fn lists_about_other_directories_than_etc() {
        for path in ["/usr/bin/sh", "etc/a", "/etc/../usr", "/etc/", "/etc/./a", "/etc", "/etcetera/a"] {
            for key in ["always-host", "always-image"] {
                let text = format!("version: 1\netc: {{{key}: [{path:?}]}}");
                let expected = PolicyError::Etc(NotInEtc { found: path.to_owned() });
                assert_eq!(Policy::parse(&text), Err(expected), "{path}");
            }
        }
    }

    #[test]
    fn persistent_directories_that_cannot_be() {
        let error = Policy::parse("version: 1\npersistent: [/usr/x]").unwrap_err();
        assert!(matches!(error, PolicyError::Persistent(PersistentListError::OfImage { .. })), "{error:?}");
        assert!(error.hint().unwrap().contains("build recipe: let programs"), "{:?}", error.hint());
    }

    #[test]
    fn too_large() {
        let text = format!("version: 1\n# {}", "x".repeat(MAX_POLICY_SIZE));
        assert_eq!(Policy::parse(&text), Err(PolicyError::TooLarge { found: text.len() }));
    }

    proptest! {
        #[test]
        fn reading_inverts_writing(
            data in prop::collection::btree_set("[^/\\pC*]{1,8}", 0..5),
            etc in prop::collection::vec("(/[^/\0]{1,6}){1,3}", 0..5),
            split in 0usize..5,
        ) {
            let persistent = data.iter().map(|name| format!("/srv2/{name}")).collect();
            let etc: Vec<String> = etc.iter().map(|path| format!("/etc{path}")).collect();
            let (image, host) = etc.split_at(split.min(etc.len()));
            let Ok(policy) = Policy::new(persistent, image.to_vec(), host.to_vec()) else { return Ok(()) };
            let text = policy.to_text().unwrap_or_default();
            prop_assert_eq!(Policy::parse(&text), Ok(policy));
        }

        #[test]
        fn any_text_is_read_or_refused(text: String) {
            let _ = Policy::parse(&text);
        }
    }
}
