//! Trees with every kind of file layout that squashfs knows, and images of them.

use crate::image::squashfs::Squashfs;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use tempfile::TempDir;
use tiu_system::path::TreePath;
use tiu_testing::tree::{file, noise};

/// A tree with files around every border of a block of `block` bytes.
pub fn tree(block: usize) -> TempDir {
    let dir = TempDir::new().unwrap();
    let root = dir.path();
    for size in [0, 1, 2, block - 1, block, block + 1, 2 * block, 3 * block + 7] {
        file(root, &format!("noise/{size}"), noise(size as u64, size));
        file(root, &format!("text/{size}"), text(size));
        file(root, &format!("zeros/{size}"), vec![0; size]);
    }
    file(root, "large", noise(1, 5 * block).repeat(2));
    file(root, "again", noise(1, 5 * block).repeat(2));
    sparse(&root.join("sparse-in-the-middle"), &[(0, block), (9 * block, 100)], 12 * block + 5);
    sparse(&root.join("sparse-at-the-end"), &[(block, block)], 40 * block);
    sparse(&root.join("only-a-hole"), &[], 7 * block);
    file(root, "dir/of/hard-link", text(block + 100));
    fs::hard_link(root.join("dir/of/hard-link"), root.join("another-name")).unwrap();
    file(root, "dir/caf\u{e9} \n\t'name", "odd");
    fs::write(root.join(std::ffi::OsStr::from_bytes(b"dir/not utf-8 \xff\xfe")), "odder").unwrap();
    fs::create_dir_all(root.join("empty")).unwrap();
    symlink("large", root.join("link")).unwrap();
    symlink("x/".repeat(2000), root.join("long-link")).unwrap();
    symlink(std::ffi::OsStr::from_bytes(b"\xff"), root.join("link-not-utf-8")).unwrap();
    // Several headers, an extended inode with a search index, and listings that cross metadata
    // blocks.
    for number in 0..1500 {
        file(root, &format!("many/a-file-with-a-rather-long-name-{number}"), format!("{number}"));
    }
    file(root, &format!("{}end", "d/".repeat(60)), "deep");
    dir
}

/// Bytes that compress to about a third.
pub fn text(size: usize) -> Vec<u8> {
    let words = noise(3, size / 3 + 1);
    words.iter().flat_map(|byte| [b'a' + byte % 16, b' ', b'x']).take(size).collect()
}

fn sparse(path: &Path, data: &[(usize, usize)], size: usize) {
    let mut file = File::create(path).unwrap();
    for (offset, length) in data {
        file.seek(SeekFrom::Start(*offset as u64)).unwrap();
        file.write_all(&noise(*offset as u64 + 9, *length)).unwrap();
    }
    file.set_len(size as u64).unwrap();
}

/// Runs `program` (of the Debian package `package`) on `root`; gives the image's bytes.
pub fn pack(program: &str, package: &str, root: &Path, arguments: &[&str]) -> Vec<u8> {
    let work = TempDir::new().unwrap();
    let out = work.path().join("image");
    let mut command = Command::new(program);
    match program {
        "mksquashfs" => command.arg(root).arg(&out).args(["-quiet", "-no-progress", "-noappend"]),
        "gensquashfs" => command.arg("--pack-dir").arg(root).args(["--quiet"]),
        _ => unreachable!(),
    };
    command.args(arguments);
    if program == "gensquashfs" {
        command.arg(&out);
    }
    let made =
        command.output().unwrap_or_else(|e| panic!("{program} does not start ({e}): install {package}"));
    assert!(made.status.success(), "{command:?}: {}", String::from_utf8_lossy(&made.stderr));
    fs::read(out).unwrap()
}

/// An image made by mksquashfs.
pub fn mksquashfs(root: &Path, arguments: &[&str]) -> Vec<u8> {
    pack("mksquashfs", "squashfs-tools", root, arguments)
}

/// All regular files below `root`, as paths relative to it.
pub fn files(root: &Path) -> Vec<PathBuf> {
    let (mut files, mut pending) = (Vec::new(), vec![root.to_path_buf()]);
    while let Some(dir) = pending.pop() {
        for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
            match entry.file_type().unwrap() {
                kind if kind.is_dir() => pending.push(entry.path()),
                kind if kind.is_file() => files.push(entry.path().strip_prefix(root).unwrap().to_path_buf()),
                _ => {}
            }
        }
    }
    files.sort();
    files
}

/// Returns the content that `image` returns for `path`, read through a buffer of `buffer` bytes.
pub fn content(image: &Squashfs, path: &Path, buffer: usize) -> Vec<u8> {
    let mut reader = image
        .file(TreePath::new(path.as_os_str().as_bytes()).unwrap())
        .unwrap()
        .expect("the image has the file");
    let (mut content, mut buffer) = (Vec::new(), vec![0; buffer]);
    loop {
        match reader.read(&mut buffer).unwrap() {
            0 => return content,
            length => content.extend_from_slice(&buffer[..length]),
        }
    }
}

/// Every file of `root` is in `image` with the same bytes, and no other.
pub fn assert_same(root: &Path, image: Vec<u8>, what: &str) {
    let image = Squashfs::open(Arc::new(image)).unwrap_or_else(|e| panic!("{what}: {e}"));
    let mut listed = Vec::new();
    image.for_each_file(|path| listed.push(PathBuf::from(std::ffi::OsStr::from_bytes(path)))).unwrap();
    listed.sort();
    assert_eq!(listed, files(root), "{what}");
    for path in &listed {
        let expected = fs::read(root.join(path)).unwrap();
        // A buffer that holds whole blocks, and one that never does.
        for buffer in [1 << 20, 3000] {
            assert!(content(&image, path, buffer) == expected, "{what}: {} differs", path.display());
        }
    }
}
