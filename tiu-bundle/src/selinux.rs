//! SELinux in an image: its policy, and the entries that need a label.
//!
//! The builder warns about entries without a label, and the client does not apply such an image to
//! a host that uses SELinux. Both use this module.
//!
//! ```
//! use tiu_bundle::selinux::SelinuxPolicy;
//!
//! let policy = SelinuxPolicy::from_config("SELINUX=enforcing\nSELINUXTYPE=default\n").unwrap();
//! assert_eq!(policy.contexts(), "etc/selinux/default/contexts/files/file_contexts");
//! assert_eq!(SelinuxPolicy::from_config("SELINUX=disabled\n"), None);
//! ```

use crate::index::Entry;
use crate::places::{self, Owner};
use tiu_system::path::{TreePath, TreePathBuf};

/// Name of the extended attribute that holds a label.
pub const LABEL: &str = "security.selinux";
/// The configuration of SELinux.
pub const CONFIG_PATH: &str = "etc/selinux/config";
/// The policy that counts if the configuration names none.
const DEFAULT: &str = "targeted";
/// The type that SELinux shows for what has no label. A tree that was made on a system with SELinux
/// can hold it as if it were one.
const NO_LABEL: &[u8] = b"unlabeled_t";

/// The policy that a system loads at boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelinuxPolicy {
    name: String,
}

impl SelinuxPolicy {
    /// Reads `/etc/selinux/config` as libselinux does. Returns `None` if SELinux is disabled there,
    /// or if the text is empty.
    pub fn from_config(text: &str) -> Option<Self> {
        // The first mode that is known counts, without white space before the key.
        let mode = text.lines().find_map(|line| {
            let value = line.strip_prefix("SELINUX=")?.trim_start().to_ascii_lowercase();
            ["enforcing", "permissive", "disabled"].into_iter().find(|mode| value.starts_with(mode))
        });
        // Without a mode, libselinux loads the policy, too.
        if text.trim().is_empty() || mode == Some("disabled") {
            return None;
        }
        let names = text.lines().filter_map(|line| line.trim_start().strip_prefix("SELINUXTYPE="));
        let name = names.map(str::trim).rfind(|name| !name.is_empty() && !name.contains('/'));
        Some(SelinuxPolicy { name: name.unwrap_or(DEFAULT).to_owned() })
    }

    /// Returns its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the path of the file that says which path has which label.
    pub fn contexts(&self) -> String {
        format!("etc/selinux/{}/contexts/files/file_contexts", self.name)
    }

    /// Returns the path of the list of types that an administrator may have set by hand.
    pub fn customizable(&self) -> String {
        format!("etc/selinux/{}/contexts/customizable_types", self.name)
    }
}

/// Returns the type in a label (`USER:ROLE:TYPE`, mostly with `:RANGE`). Returns `None` for what is
/// not a label, and for the type that SELinux shows where there is none.
pub fn label_type(label: &[u8]) -> Option<&[u8]> {
    // libselinux writes a NUL at the end.
    let text = label.strip_suffix(b"\0").unwrap_or(label);
    let mut parts = text.splitn(4, |c| *c == b':');
    let [Some(user), Some(role), Some(kind)] = [parts.next(), parts.next(), parts.next()] else {
        return None;
    };
    let whole = text.iter().all(u8::is_ascii_graphic) && !user.is_empty() && !role.is_empty();
    (whole && !kind.is_empty() && kind != NO_LABEL).then_some(kind)
}

/// Returns the label among extended attributes, given as names and values.
pub fn label<'a>(mut xattrs: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Option<&'a [u8]> {
    let (_, label) = xattrs.find(|(name, _)| *name == LABEL.as_bytes())?;
    label_type(label).map(|_| label)
}

/// Returns the label of an entry of an index.
pub fn label_of<'a>(entry: &'a Entry) -> Option<&'a [u8]> {
    label(entry.xattrs.iter().map(|(name, value)| (&**name, &**value)))
}

/// The entries of an image that need a label and have none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unlabelled {
    /// Number of entries.
    pub entries: u64,
    /// The first one.
    pub first: TreePathBuf,
}

/// Counts the entries of an image, given as path and whether it has a label, that need one and have
/// none.
pub fn unlabelled<P: AsRef<TreePath>>(entries: impl Iterator<Item = (P, bool)>) -> Option<Unlabelled> {
    let mut missing = entries.filter(|(path, labelled)| !labelled && needs_label(path.as_ref()));
    let (first, _) = missing.next()?;
    let first = first.as_ref().to_owned();
    Some(Unlabelled { entries: 1 + missing.count() as u64, first })
}

/// Returns whether the entry at `path` of an image with a policy must have a label. Directories of
/// the host and of the running system need none: something is mounted there, or the host has them.
pub fn needs_label(path: &TreePath) -> bool {
    places::innermost(path).is_none_or(|place| matches!(place.owner, Owner::Image | Owner::Merged))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_is_the_one_that_libselinux_loads() {
        let name = |text: &str| SelinuxPolicy::from_config(text).map(|policy| policy.name().to_owned());
        assert_eq!(name("SELINUX=enforcing"), Some("targeted".into()));
        assert_eq!(name("# SELINUX=disabled\nSELINUX=Permissive\nSELINUXTYPE=mls \n"), Some("mls".into()));
        assert_eq!(name("SELINUX= enforcing\nSELINUXTYPE=\n"), Some("targeted".into()));
        assert_eq!(name("SELINUX=enforcing\nSELINUX=disabled\n"), Some("targeted".into()));
        assert_eq!(name("SELINUXTYPE=a\n SELINUXTYPE=b"), Some("b".into()), "the last one counts");
        assert_eq!(name("SELINUXTYPE=../../tmp"), Some("targeted".into()), "never out of its directory");
        for disabled in ["", "\n", "SELINUX=disabled\nSELINUXTYPE=default", "SELINUX=x\nSELINUX= Disabled"] {
            assert_eq!(name(disabled), None, "{disabled}");
        }
    }

    #[test]
    fn labels_have_three_parts_and_maybe_a_range() {
        for good in ["system_u:object_r:etc_t:s0\0", "u:r:etc_t", "u:r:etc_t:s0-s0:c0.c1023"] {
            assert_eq!(label_type(good.as_bytes()), Some(&b"etc_t"[..]), "{good}");
        }
        for bad in ["", "\0", "unlabeled", "u:r:", "u::t:s0", "u:r", "u:r:t\n", "u:r:unlabeled_t:s0\0"] {
            assert_eq!(label_type(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn what_is_mounted_needs_no_label() {
        let needs = |path: &str| needs_label(TreePath::new(path).unwrap());
        for path in ["", "usr", "usr/bin/sh", "etc", "etc/passwd", "boot", "data", "usr/share/factory/var/x"]
        {
            assert!(needs(path), "{path}");
        }
        for path in ["proc", "home", "boot/efi", "usr/local", "var", "run/x", ".snapshots"] {
            assert!(!needs(path), "{path}");
        }
    }

    #[test]
    fn entries_without_a_label_are_counted() {
        let path = |text: &'static str| TreePath::literal(text);
        let entries =
            [(path("etc"), true), (path("etc/a"), false), (path("proc"), false), (path("usr/b"), false)];
        let found = unlabelled(entries.into_iter());
        assert_eq!(found, Some(Unlabelled { entries: 2, first: path("etc/a").to_owned() }));
        assert_eq!(unlabelled(entries.into_iter().filter(|(_, labelled)| *labelled)), None);
    }
}
