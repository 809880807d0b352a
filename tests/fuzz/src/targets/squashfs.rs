//! The in-process reader of squashfs images.

use std::io::{self, Read};
use std::sync::Arc;
use tiu_extract::Squashfs;
use tiu_system::path::{TreePath, TreePathBuf};

/// The number of bytes that are read of each file: a wrong size may promise terabytes of holes.
const READ: u64 = 1 << 18;
/// The number of files that are read: names may be many.
const FILES: usize = 64;

/// Opens the image and reads its files. Reading a file twice gives the same bytes.
pub fn check(data: &[u8]) -> bool {
    let Ok(image) = Squashfs::open(Arc::new(data.to_vec())) else { return false };
    let mut paths: Vec<TreePathBuf> = Vec::new();
    let listed = image.for_each_file(|path| {
        let path = TreePath::new(path).expect("the reader returns canonical paths");
        if paths.len() < FILES {
            paths.push(path.to_owned());
        }
    });
    if listed.is_err() {
        return false;
    }
    for path in &paths {
        assert!(image.position(path).is_some(), "{path} has a position");
        let read = || -> Option<Vec<u8>> {
            let file = image.file(path).ok()??;
            let mut content = Vec::new();
            io::copy(&mut file.take(READ), &mut content).ok()?;
            Some(content)
        };
        assert!(read() == read(), "{path} has two contents");
    }
    true
}
