//! Kernel and initrd of a snapshot, and the arguments that it brings.

use super::error::BlsError;
use super::version;
use super::work::{BootFile, BootFiles};
use crate::boot::bootable::{first_filled, kernel_paths, kernels};
use crate::boot::initrd;
use crate::config::{Config, Initrd};
use crate::state::Provenance;
use std::io::{BufReader, Seek};
use tiu_bundle::content_digest::digest_reader;
use tiu_system::os_release::{self, OsRelease};
use tiu_system::path::TreePath;
use tiu_system::tree::{MAX_TEXT, Tree, TreeError};

/// Files with arguments of the kernel, as kernel-install(8) reads them.
const ARGUMENTS: [&str; 2] = ["etc/kernel/cmdline", "usr/lib/kernel/cmdline"];

/// Returns kernel and initrd of the system in `tree`, which is snapshot `number`, or `None` if it
/// has no kernel.
pub fn find(tree: &Tree, number: u32, config: &Config) -> Result<Option<BootFiles>, BlsError> {
    let named = Provenance::read(tree, None).ok().flatten().and_then(|image| image.manifest.tiu.kernel);
    let newest = || kernels(tree).into_iter().max_by(|a, b| version::compare(a, b));
    let Some(kernel) = named.or_else(newest) else { return Ok(None) };
    let Some(path) = first_filled(tree, &kernel_paths(&kernel)) else { return Ok(None) };
    let kernel_content = file(tree, "linux", &path)?;
    if config.initrd == Initrd::None {
        return Ok(Some(BootFiles::Copy { kernel: kernel_content, initrd: None }));
    }
    let places = initrd::places(&kernel, &os_release(tree), config);
    match first_filled(tree, &places) {
        Some(path) => {
            let initrd = Some(file(tree, "initrd", &path)?);
            Ok(Some(BootFiles::Copy { kernel: kernel_content, initrd }))
        }
        None => Err(BlsError::NoInitrd { number, version: kernel }),
    }
}

fn file(tree: &Tree, kind: &'static str, path: &TreePath) -> Result<BootFile, BlsError> {
    let failed = |source: std::io::Error| TreeError { path: tree.path().join(path), source };
    let mut source = tree.file(path)?.ok_or_else(|| failed(std::io::ErrorKind::NotFound.into()))?;
    let (digest, size) = digest_reader(BufReader::new(&source)).map_err(failed)?;
    source.rewind().map_err(failed)?;
    Ok(BootFile { kind, digest, size, source: Some(source) })
}

/// Returns the arguments of the kernel that the system in `tree` brings.
pub fn arguments(tree: &Tree) -> Option<String> {
    let texts = ARGUMENTS.iter().filter_map(|path| tree.read_text(path, MAX_TEXT).ok().flatten());
    let lines = |text: String| {
        let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        lines.collect::<Vec<_>>().join(" ").trim().to_owned()
    };
    texts.map(lines).find(|text| !text.is_empty())
}

/// Returns the name of the system in `tree` for people.
pub fn title(tree: &Tree) -> String {
    let os = os_release(tree);
    let name = os.get("PRETTY_NAME").or_else(|| os.get("NAME")).unwrap_or("Linux");
    name.chars().filter(|c| !c.is_control()).collect()
}

fn os_release(tree: &Tree) -> OsRelease {
    let texts = os_release::PATHS.iter().filter_map(|path| tree.read_text(path, MAX_TEXT).ok().flatten());
    OsRelease::parse(&texts.into_iter().next().unwrap_or_default())
}

/// tiu's own unit that says that a boot succeeded, as it is enabled.
const MARKS: [&str; 2] = [
    "usr/lib/systemd/system/basic.target.wants/tiu-mark-good.service",
    "etc/systemd/system/basic.target.wants/tiu-mark-good.service",
];

/// Returns true if the system in `tree` says of a boot that succeeded that it did: it starts tiu's
/// unit, or has systemd-bless-boot and what starts that.
pub fn blesses(tree: &Tree) -> bool {
    MARKS.iter().any(|path| tree.stat(path).is_some())
        || ["usr/lib/systemd", "lib/systemd"].iter().any(|directory| {
            let program = format!("{directory}/systemd-bless-boot");
            let generator = format!("{directory}/system-generators/systemd-bless-boot-generator");
            tree.has(&program) && tree.has(&generator)
        })
}
