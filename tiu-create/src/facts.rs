//! Facts about a tree, read from it: operating system and version (os-release), architecture (ELF
//! headers), kernel version.

use crate::factory::OwnerNames;
use crate::recipe::Recipe;
use crate::tree::{Root, ScanError};
use rustix::fs::{Dir, FileType, OFlags};
use tiu_bundle::host_files;
use tiu_bundle::selinux;
use tiu_system::fstab;
use tiu_system::hints;
use tiu_system::os_release::{self, OsRelease};
use tiu_system::path::{TreePath, TreePathBuf};
use tiu_system::tree::MAX_TEXT;

/// Programs that every system has; the first one that is an ELF file shows the architecture.
const PROGRAMS: [&str; 6] =
    ["usr/bin/sh", "bin/sh", "usr/bin/bash", "usr/lib/systemd/systemd", "usr/bin/env", "sbin/init"];

/// Names of kernels, as the client looks for them: in their modules' directory, or with their
/// version in `/boot`.
const KERNELS: [&str; 8] =
    ["vmlinuz", "vmlinux", "Image", "image", "zImage", "bzImage", "uImage", "vmlinuz.efi"];

/// The manifest's facts about the image, except those that packing finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeFacts {
    /// `[update] version`.
    pub version: String,
    /// True if the version is that of the operating system, because nothing else says one.
    pub shared_version: bool,
    /// `[update] build`.
    pub build: Option<String>,
    /// `uname -m`.
    pub arch: String,
    /// `ID` of os-release.
    pub os_id: String,
    /// Version: a directory under `/usr/lib/modules`.
    pub kernel: Option<String>,
}

