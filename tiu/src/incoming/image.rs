//! The image that an update brings.

use std::io::Read;
use tiu_bundle::index::Index;
use tiu_bundle::manifest::Manifest;
use tiu_extract::{Image, ImageError};
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
    /// Returns the first of `paths` that is a regular file of the image, as text; the empty text
    /// where none is. A file that cannot be read is an error: a decision on its default would be
    /// wrong, and a server could bring it about.
    pub fn text(&self, paths: &[&TreePath]) -> Result<String, ImageError> {
        let is_file =
            |path: &&&TreePath| self.index.find(path).is_some_and(|i| self.index.entry(i).digest.is_some());
        let Some(path) = paths.iter().find(is_file) else { return Ok(String::new()) };
        let mut bytes = Vec::new();
        let mut content = self.image.open(path)?.take(MAX_TEXT);
        content.read_to_end(&mut bytes).map_err(|source| ImageError::of_content(path, source))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use tiu_testing::bundles::{Parts, tiny_index};

    /// An image that has its files by name, and cannot read them.
    struct Unreadable;

    impl Image for Unreadable {
        fn open(&self, _: &TreePath) -> Result<Box<dyn Read + Send + '_>, ImageError> {
            struct Gone;
            impl Read for Gone {
                fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                    Err(io::Error::other("the server is gone"))
                }
            }
            Ok(Box::new(Gone))
        }
        fn position(&self, _: &TreePath) -> u64 {
            0
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_does_not_count_as_absent() {
        let text = tiny_index(b"x");
        let manifest = Parts::new(vec![0; 8192], &text).manifest;
        let index = Index::parse(text).unwrap();
        let incoming = IncomingImage { manifest: &manifest, image: &Unreadable, index: &index };
        let error = incoming.text(&[TreePath::literal("b"), TreePath::literal("a")]).unwrap_err();
        assert_eq!(error.to_string(), "reading a from the image failed: the server is gone");
        assert_eq!(incoming.text(&[TreePath::literal("b")]).unwrap(), "");
    }
}
