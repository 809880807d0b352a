//! An apply reads what the base says of itself once: manifest, index, record and report.

use std::ffi::OsStr;
use tiu_testing::kit::Kit;
use tiu_testing::program;
use tiu_testing::system::nest_etc;

/// Returns how often `file` of snapshot `number` was opened in a trace of strace's.
fn opened(trace: &str, number: u32, file: &str) -> usize {
    let snapshot = format!("/.snapshots/{number}/snapshot");
    let name = format!("\"{file}\"");
    let opens = |line: &&str| {
        line.contains(&snapshot)
            && line.contains(&name)
            && line.contains("O_RDONLY")
            && !line.contains("ENOENT")
    };
    trace.lines().filter(opens).count()
}

fn apply_reads_its_base_once(nested: bool) {
    let kit = Kit::new();
    let mut host = kit.host_with(512, |root| {
        if nested {
            nest_etc(root);
        }
    });
    host.tiu("apply", [kit.bundle(1, |_| {})]).succeeded();
    host.reboot();
    let trace = host.scratch().join("trace");
    let (tiu, bundle, root) = (program::path("tiu"), kit.bundle(2, |_| {}), host.root());
    let arguments: [&OsStr; 10] = [
        "-f".as_ref(),
        "-y".as_ref(),
        "-e".as_ref(),
        "trace=openat,openat2".as_ref(),
        "-o".as_ref(),
        trace.as_ref(),
        tiu.as_ref(),
        "apply".as_ref(),
        "--root".as_ref(),
        root.as_ref(),
    ];
    let arguments: Vec<&OsStr> = arguments.into_iter().chain([bundle.as_ref()]).collect();
    program::tool("strace", "strace", &arguments).succeeded();
    let trace = String::from_utf8_lossy(&std::fs::read(&trace).unwrap()).into_owned();
    for file in ["bundle.cms", "index.zst", "generated.json", "etc.json"] {
        let path = format!("usr/lib/sysimage/tiu/{file}");
        assert_eq!(opened(&trace, 2, &path), 1, "{file} of the base");
    }
    // A copy that can have changed is decided on anew, but has the base's index.
    assert_eq!(opened(&trace, 3, "usr/lib/sysimage/tiu/index.zst"), 0, "the copy's index");
}

#[test]
fn an_apply_reads_its_base_once() {
    apply_reads_its_base_once(false);
}

#[test]
fn an_apply_reads_its_base_once_where_etc_is_a_subvolume() {
    apply_reads_its_base_once(true);
}
