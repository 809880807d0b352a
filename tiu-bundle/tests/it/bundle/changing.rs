//! Bundles that change before or while they are read.

use super::{parts, signer, trust};
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tiu_bundle::BLOCK_SIZE;
use tiu_bundle::bundle::{Bundle, BundleError, cms_offset};
use tiu_bundle::hash_tree::VerityError;
use tiu_bundle::read_at::{FileSource, ReadAt};
use tiu_system::Hint;
use tiu_system::progress::Watch;

fn written(dir: &Path, bytes: &[u8]) -> (File, Arc<FileSource>) {
    let path = dir.join("bundle");
    std::fs::write(&path, bytes).expect("a file");
    let writer = File::options().write(true).open(&path).expect("the file");
    (writer, Arc::new(FileSource::new(File::open(&path).expect("the file")).expect("a source")))
}

#[test]
fn changes_after_it_was_opened() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let signer = signer();
    let bytes = parts().bytes(&signer.certificate, &signer.key);
    let was = bytes.len() as u64;
    let (mut writer, source) = written(dir.path(), &bytes);
    let bundle = Bundle::open(source, &trust(&signer.certificate)).expect("a good bundle");
    bundle.check_unchanged().expect("unchanged");

    // Other content at the same size: the hashes tell.
    writer.seek(SeekFrom::Start(50 * BLOCK_SIZE as u64)).expect("a position");
    writer.write_all(b"evil").expect("written");
    let found = bundle.image().verify_all(Watch::silent());
    assert!(matches!(found, Err(VerityError::Mismatch { level: 0, block: 50, .. })), "{found:?}");

    // Longer and shorter.
    for is in [was + 1, 20_000] {
        writer.set_len(is).expect("set");
        match bundle.check_unchanged() {
            Err(BundleError::Changed { was: w, is: i }) => assert_eq!((w, i), (was, is)),
            other => panic!("{other:?}"),
        }
    }
    let found = bundle.image().read_exact_at(&mut [0; 4096], 100 * 4096).expect_err("cut");
    assert_eq!(found.kind(), io::ErrorKind::UnexpectedEof);
}

#[test]
fn changes_before_it_is_read() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let signer = signer();
    let bytes = parts().bytes(&signer.certificate, &signer.key);
    // Cut after its size was taken.
    let (writer, source) = written(dir.path(), &bytes);
    writer.set_len(10_000).expect("set");
    let found = Bundle::open(source, &trust(&signer.certificate)).err().expect("cut");
    assert!(matches!(&found, BundleError::Io(e) if e.kind() == io::ErrorKind::UnexpectedEof), "{found}");
    assert!(found.hint().is_some_and(|hint| hint.contains("shorter")));
    // Made longer after its size was taken.
    let (writer, source) = written(dir.path(), &bytes);
    writer.set_len(bytes.len() as u64 + 1).expect("set");
    let found = Bundle::open(source, &trust(&signer.certificate)).err().expect("longer");
    assert!(matches!(found, BundleError::Changed { .. }), "{found}");
}

/// Gives other bytes the second time the signature is read.
struct TwoFaced {
    first: Vec<u8>,
    second: Vec<u8>,
    read_cms: AtomicBool,
}

impl ReadAt for TwoFaced {
    fn size(&self) -> u64 {
        self.first.size()
    }
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let at_cms = offset == cms_offset(&self.first).expect("an offset");
        let again = if at_cms { self.read_cms.swap(true, Ordering::SeqCst) } else { false };
        if again { self.second.read_exact_at(buf, offset) } else { self.first.read_exact_at(buf, offset) }
    }
}

#[test]
fn what_was_verified_is_what_is_used() {
    let signer = signer();
    let first = parts().bytes(&signer.certificate, &signer.key);
    let mut second = first.clone();
    let at = cms_offset(&first).expect("an offset") as usize;
    second[at..].fill(0);
    let source = Arc::new(TwoFaced { first, second, read_cms: AtomicBool::new(false) });
    let bundle = Bundle::open(source.clone(), &trust(&signer.certificate)).expect("a good bundle");
    assert!(source.read_cms.load(Ordering::SeqCst));
    assert!(bundle.cms.iter().any(|byte| *byte != 0), "the CMS is read once");
}
