//! The parts of a snapshot that a boot needs: a kernel with its modules and an initrd, an init, an
//! account of number 0, an fstab that can be parsed.
//!
//! One check serves an update (on paper before anything is touched, then on the finished snapshot),
//! a rollback, and `tiu etc`.
//!
//! A kernel is asked for where one is claimed: the manifest names it, or `/boot` or
//! `/usr/lib/modules` holds one. A system without a kernel is started by somebody else's, in a
//! container or a virtual machine.

mod error;
#[cfg(test)]
mod tests;

pub use error::NotBootable;

use std::collections::BTreeSet;
use tiu_system::fstab;
use tiu_system::path::{TreePath, TreePathBuf};
use tiu_system::tree::{MAX_TEXT, Node, NodeLookup, Tree, resolve};

/// The programs that an initrd or the kernel starts as the first process.
const INITS: [&TreePath; 6] = [
    TreePath::literal("usr/lib/systemd/systemd"),
    TreePath::literal("lib/systemd/systemd"),
    TreePath::literal("sbin/init"),
    TreePath::literal("usr/sbin/init"),
    TreePath::literal("bin/init"),
    TreePath::literal("usr/bin/init"),
];
/// Names of kernels: `boot/NAME-VERSION` and `usr/lib/modules/VERSION/NAME`.
const KERNELS: [&str; 8] =
    ["vmlinuz", "vmlinux", "Image", "image", "zImage", "bzImage", "uImage", "vmlinuz.efi"];
/// The directories with the modules of all kernels.
const MODULES: [&TreePath; 2] = [TreePath::literal("usr/lib/modules"), TreePath::literal("lib/modules")];
const BOOT: &TreePath = TreePath::literal("boot");
/// The initrds of a kernel without a version.
const UNVERSIONED_INITRDS: [&TreePath; 4] = [
    TreePath::literal("boot/initrd"),
    TreePath::literal("boot/initrd.img"),
    TreePath::literal("boot/initramfs.img"),
    TreePath::literal("boot/initramfs"),
];
/// The depth to which a directory of modules is searched.
const DEPTH: u32 = 20;

/// The initrd that a boot needs.
pub enum NeededInitrd<'a> {
    /// None: `initrd: none`, or it is not made yet.
    None,
    /// One of these files, by the version of the kernel.
    OneOf(&'a dyn Fn(&str) -> Vec<TreePathBuf>),
}

/// Checks the files of a system: its init, and `kernel`, which its manifest names, or else the
/// kernels that it holds.
pub fn check_files(
    system: &dyn NodeLookup,
    kernel: Option<&str>,
    initrd: &NeededInitrd,
) -> Result<(), NotBootable> {
    check_init(system)?;
    let kernels = kernel.map_or_else(|| kernels(system), |kernel| BTreeSet::from([kernel.to_owned()]));
    if kernels.is_empty() {
        return check_other_kernel(system, initrd);
    }
    for version in kernels {
        check_kernel(system, &version, initrd)?;
    }
    Ok(())
}

/// Checks a system without a kernel whose version is known: `/boot` can hold one without a version,
/// or the name of one that is empty or a link to nothing.
fn check_other_kernel(system: &dyn NodeLookup, initrd: &NeededInitrd) -> Result<(), NotBootable> {
    let Some((boot, _)) = resolve(system, BOOT) else { return Ok(()) };
    let names = names_in(system, &boot).into_iter().filter_map(|name| String::from_utf8(name).ok());
    let mut named: Vec<(String, TreePathBuf)> =
        names.filter_map(|name| kernel_name(system, &boot, name)).collect();
    named.sort();
    let Some((name, path)) = named.first() else { return Ok(()) };
    let Some((_, path)) = named.iter().find(|(_, path)| is_filled(system, path)) else {
        let version = name.split_once('-').map_or(name.as_str(), |(_, version)| version).to_owned();
        return Err(NotBootable::Kernel { version, looked: vec![path.clone()] });
    };
    let looked = UNVERSIONED_INITRDS.map(TreePathBuf::from).to_vec();
    match initrd {
        NeededInitrd::OneOf(_) if !looked.iter().any(|path| is_filled(system, path)) => {
            Err(NotBootable::Initrd { version: format!("/{path}"), looked })
        }
        _ => Ok(()),
    }
}

