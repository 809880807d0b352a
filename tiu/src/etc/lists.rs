//! Paths of `/etc` that always are one side's, whatever changed: the host's configuration has such lists, and the image may bring more. The
//! host's count first.

use super::decision::Side;
use crate::config::{Config, matches};
use tiu_bundle::policy::Policy;

/// Patterns, without leading slashes; each stands for a path or a directory with all in it, and `*` for any run of characters but a slash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lists {
    /// Always the image's.
    pub image: Vec<String>,
    /// Always the host's.
    pub host: Vec<String>,
}

impl Lists {
    /// The host's.
    pub fn of_host(config: &Config) -> Self {
        Lists { image: config.etc_always_image.clone(), host: config.etc_always_host.clone() }
    }

    /// Whose `path` is, by these lists.
    pub fn side(&self, path: &[u8]) -> Option<Side> {
        if listed(&self.image, path) {
            Some(Side::Image)
        } else if listed(&self.host, path) {
            Some(Side::Host)
        } else {
            None
        }
    }

    /// Returns the lists of an image's policy.
    pub fn of_policy(policy: &Policy) -> Self {
        Lists { image: policy.always_image().to_vec(), host: policy.always_host().to_vec() }
    }
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
    fn patterns_name_paths_and_directories() {
        let always_image = vec!["/etc/a".to_owned(), "/etc//b.d/*.conf".to_owned()];
        let policy = Policy::new(vec![], always_image, vec!["/etc/c".to_owned()]).unwrap();
        let lists = Lists::of_policy(&policy);
        assert_eq!(lists.side(b"etc/a"), Some(Side::Image));
        assert_eq!(lists.side(b"etc/b.d/x.conf"), Some(Side::Image));
        assert_eq!(lists.side(b"etc/c/below"), Some(Side::Host));
        assert_eq!(lists.side(b"etc/cd"), None);
        assert_eq!(Lists::of_policy(&Policy::default()), Lists::default());
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read(text: String, path: Vec<u8>) {
            if let Ok(policy) = Policy::parse(&text) {
                Lists::of_policy(&policy).side(&path);
            }
        }
    }
}
