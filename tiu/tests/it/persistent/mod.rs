//! Directories besides `/var` that are the host's: an image declares them, a subvolume is mounted
//! there, or the snapshot itself holds their content. No update removes that content, and a warning
//! names the image's own files there.

mod declared;
mod mounts;
mod records;
mod subvolumes;

use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use tiu_testing::host::LoopHost;
use tiu_testing::kit::{Kit, Recipe};
use tiu_testing::program::json;
use tiu_testing::tree;

/// An image that declares `list`.
fn declaring(kit: &Kit, version: u32, list: &str, change: impl FnOnce(&Path)) -> PathBuf {
    let (text, more) = (version.to_string(), format!("persistent: [{list}]\n"));
    kit.bundle_of(version, Recipe { compatible: "testos", version: &text, more: &more }, change)
}

/// An image whose own image.yaml says `text`, which tiu-create does not look at.
fn saying(kit: &Kit, version: u32, text: &str, change: impl FnOnce(&Path)) -> PathBuf {
    kit.bundle(version, |root| {
        tree::file(root, "usr/lib/tiu/image.yaml", text);
        change(root);
    })
}

fn apply(host: &LoopHost, bundle: &Path) -> Value {
    json(&host.tiu("apply", ["--json".as_ref(), bundle.as_os_str()]).succeeded())
}

fn dry_run(host: &LoopHost, bundle: &Path) -> String {
    host.tiu("apply", ["--dry-run".as_ref(), bundle.as_os_str()]).succeeded().stdout
}

/// The one of `warnings` that speaks of `path`.
#[track_caller]
fn warning(applied: &Value, path: &str) -> String {
    let all = applied["warnings"].as_array().unwrap().iter().filter_map(Value::as_str);
    let found: Vec<&str> = all.filter(|text| text.contains(path)).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].to_owned()
}

fn all_well(host: &LoopHost, number: &str) {
    host.tiu("verify", [number]).succeeded();
}

fn mode_and_owner(path: &Path) -> (u32, u32, u32) {
    let found = path.symlink_metadata().unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    (found.mode() & 0o7777, found.uid(), found.gid())
}

/// `/data` as images have it.
fn data(root: &Path) {
    fs::create_dir(root.join("data")).unwrap();
    fs::set_permissions(root.join("data"), PermissionsExt::from_mode(0o2770)).unwrap();
    chown(root.join("data"), Some(6), Some(12)).unwrap();
}