/// Returns the name and the path of a file or link in `boot` that has the name of a kernel.
fn kernel_name(system: &dyn NodeLookup, boot: &TreePath, name: String) -> Option<(String, TreePathBuf)> {
    let kind = name.split_once('-').map_or(name.as_str(), |(kind, _)| kind);
    let path = boot.child(&name).ok().filter(|_| KERNELS.contains(&kind))?;
    let node = system.node(&path).ok().flatten()?;
    matches!(node, Node::File { .. } | Node::Link(_)).then_some((name, path))
}

/// Checks that `system` has a first process.
pub fn check_init(system: &dyn NodeLookup) -> Result<(), NotBootable> {
    let is_init =
        |path: &TreePath| matches!(find_node(system, path), Some(Node::File { executable: true, size: 1.. }));
    if INITS.into_iter().any(is_init) {
        Ok(())
    } else {
        Err(NotBootable::Init { looked: INITS.map(TreePathBuf::from).to_vec() })
    }
}

/// Checks passwd(5): an account has the number 0.
pub fn check_accounts(passwd: &[u8]) -> Result<(), NotBootable> {
    let is_root = |line: &[u8]| {
        let mut fields = line.split(|c| *c == b':');
        // Lines that begin with + or - stand for accounts of NIS.
        let named = |name: &[u8]| !name.is_empty() && !b"#+-".contains(&name[0]);
        let number = |field: Option<&[u8]>| std::str::from_utf8(field?).ok()?.parse::<u32>().ok();
        let is_named = fields.next().is_some_and(named);
        // glibc ignores a line without a group.
        is_named && number(fields.nth(1)) == Some(0) && number(fields.next()).is_some()
    };
    let mut lines = passwd.split(|c| *c == b'\n');
    if lines.any(is_root) { Ok(()) } else { Err(NotBootable::Root) }
}

/// Checks fstab(5): each line is a comment or a mount.
pub fn check_fstab(text: &str) -> Result<(), NotBootable> {
    fstab::check(text).map_err(NotBootable::Fstab)
}

/// Checks accounts and fstab of a tree.
pub fn check_etc(tree: &Tree) -> Result<(), NotBootable> {
    check_accounts(&tree.read("etc/passwd", MAX_TEXT)?.unwrap_or_default())?;
    check_fstab(&tree.read_text("etc/fstab", MAX_TEXT)?.unwrap_or_default())
}

/// Checks everything of a tree.
pub fn check(tree: &Tree, kernel: Option<&str>, initrd: &NeededInitrd) -> Result<(), NotBootable> {
    check_files(tree, kernel, initrd)?;
    check_etc(tree)
}

fn check_kernel(system: &dyn NodeLookup, version: &str, initrd: &NeededInitrd) -> Result<(), NotBootable> {
    let version_of = || version.to_owned();
    // A unified kernel image contains its initrd.
    if unified(system, version).is_none() {
        let looked = kernel_paths(version);
        if !looked.iter().any(|path| is_filled(system, path)) {
            return Err(NotBootable::Kernel { version: version_of(), looked });
        }
        if let NeededInitrd::OneOf(paths) = initrd {
            let looked = paths(version);
            if !looked.iter().any(|path| is_filled(system, path)) {
                return Err(NotBootable::Initrd { version: version_of(), looked });
            }
        }
    }
    for modules in MODULES.into_iter().filter_map(|top| top.child(version).ok()) {
        let Some((directory, Node::Directory)) = resolve(system, &modules) else { continue };
        let list = modules.join(TreePath::literal("modules.dep"));
        if !is_filled(system, &list) && holds_modules(system, &directory, DEPTH) {
            return Err(NotBootable::Modules { version: version_of(), list });
        }
    }
    Ok(())
}

