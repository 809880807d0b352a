//! The parts that a snapshot lacks for a boot.

use tiu_system::fstab::FstabLineError;
use tiu_system::hints;
use tiu_system::path::TreePathBuf;
use tiu_system::tree::TreeError;

/// A part that a snapshot lacks for a boot.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum NotBootable {
    /// No first process.
    #[error("it has no init: found no executable file at {}", list(looked))]
    Init { looked: Vec<TreePathBuf> },
    /// The kernel is missing.
    #[error("it has no kernel {version}: found no file that is not empty at {}", list(looked))]
    Kernel { version: String, looked: Vec<TreePathBuf> },
    /// The modules have no list, so that none can be loaded.
    #[error("it has modules of kernel {version}, but no /{list}")]
    Modules { version: String, list: TreePathBuf },
    /// The initrd is missing.
    #[error("it has no initrd for kernel {version}: found no file at {}", list(looked))]
    Initrd { version: String, looked: Vec<TreePathBuf> },
    /// Nobody has the number 0.
    #[error("/etc/passwd: found no account of number 0")]
    Root,
    /// A line of fstab cannot be parsed.
    #[error("/etc/fstab: {0}")]
    Fstab(FstabLineError),
    #[error(transparent)]
    Tree(#[from] TreeError),
}

/// Returns the first few paths as text.
fn list(paths: &[TreePathBuf]) -> String {
    /// The number of paths that are named.
    const SHOWN: usize = 4;
    let shown: Vec<String> = paths.iter().take(SHOWN).map(|path| format!("/{path}")).collect();
    let more = if paths.len() > SHOWN { ", ..." } else { "" };
    shown.join(", ") + more
}

hints! { NotBootable {
    forward Tree;
    Init { .. } => "put an init into the image, such as systemd",
    Kernel { .. } =>
        "put the kernel into the image, or remove its directory below /usr/lib/modules there",
    Modules { version, .. } =>
        format!("run depmod {version} in the tree before it is packed"),
    Initrd { .. } =>
        "put an initrd or dracut into the image; or set initrd: none in tiu.yaml if the kernel needs \
         none or something else makes it",
    Root => "add root to the host's /etc/passwd: root:x:0:0:root:/root:/bin/sh",
    Fstab(_) => "correct the line: device, mount point, type, options, 0, 0; or make it a comment",
} }
