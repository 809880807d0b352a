//! YAML files: the image's policy, the host's configuration, and the builder's recipe.

use super::records::tree_with;
use std::path::Path;
use tiu::config::Config;
use tiu_bundle::policy::Policy;
use tiu_create::Recipe;

/// Words of the documents.
pub const WORDS: &[&str] = &[
    "version: 1\n",
    "persistent:\n",
    "- /var/lib/x\n",
    "etc:\n",
    "  always-host:\n",
    "  - /etc/*\n",
    "keyring: ",
    "compatible: ",
    "&a ",
    "*a",
    "<<: ",
    "!!binary ",
    "{",
    "[",
    "|\n",
    "\t",
    "\u{202e}",
    "../",
    "~",
    "0x7fffffff",
];

/// Reads `image.yaml`. A policy that is accepted is the same after it was written.
pub fn policy(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let Ok(policy) = Policy::parse(text) else { return false };
    let again = policy.to_text().unwrap_or_default();
    assert_eq!(Policy::parse(&again).expect("what was written can be read"), policy);
    true
}

/// Reads `tiu.yaml`.
pub fn config(data: &[u8]) -> bool {
    let (directory, _) = tree_with("etc/tiu/tiu.yaml", data);
    Config::load(directory.path()).is_ok()
}

/// Reads a recipe.
pub fn recipe(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    Recipe::parse(text, Path::new("recipe.yaml")).is_ok_and(|recipe| recipe.policy().is_ok())
}
