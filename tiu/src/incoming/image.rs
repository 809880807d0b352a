//! The image that an update brings.

use std::io::Read;
use tiu_bundle::index::Index;
use tiu_bundle::manifest::Manifest;
use tiu_extract::Image;
use tiu_system::path::TreePath;
use tiu_system::tree::MAX_TEXT;

/// The image that an update brings: what it says of itself, its content and its index.
#[derive(Clone, Copy)]
pub struct IncomingImage<'a> {
    /// The signed manifest.
    pub manifest: &'a Manifest,
    /// The content.
    pub image: &'a dyn Image,
    /// The index.
    pub index: &'a Index,
}

impl IncomingImage<'_> {
    /// Returns the first of `paths` that is a regular file of the image, as text. Returns the empty
    /// text where none is or can be read: what depends on it then takes its default, and damage is
    /// found when the file is written.
    pub fn text(&self, paths: &[&TreePath]) -> String {
        let read = |path: &&TreePath| {
            let entry = self.index.entry(self.index.find(path)?);
            entry.digest?;
            let mut bytes = Vec::new();
            self.image.open(path).ok()?.take(MAX_TEXT).read_to_end(&mut bytes).ok()?;
            Some(String::from_utf8_lossy(&bytes).into_owned())
        };
        paths.iter().find_map(read).unwrap_or_default()
    }
}
