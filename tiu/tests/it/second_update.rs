//! The ground of tests of a second update: a host that has version 1, and a refusal that touches
//! nothing.

use std::path::Path;
use tiu_testing::host::LoopHost;
use tiu_testing::kit::Kit;

/// A host with version 1 as snapshot 2, after `edit`.
pub fn host(kit: &Kit, edit: impl FnOnce(&Path)) -> LoopHost {
    let mut host = kit.host();
    host.tiu("apply", [kit.bundle(1, |_| {})]).succeeded();
    host.reboot();
    host.edit(2, edit);
    host
}

/// Asserts that a dry run and a run refuse the bundle with `words`, and touch nothing.
#[track_caller]
pub fn refuses(host: &LoopHost, bundle: &Path, words: &[&str]) {
    let before = host.state();
    for options in [&["--dry-run"][..], &[]] {
        let mut arguments = options.to_vec();
        arguments.push(bundle.to_str().unwrap());
        host.tiu("apply", arguments).refused(words);
    }
    assert_eq!(host.state(), before);
}
