//! Bundles on block devices, which are longer than they are.

use crate::kit::{Kit, network};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use tiu_source::{Location, open_bundle};

/// A loop device with `bytes`, and zeros up to `size`.
struct Device(PathBuf, #[allow(dead_code)] TempDir);

impl Device {
    fn new(bytes: &[u8], size: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("disk");
        fs::write(&file, bytes).unwrap();
        fs::File::options().write(true).open(&file).unwrap().set_len(size).unwrap();
        let output = Command::new("losetup").args(["--find", "--show"]).arg(&file).output().unwrap();
        assert!(output.status.success(), "losetup (package mount): {output:?}");
        Device(String::from_utf8(output.stdout).unwrap().trim().into(), dir)
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        let _ = Command::new("losetup").arg("--detach").arg(&self.0).status();
    }
}

fn open(kit: &Kit, path: &Path) -> Result<tiu_bundle::bundle::Bundle, tiu_source::OpenError> {
    open_bundle(&Location::Path(path.into()), &network(), &kit.trust, &mut |_| {})
}

#[test]
fn a_bundle_at_the_start_of_a_device() {
    let kit = Kit::new(300);
    let device = Device::new(&kit.bytes, 8 << 20);
    let bundle = open(&kit, &device.0).unwrap();
    assert_eq!(bundle.source.size(), kit.bytes.len() as u64);
    kit.read(&bundle).unwrap();
    assert!(bundle.source.as_file().is_some());
    assert!(bundle.source.read_exact_at(&mut [0], kit.bytes.len() as u64).is_err(), "behind the bundle");
}

#[test]
fn devices_without_a_whole_bundle() {
    let kit = Kit::new(300);
    let tree = kit.image_size + 4 * 4096;
    let signature =
        |bytes: &mut Vec<u8>, head: &[u8]| drop(bytes.splice(tree..tree + head.len(), head.to_vec()));
    type Change<'a> = &'a dyn Fn(&mut Vec<u8>);
    let cut = |bytes: &mut Vec<u8>, at: usize| bytes.truncate(at);
    let cases: [(&str, Change, u64); 8] = [
        ("it starts with [00, 00, 00, 00], expected", &|bytes| bytes.clear(), 1 << 20),
        ("bytes, but the device has 1048576", &|bytes| bytes.truncate(1 << 20), 1 << 20),
        ("bytes, but the device has", &|bytes| drop(bytes.splice(40..48, [0xff; 8])), 8 << 20),
        ("bytes, but the device has", &|bytes| cut(bytes, tree - 4096), tree as u64 - 4096),
        ("the bundle needs ", &|bytes| cut(bytes, tree + 512), tree as u64 + 512),
        ("no signature begins at byte", &|bytes| signature(bytes, &[0x31, 0x82]), 8 << 20),
        ("no signature begins at byte", &|bytes| signature(bytes, &[0x30, 0x84]), 8 << 20),
        (
            "a signature of 16777220 bytes begins at byte",
            &|bytes| signature(bytes, &[0x30, 0x83, 0xff, 0xff, 0xff]),
            32 << 20,
        ),
    ];
    for (needle, change, size) in cases {
        let mut bytes = kit.bytes.clone();
        change(&mut bytes);
        let device = Device::new(&bytes, size);
        let error = open(&kit, &device.0).err().expect("an error").to_string();
        assert!(error.contains(needle), "{error}, expected {needle}");
    }
}
