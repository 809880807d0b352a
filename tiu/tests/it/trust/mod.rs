//! The certificates that a host trusts, before and after an update.

mod clocks;
mod files;
mod reset;
mod update;

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use tiu_testing::host::LoopHost;
use tiu_testing::kit::Kit;
use tiu_testing::program::RunOutput;
use tiu_testing::tree;

/// Writes the kit's root certificate into a system.
fn certificate(kit: &Kit, root: &Path, path: &str) {
    tree::file(root, path, fs::read(kit.keyring()).unwrap());
}

/// A host with this configuration, and nothing else about trust.
fn configured(yaml: &str, fill: impl FnOnce(&Path)) -> LoopHost {
    LoopHost::with(512, |root| {
        tree::file(root, "etc/tiu/tiu.yaml", format!("compatible: testos\n{yaml}"));
        fill(root);
    })
}

/// `tiu apply` with the kit's keyring on the command line.
fn apply_with(host: &LoopHost, kit: &Kit, bundle: &Path) -> RunOutput {
    host.tiu("apply", [bundle.as_os_str(), "--keyring".as_ref(), kit.keyring().as_os_str()])
}

/// An update is refused because the trust would be gone, and the dry run says the same and touches
/// nothing.
#[track_caller]
fn loses_trust(host: &LoopHost, arguments: &[&OsStr], needles: &[&str]) {
    let before = host.state();
    let dry = host.tiu("apply", arguments.iter().copied().chain(["--dry-run".as_ref()]));
    let refused = host.tiu("apply", arguments);
    for outcome in [dry, refused] {
        outcome.refused(&[needles, &["the next update would be refused", "--allow-trust-change"]].concat());
    }
    assert!(before == host.state(), "something was touched");
}
