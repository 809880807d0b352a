//! Paths of `/etc` that are always the host's: a reset of a directory leaves them.

use crate::config::Config;
use crate::etc::{ETC, Lists};
use tiu_bundle::policy::{POLICY_PATH, Policy};
use tiu_system::glob::Glob;
use tiu_system::path::{TreePath, TreePathBuf};
use tiu_system::tree::{MAX_TEXT, Tree, TreeError};

/// Directories of which every file is the host's: without tiu's configuration and certificates, or
/// snapper's, the host cannot be updated again.
const DIRECTORIES: [&TreePath; 2] = [TreePath::literal("etc/tiu"), TreePath::literal("etc/snapper")];

/// Paths of `/etc` that are always the host's.
pub struct Protected {
    patterns: Vec<Glob>,
    /// Files and directories of certificates and revocation lists.
    trust: Vec<TreePathBuf>,
}

impl Protected {
    /// Returns the paths of the defaults, of `config`, and of the policy of the image in `tree`. A
    /// configuration that replaces the defaults does not take them away: it says what an update
    /// merges.
    pub fn read(tree: &Tree, config: &Config) -> Result<Self, TreeError> {
        let policy = tree.read_text(POLICY_PATH, MAX_TEXT)?.unwrap_or_default();
        // An image whose policy cannot be parsed was not applied.
        let policy = Policy::parse(&policy).unwrap_or_default();
        let lists =
            [Lists::from_config(&Config::default()), Lists::from_config(config), Lists::from_policy(&policy)];
        let trust = config.keyring.iter().chain(&config.crl).cloned();
        let trust = trust.filter(|path| **path != *ETC).collect();
        Ok(Protected { patterns: lists.into_iter().flat_map(|lists| lists.host).collect(), trust })
    }

    /// Returns whether `path` is always the host's.
    pub fn covers(&self, path: &TreePath) -> bool {
        self.patterns.iter().any(|pattern| pattern.covers(path.as_bytes()))
            || self.trust.iter().any(|top| path.starts_with(top))
            || DIRECTORIES.iter().any(|top| *path != **top && path.starts_with(top))
    }

    /// Returns whether a reset of `wanted` leaves `path`, which is in it.
    pub fn stays(&self, path: &TreePath, wanted: &TreePath) -> bool {
        self.covers(path) && !self.covers(wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_leaves_what_is_always_the_host_s_unless_it_is_named() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("usr/lib/tiu")).unwrap();
        std::fs::write(dir.path().join(POLICY_PATH), "version: 1\netc:\n  always-host: [/etc/of-image]\n")
            .unwrap();
        let config = Config {
            etc_always_host: vec![Glob::stars("/etc/private").unwrap()],
            keyring: vec![TreePathBuf::new("etc/pki/mine").unwrap()],
            ..Config::default()
        };
        let protected = Protected::read(&Tree::open(dir.path()).unwrap(), &config).unwrap();
        let stays = |path: &'static str, wanted: &'static str| {
            protected.stays(TreePath::literal(path), TreePath::literal(wanted))
        };
        for path in [
            "etc/fstab",
            "etc/machine-id",
            "etc/ssh/ssh_host_rsa_key",
            "etc/tiu/tiu.yaml",
            "etc/tiu/keyring.pem",
            "etc/snapper/configs/root",
            "etc/private/x",
            "etc/of-image",
            "etc/pki/mine/ca.pem",
        ] {
            assert!(stays(path, "etc"), "{path}");
            assert!(!stays(path, path), "{path}");
        }
        assert!(stays("etc/tiu/tiu.yaml", "etc/tiu"));
        assert!(!stays("etc/private/x", "etc/private"));
        for path in ["etc/app.conf", "etc/ssh/sshd_config", "etc/tiu", "etc/pki"] {
            assert!(!stays(path, "etc"), "{path}");
        }
    }
}