/// A fact that the tree lacks. A key of the recipe supplies it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // Fields without documentation are what their names say.
pub enum FactsError {
    /// Reading failed.
    #[error(transparent)]
    Tree(#[from] ScanError),
    /// No os-release, or it lacks a key.
    #[error("the tree does not show its {what}: no {expected} in /etc/os-release or /usr/lib/os-release")]
    OsRelease {
        what: &'static str,
        /// Keys of os-release that would have it.
        expected: &'static str,
        key: &'static str,
    },
    /// The key that the recipe names is missing.
    #[error("the recipe takes the version from {expected}, but os-release does not have it")]
    VersionFrom { expected: &'static str },
    /// No program of a known architecture.
    #[error("the tree does not show its architecture: none of /{} is an ELF program of a known machine", PROGRAMS.join(", /"))]
    Arch,
    /// More than one kernel.
    #[error("the tree has {} kernels with modules in /usr/lib/modules, expected one: {}", found.len(), found.join(", "))]
    Kernels { found: Vec<String> },
    /// The recipe's kernel is missing.
    #[error("the recipe names the kernel {expected}, but the tree has {}", if found.is_empty() { "none".to_owned() } else { found.join(", ") })]
    KernelMissing { expected: String, found: Vec<String> },
}

hints! { FactsError {
    forward Tree;
    OsRelease { key, .. } => format!("add it to os-release, or to the recipe: `{key}: \"...\"`"),
    VersionFrom { expected } => format!("add {expected} to the tree's os-release, or correct the recipe"),
    Arch => "add it to the recipe, as `uname -m` prints it: `arch: x86_64`",
    Kernels { .. } =>
        "name the one that hosts boot in the recipe: `kernel: VERSION`; `exclude` the others' directories \
         to save space",
    KernelMissing { .. } => "correct the recipe, or omit `kernel` if there is only one",
} }

impl TreeFacts {
    /// Reads what `recipe` lacks from the tree at `root`.
    pub fn read(root: &Root, recipe: &Recipe) -> Result<Self, FactsError> {
        let [first, second] = os_release::PATHS;
        let release = match root.read_text(first)? {
            Some(text) => Some(text),
            None => root.read_text(second)?,
        };
        let release = OsRelease::parse(&String::from_utf8_lossy(&release.unwrap_or_default()));
        let key = |name: &str| release.get(name).map(str::to_owned);
        let mut shared_version = false;
        let version = match (&recipe.version, recipe.version_from) {
            (Some(version), _) => Some(version.clone()),
            (None, Some(from)) => {
                let found = key(from.key());
                Some(found.ok_or(FactsError::VersionFrom { expected: from.key() })?)
            }
            (None, None) => match (key("IMAGE_VERSION"), key("VERSION_ID")) {
                (Some(version), _) => Some(version),
                (None, version) => {
                    shared_version = version.is_some();
                    version
                }
            },
        };
        let os_id = recipe.os_id.clone().or_else(|| key("ID"));
        Ok(TreeFacts {
            version: version.ok_or(FactsError::OsRelease {
                what: "version",
                expected: "IMAGE_VERSION or VERSION_ID",
                key: "version",
            })?,
            shared_version,
            build: recipe.build.clone().or_else(|| key("BUILD_ID")),
            arch: match &recipe.arch {
                Some(arch) => arch.clone(),
                None => arch(root)?,
            },
            os_id: os_id.ok_or(FactsError::OsRelease {
                what: "operating system",
                expected: "ID",
                key: "os-id",
            })?,
            kernel: kernel(kernels(root)?, recipe.kernel.as_deref())?,
        })
    }
}

/// Returns the machine IDs of the tree that are those of no machine.
pub fn blank_machine_ids(root: &Root) -> Result<Vec<&'static str>, ScanError> {
    let mut blank = Vec::new();
    for path in host_files::MACHINE_IDS {
        let text = root.read_as_system(path, MAX_TEXT)?;
        if text.is_none_or(|text| host_files::is_blank_machine_id(&text)) {
            blank.push(path);
        }
    }
    Ok(blank)
}

/// Returns whether the tree has a policy of SELinux that is not disabled.
pub fn selinux(root: &Root) -> Result<bool, ScanError> {
    let text = root.read_text(selinux::CONFIG_PATH)?.unwrap_or_default();
    let Some(policy) = selinux::SelinuxPolicy::from_config(&String::from_utf8_lossy(&text)) else {
        return Ok(false);
    };
    Ok(root.read_text(&policy.contexts())?.is_some())
}

/// Returns the names of the tree's users and groups.
pub fn owners(root: &Root) -> Result<OwnerNames, ScanError> {
    let text = |path| root.read_text(path).map(Option::unwrap_or_default);
    Ok(OwnerNames::new(&text("etc/passwd")?, &text("etc/group")?))
}

/// Returns the mount points in the tree's fstab, as relative paths, except the root and what lies
/// in `/etc`, which always belongs to the root.
pub fn mount_points(root: &Root) -> Result<Vec<Vec<u8>>, ScanError> {
    let text = root.read_text("etc/fstab")?.unwrap_or_default();
    let paths = fstab::parse(&String::from_utf8_lossy(&text)).into_iter().filter_map(|mount| mount.path());
    let apart = paths.filter(|path| !path.starts_with(TreePath::literal("etc")));
    Ok(apart.map(TreePathBuf::into_bytes).collect())
}

fn arch(root: &Root) -> Result<String, FactsError> {
    for path in PROGRAMS {
        if let Some(head) = root.read_as_system(path, 20)?
            && let Some(arch) = elf_machine(&head)
        {
            return Ok(arch.to_owned());
        }
    }
    Err(FactsError::Arch)
}

/// Returns what `uname -m` prints on the machine that an ELF file (its first 20 bytes) is for.
/// Source of the numbers: elf(5), `<elf.h>`.
pub fn elf_machine(head: &[u8]) -> Option<&'static str> {
    let head: &[u8; 20] = head.first_chunk()?;
    let [0x7f, b'E', b'L', b'F', class, data, ..] = *head else { return None };
    let bytes = [head[18], head[19]];
    let little = data == 1;
    let machine = if little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) };
    Some(match (machine, class, little) {
        (62, 2, true) => "x86_64",
        (183, 2, true) => "aarch64",
        (243, 2, true) => "riscv64",
        (258, 2, true) => "loongarch64",
        (22, 2, false) => "s390x",
        (21, 2, true) => "ppc64le",
        (21, 2, false) => "ppc64",
        (40, 1, true) => "armv7l",
        (3, 1, true) => "i686",
        _ => return None,
    })
}