/// Returns the first of `paths` that leads to a regular file that is not empty, and where it leads.
pub(crate) fn first_filled(system: &dyn NodeLookup, paths: &[TreePathBuf]) -> Option<TreePathBuf> {
    let filled = |path: &TreePathBuf| match resolve(system, path)? {
        (path, Node::File { size: 1.., .. }) => Some(path),
        _ => None,
    };
    paths.iter().find_map(filled)
}

/// Returns the paths at which the kernel `version` can be.
pub(crate) fn kernel_paths(version: &str) -> Vec<TreePathBuf> {
    let places = KERNELS.iter().flat_map(|name| {
        let with_modules = MODULES.map(|top| format!("{top}/{version}/{name}"));
        with_modules.into_iter().chain([format!("{BOOT}/{name}-{version}")])
    });
    places.filter_map(|path| TreePathBuf::new(path).ok()).collect()
}

/// Returns the versions of the kernels that `system` holds.
pub(crate) fn kernels(system: &dyn NodeLookup) -> BTreeSet<String> {
    let names = |directory: &TreePath| resolve(system, directory).map(|(path, _)| names_in(system, &path));
    let text = |name: Vec<u8>| String::from_utf8(name).ok();
    let in_boot = names(BOOT).into_iter().flatten().filter_map(text).filter_map(|name| {
        let (kernel, version) = name.split_once('-')?;
        let is_kernel =
            KERNELS.contains(&kernel) && BOOT.child(&name).is_ok_and(|path| is_filled(system, &path));
        is_kernel.then(|| version.to_owned())
    });
    let versions = MODULES.into_iter().flat_map(|top| names(top).into_iter().flatten().filter_map(text));
    let has_kernel = |version: &String| {
        unified(system, version).is_some() || kernel_paths(version).iter().any(|path| is_filled(system, path))
    };
    in_boot.chain(versions.filter(has_kernel)).collect()
}

/// Returns the name of the unified kernel image of `version`, if there is one.
fn unified(system: &dyn NodeLookup, version: &str) -> Option<Vec<u8>> {
    let (directory, _) = resolve(system, &MODULES[0].child(version).ok()?)?;
    let is_unified = |name: &Vec<u8>| name.ends_with(b".efi") && name != b"vmlinuz.efi";
    names_in(system, &directory).into_iter().find(is_unified)
}

/// Returns whether kernel modules lie below `directory`.
fn holds_modules(system: &dyn NodeLookup, directory: &TreePath, depth: u32) -> bool {
    /// A module, perhaps compressed.
    fn is_module(name: &[u8]) -> bool {
        [&b".ko"[..], b".ko.xz", b".ko.zst", b".ko.gz"].iter().any(|end| name.ends_with(end))
    }
    names_in(system, directory).iter().any(|name| {
        let Ok(path) = directory.child(name) else { return false };
        match system.node(&path).ok().flatten() {
            Some(Node::Directory) => depth > 0 && holds_modules(system, &path, depth - 1),
            Some(Node::File { .. } | Node::Link(_)) => is_module(name),
            _ => false,
        }
    })
}

/// Returns the names in a directory. One that cannot be read counts as empty.
fn names_in(system: &dyn NodeLookup, directory: &TreePath) -> Vec<Vec<u8>> {
    system.names(directory).unwrap_or_default()
}

fn find_node(system: &dyn NodeLookup, path: &TreePath) -> Option<Node> {
    resolve(system, path).map(|(_, node)| node)
}

/// Returns whether `path` leads to a regular file that is not empty.
fn is_filled(system: &dyn NodeLookup, path: &TreePath) -> bool {
    matches!(find_node(system, path), Some(Node::File { size: 1.., .. }))
}
