//! Paths of `/etc` that always get the version of one side, regardless of the changes. The host's
//! configuration has such lists, and the image may have more. The host's lists are consulted first.

use super::decision::Side;
use crate::config::{Config, pattern};
use tiu_bundle::policy::Policy;
use tiu_system::glob::Glob;
use tiu_system::path::TreePath;

/// Lists of patterns. A pattern that matches a directory takes all that is in it along.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lists {
    /// Paths that are always the image's.
    pub image: Vec<Glob>,
    /// Paths that are always the host's.
    pub host: Vec<Glob>,
}

impl Lists {
    /// Returns the host's lists.
    pub fn from_config(config: &Config) -> Self {
        Lists { image: config.etc_always_image.clone(), host: config.etc_always_host.clone() }
    }

    /// Returns the side that `path` belongs to by these lists.
    pub fn side(&self, path: &TreePath) -> Option<Side> {
        let listed = |patterns: &[Glob]| patterns.iter().any(|pattern| pattern.covers(path.as_bytes()));
        if listed(&self.image) {
            Some(Side::Image)
        } else if listed(&self.host) {
            Some(Side::Host)
        } else {
            None
        }
    }

    /// Returns the lists of an image's policy.
    pub fn from_policy(policy: &Policy) -> Self {
        // The policy holds only patterns that can be read.
        let patterns =
            |list: &[String]| list.iter().filter_map(|text| pattern(&format!("/{text}"))).collect();
        Lists { image: patterns(policy.always_image()), host: patterns(policy.always_host()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_name_paths_and_directories() {
        let always_image = vec!["/etc/a".to_owned(), "/etc//b.d/*.conf".to_owned()];
        let policy = Policy::new(vec![], always_image, vec!["/etc/c".to_owned()]).unwrap();
        let lists = Lists::from_policy(&policy);
        let side = |path: &'static str| lists.side(TreePath::literal(path));
        assert_eq!(side("etc/a"), Some(Side::Image));
        assert_eq!(side("etc/b.d/x.conf"), Some(Side::Image));
        assert_eq!(side("etc/c/below"), Some(Side::Host));
        assert_eq!(side("etc/cd"), None);
        assert_eq!(Lists::from_policy(&Policy::default()), Lists::default());
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read(text: String, path: Vec<u8>) {
            if let (Ok(policy), Ok(path)) = (Policy::parse(&text), TreePath::new(&path)) {
                Lists::from_policy(&policy).side(path);
            }
        }
    }
}