/// Returns the versions of the tree's kernels, sorted: the names of the directories under
/// `/usr/lib/modules` for which there is a kernel. Packages leave directories of modules behind
/// when their kernel is removed, and out-of-tree modules make their own.
fn kernels(root: &Root) -> Result<Vec<String>, FactsError> {
    let mut found = Vec::new();
    for modules in ["usr/lib/modules", "lib/modules"] {
        for name in directories(root, modules)? {
            if !found.contains(&name) && has_kernel(root, modules, &name)? {
                found.push(name);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Returns whether the tree has a kernel `version`, with its modules in `modules` or in `/boot`.
fn has_kernel(root: &Root, modules: &str, version: &str) -> Result<bool, FactsError> {
    for name in KERNELS {
        for path in [format!("{modules}/{version}/{name}"), format!("boot/{name}-{version}")] {
            // A symlink that leads nowhere is not a kernel.
            if root.open_as_system(&path, OFlags::empty())?.is_some() {
                return Ok(true);
            }
        }
    }
    // A unified kernel image has a name of its own.
    let own = entries(root, &format!("{modules}/{version}"))?.into_iter().flatten().flatten();
    let is_unified = |name: &[u8]| name.ends_with(b".efi");
    Ok(own.into_iter().any(|entry| is_unified(entry.file_name().to_bytes())))
}

fn entries(root: &Root, path: &str) -> Result<Option<Dir>, ScanError> {
    let fail = |e: rustix::io::Errno| ScanError::Io {
        path: path.into(),
        what: "reading the directory",
        source: e.into(),
    };
    match root.open_as_system(path, OFlags::DIRECTORY)? {
        Some(fd) => Dir::read_from(fd).map(Some).map_err(fail),
        None => Ok(None),
    }
}

fn directories(root: &Root, path: &str) -> Result<Vec<String>, ScanError> {
    let mut names = Vec::new();
    for entry in entries(root, path)?.into_iter().flatten() {
        let entry = entry.map_err(|e| ScanError::Io {
            path: path.into(),
            what: "reading the directory",
            source: e.into(),
        })?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type() == FileType::Directory && !name.starts_with('.') {
            names.push(name);
        }
    }
    Ok(names)
}

/// Returns the only kernel of those `found`, or the one of the recipe.
fn kernel(mut found: Vec<String>, expected: Option<&str>) -> Result<Option<String>, FactsError> {
    match expected {
        Some(expected) if found.iter().any(|name| name == expected) => Ok(Some(expected.to_owned())),
        Some(expected) => Err(FactsError::KernelMissing { expected: expected.to_owned(), found }),
        None if found.len() > 1 => Err(FactsError::Kernels { found }),
        None => Ok(found.pop()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines() {
        let elf = |class, data, machine: [u8; 2]| {
            let mut head = [0; 20];
            head[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', class, data]);
            head[18..].copy_from_slice(&machine);
            head
        };
        assert_eq!(elf_machine(&elf(2, 1, [62, 0])), Some("x86_64"));
        assert_eq!(elf_machine(&elf(2, 2, [0, 22])), Some("s390x"));
        assert_eq!(elf_machine(&elf(2, 1, [0xff, 0xff])), None);
        assert_eq!(elf_machine(b"#!/bin/sh\nexec something"), None);
        assert_eq!(elf_machine(b"\x7fELF"), None);
        let own = std::fs::read("/bin/sh").expect("a shell");
        assert_eq!(elf_machine(&own), Some(std::env::consts::ARCH));
    }

    #[test]
    fn one_kernel_or_the_recipes() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(kernel(names(&[]), None).expect("none"), None);
        assert_eq!(kernel(names(&["6.1"]), None).expect("one"), Some("6.1".into()));
        assert!(
            matches!(kernel(names(&["6.1", "6.2"]), None), Err(FactsError::Kernels { found }) if found.len() == 2)
        );
        assert_eq!(kernel(names(&["6.1", "6.2"]), Some("6.2")).expect("that one"), Some("6.2".into()));
        assert!(matches!(kernel(names(&["6.1"]), Some("6.2")), Err(FactsError::KernelMissing { .. })));
    }
}
