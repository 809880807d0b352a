//! The command line itself: help, manual pages, wrong usage, what needs a kernel with
//! device-mapper.

use super::kit::{Kit, good, tiu_extract, zst};
use std::fs;
use std::process::{Command, Stdio};
use tiu_testing::bundles::{Parts, tiny_index};
use tiu_testing::program::outcome;
use tiu_testing::tree;

#[test]
fn every_command_explains_itself_with_an_example() {
    for command in ["info", "verify", "list", "extract", "mount", "umount"] {
        let help = outcome(tiu_extract(command).arg("--help")).succeeded().stdout;
        assert!(help.contains("Example"), "{command}:\n{help}");
        assert!(help.contains(&format!("  tiu-extract {command} ")), "{command}:\n{help}");
    }
    let help = outcome(&mut tiu_extract("--help")).succeeded().stdout;
    assert!(help.contains("Exit codes: 0 done, 1 failed, 2 wrong usage, 130 cancelled."), "{help}");
}

#[test]
fn manual_pages_are_written() {
    let dir = tempfile::tempdir().unwrap();
    outcome(tiu_extract("man").arg(dir.path())).succeeded();
    for page in ["", "-info", "-verify", "-list", "-extract", "-mount", "-umount"] {
        let file = dir.path().join(format!("tiu-extract{page}.1"));
        let text = fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        assert!(text.contains(".TH") && text.contains("Example"), "{page}:\n{text}");
    }
}

#[test]
fn wrong_usage_ends_with_2() {
    let cases: [&[&str]; 8] = [
        &["info"],
        &["info", "bundle.tiu"],
        &["info", "--keyring", "ca.pem"],
        &["unknown"],
        &["verify", "--keyring", "ca.pem", "--purpose", "everything", "bundle.tiu"],
        &["verify", "--keyring", "ca.pem", "--valid-at", "yesterday", "bundle.tiu"],
        &["extract", "--keyring", "ca.pem", "bundle.tiu"],
        &["extract", "--keyring", "ca.pem", "--verity", "perhaps", "bundle.tiu", "out"],
    ];
    for arguments in cases {
        let outcome = outcome(tiu_extract(arguments[0]).args(&arguments[1..]));
        assert_eq!(outcome.code, Some(2), "{arguments:?}: {}", outcome.stderr);
        assert!(outcome.stderr.contains("Usage") || outcome.stderr.contains("--help"), "{}", outcome.stderr);
    }
}

/// Both outcomes are tested: a kernel with device-mapper mounts, one without says what it lacks.
#[test]
fn mount_where_the_kernel_can_and_where_it_cannot() {
    let kit = Kit::new();
    let target = kit.target();
    let before = tree::state(&target);
    let bundle = kit.bundle(&good());
    let mounted = kit.run("mount", [&bundle, &target]);
    // The node /dev/mapper/control can exist where the kernel has no driver for it.
    let drivers = fs::read_to_string("/proc/misc").unwrap();
    if drivers.lines().any(|line| line.ends_with(" device-mapper")) {
        mounted.succeeded();
        let content = fs::read(target.join("a"));
        outcome(tiu_extract("umount").arg(&target)).succeeded();
        assert_eq!(content.unwrap(), super::kit::CONTENT);
    } else {
        mounted.refused(&[
            "the kernel way to open an image is not available: device-mapper cannot be used",
            "mounting needs root and the kernel's modules",
            "tiu-extract extract",
        ]);
        let arguments = ["--verity".as_ref(), "kernel".as_ref(), bundle.as_os_str(), target.as_os_str()];
        kit.run("extract", arguments).refused(&["the kernel way", "use --verity user (or auto)"]);
    }
    assert_eq!(tree::state(&target), before);
}

#[test]
fn umount_where_nothing_is_mounted() {
    let kit = Kit::new();
    let target = kit.target();
    outcome(tiu_extract("umount").arg(&target))
        .refused(&["target cannot be unmounted", "no bundle is mounted there"]);
    outcome(tiu_extract("umount").arg("/nowhere")).refused(&["/nowhere cannot be unmounted: No such file"]);
}

#[test]
fn an_image_with_a_compressor_that_only_kernels_read() {
    let kit = Kit::new();
    let root = tempfile::tempdir().unwrap();
    let index = tiny_index(b"content");
    tree::file(root.path(), "a", "content");
    tree::file(root.path(), "filling", tree::noise(1, 10_000));
    tree::file(root.path(), &tiu_bundle::index::INDEX_PATH.to_string(), zst(&index));
    let out = kit.path("image");
    let mut mksquashfs = Command::new("mksquashfs");
    mksquashfs.arg(root.path()).arg(&out).args(["-comp", "lzo", "-noappend", "-quiet", "-no-progress"]);
    outcome(&mut mksquashfs).succeeded();
    let mut image = fs::read(out).unwrap();
    image.resize(image.len().next_multiple_of(tiu_bundle::BLOCK_SIZE), 0);
    let bundle = kit.bundle(&Parts::new(image, &index));
    let needles =
        ["the image is compressed with lzo, expected zstd, xz, gzip, lz4 or none", "--verity kernel"];
    kit.refused(&bundle, super::kit::Found::Listing, &needles);
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let kit = Kit::new();
    let mut list = tiu_extract("list");
    list.arg("--keyring").arg(kit.keyring()).arg(kit.bundle(&good()));
    let mut child = list.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn global_options_are_accepted_before_and_after_the_command() {
    let kit = Kit::new();
    let (bundle, keyring) = (kit.bundle(&good()), kit.keyring());
    let (bundle, keyring) = (bundle.to_str().unwrap(), keyring.to_str().unwrap());
    for arguments in [
        ["--json", "-v", "--keyring", keyring, "info", bundle],
        ["info", bundle, "--keyring", keyring, "-v", "--json"],
    ] {
        let shown = outcome(Command::new(env!("CARGO_BIN_EXE_tiu-extract")).args(arguments)).succeeded();
        assert!(shown.stdout.starts_with("{\n  \"version\": 1,"), "{}", shown.stdout);
    }
    for arguments in [
        &["--json", "umount", "/nowhere"][..],
        &["umount", "--json", "/nowhere"],
        &["--keyring", keyring, "umount", "/nowhere"],
        &["--json", "mount", "--keyring", keyring, bundle, "/nowhere"],
        &["completions", "bash", "--json"],
    ] {
        let refused = outcome(Command::new(env!("CARGO_BIN_EXE_tiu-extract")).args(arguments));
        assert_eq!(refused.code, Some(2), "{arguments:?}: {}", refused.stderr);
        assert!(refused.stderr.contains("cannot be used with"), "{arguments:?}: {}", refused.stderr);
    }
}
