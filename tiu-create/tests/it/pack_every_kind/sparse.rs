//! Sparse files.

use crate::place::Place;
use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use tiu_bundle::content_digest::digest_reader;
use tiu_system::path::TreePath;
use tiu_testing::tree::noise;

#[test]
fn sparse_files_of_more_than_4_gib() {
    let place = Place::new();
    let path = place.root().join("usr/sparse");
    let file = File::create(&path).expect("a file");
    file.set_len((4 << 30) + 5001).expect("a size");
    file.write_all_at(b"begin", 3).expect("data");
    file.write_all_at(&noise(1, 300_000), (2 << 30) - 100_000).expect("data");
    file.write_all_at(b"end", (4 << 30) + 4000).expect("data");
    let hole = File::create(place.root().join("usr/hole")).expect("a file");
    hole.set_len((64 << 20) + 1).expect("a size");
    let packed = place.packed();
    for name in ["usr/sparse", "usr/hole"] {
        let entry = packed.index.entry(packed.index.find(TreePath::literal(name)).expect("an entry"));
        let mounted = File::open(packed.mount.path().join(name)).expect("a file");
        let original = File::open(place.root().join(name)).expect("a file");
        assert_eq!(entry.size, original.metadata().expect("metadata").size());
        // The index's digest skipped the holes; this one reads them.
        assert_eq!(digest_reader(&mounted).expect("content"), (entry.digest.expect("a digest"), entry.size));
        for at in [0, (2 << 30) - 100_010, (2 << 30) + 199_990, (4 << 30) + 3990] {
            let (mut found, mut expected) = (Vec::new(), Vec::new());
            for (file, bytes) in [(&mounted, &mut found), (&original, &mut expected)] {
                bytes.resize(30, 1);
                let read = file.read_at(bytes, at).expect("content");
                bytes.truncate(read);
            }
            assert_eq!(found, expected, "{name} at {at}");
        }
    }
    assert!(packed.bundle.layout.image_size < 2_000_000, "{:?}", packed.bundle.layout);
}

#[test]
fn sparse_files_of_many_pieces() {
    let place = Place::new();
    let file = File::create(place.root().join("usr/comb")).expect("a file");
    for i in 0..5000 {
        file.write_all_at(&noise(i, 100), i * 8192).expect("data");
    }
    let packed = place.packed();
    let content =
        |dir: &Path| digest_reader(File::open(dir.join("usr/comb")).expect("a file")).expect("content");
    let entry = packed.index.entry(packed.index.find(TreePath::literal("usr/comb")).expect("an entry"));
    assert_eq!(entry.digest, Some(content(&place.root()).0));
    assert_eq!(content(packed.mount.path()), content(&place.root()));
}
