//! An index: what is accepted has the only spelling there is.

use tiu_bundle::content_digest::Digest;
use tiu_bundle::index::{Entry, Index, IndexWriter};

/// Reads the input as the compressed stream and as text.
pub fn check(data: &[u8]) -> bool {
    // A damaged stream is the interesting case, so the digest does not matter.
    let _ = Index::read_zst(data, &Digest([0; 32]), 100, 4096);
    let Ok(index) = Index::parse(data.to_vec()) else { return false };
    let mut writer = IndexWriter::default();
    for (i, entry) in index.iter().enumerate() {
        assert_eq!(index.find(&entry.path), Some(i));
        writer.push(entry.into_owned());
    }
    let again = Index::parse(writer.finish()).expect("what was read can be written");
    assert_eq!(again.len(), index.len());
    for (before, after) in index.iter().zip(again.iter()) {
        // Directories' numbers of links are not kept.
        let nlink = after.nlink;
        assert_eq!(Entry { nlink, ..before }, after);
    }
    true
}
