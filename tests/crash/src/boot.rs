//! `kill -9` at the syncs of an update on a host with boot entries: each change of the boot partition
//! ends with one. What booted before or the new snapshot boots, and the next run completes.

use crate::run::Doing;
use crate::scene::Setup;
use crate::settings::Settings;
use std::fs;
use tiu_testing::esp::{self, Esp, boots};
use tiu_testing::kit::Kit;

/// Size of the boot partition in MiB.
const ESP: u64 = 128;
/// Without `--long`, one of so many syncs is hit.
const STEP: u32 = 2;

pub fn run(settings: &Settings, _: &Setup) -> String {
    let kit = Kit::new();
    let mut first = kit.host_with(512, |root| {
        esp::system(root);
        let config = root.join("etc/tiu/tiu.yaml");
        let text = fs::read_to_string(&config).unwrap() + "boot: bls\n";
        fs::write(config, text).unwrap();
    });
    let installed = Esp::new(&first, ESP);
    let bundle = kit.bundle(1, esp::system);
    first.shut_down();
    let step = if settings.long { 1 } else { STEP };
    let start = 1 + settings.random("boot").below(step as usize) as u32;
    let parent = tempfile::tempdir().unwrap();
    let (mut killed, mut selected, mut defaults) = (0, 0, 0);
    for number in (start..).step_by(step as usize) {
        let _doing = Doing(format!("a kill at sync {number}, seed {}", settings.seed));
        let host = first.copy(parent.path());
        let partition = installed.copy();
        partition.mount(&host);
        if !esp::killed_at(&host, &bundle, "syncfs", number) {
            break;
        }
        killed += 1;
        let found = boots(&host);
        assert!(matches!(found, (Some(1), Some(1)) | (Some(2), Some(1))), "{found:?} boots");
        selected += usize::from(found.0 == Some(2));
        defaults += usize::from(host.default() == 2);
        assert!(host.default() == 1 || found.0 == Some(2), "the default is not what boots");
        let again = host.tiu("apply", [&bundle]);
        assert!(matches!(again.code, Some(0 | 77)), "{}", again.stderr);
        assert_eq!((host.default(), boots(&host)), (2, (Some(2), Some(1))));
        assert_eq!(partition.kernels(&host), ["initrd", "linux"]);
        let names = partition.names(&host);
        assert!(!names.iter().any(|name| name.ends_with(".tiu")), "{names:?}");
    }
    assert!(killed >= 3, "only {killed} kills hit a run");
    // With a kill at each sync, one is after the entry was selected and before the default is set.
    assert!(!settings.long || selected > defaults, "{selected} selected, {defaults} defaults");
    format!(
        "{killed} kills at syncs: {selected} with the new entry selected, {defaults} of them with the default set"
    )
}
