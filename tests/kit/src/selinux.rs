//! Trees with a small policy of SELinux, labelled by the machine's own setfiles(8).

use crate::program::{sh, tool};
use crate::system::programs;
use crate::tree;
use std::path::Path;

/// Where the policy of [`policy`] says which path has which label.
pub const CONTEXTS: &str = "etc/selinux/mine/contexts/files/file_contexts";

/// Gives the tree a policy with a few types, and a configuration with `mode`.
pub fn policy(root: &Path, mode: &str) {
    tree::file(root, "etc/selinux/config", format!("SELINUX={mode}\nSELINUXTYPE=mine\n"));
    let lines = [
        ("/.*", "", "default_t"),
        ("/", "-d", "root_t"),
        ("/usr(/.*)?", "", "usr_t"),
        ("/usr/bin/.*", "--", "bin_t"),
        ("/etc(/.*)?", "", "etc_t"),
        ("/etc/passwd[-\\+]?", "--", "passwd_t"),
        ("/etc/g?shadow", "--", "shadow_t"),
        ("/boot(/.*)?", "", "boot_t"),
        ("/boot/initr.*", "--", "initrd_t"),
        ("/var(/.*)?", "", "var_t"),
        ("/home", "-d", "home_root_t"),
    ];
    let line =
        |(path, kind, label): &(&str, &str, &str)| format!("{path}\t{kind}\tsystem_u:object_r:{label}:s0\n");
    let none = "/etc/none\t\t<<none>>\n";
    tree::file(root, CONTEXTS, lines.iter().map(line).collect::<String>() + none);
    tree::file(root, "etc/selinux/mine/contexts/customizable_types", "public_t\n");
}

/// Labels the tree as an image's maker does: docs/building/selinux.md.
pub fn label(root: &Path) {
    sh!("setfiles" of "policycoreutils", "-F", "-m", "-r", root, root.join(CONTEXTS), root);
}

/// Gives the tree the machine's setfiles with its libraries.
pub fn setfiles(root: &Path) {
    let found = ["/usr/sbin/setfiles", "/sbin/setfiles"].into_iter().find(|path| Path::new(path).exists());
    let found = found.expect("setfiles: install policycoreutils");
    programs(root, &[found]);
}

/// The label of a file, without the NUL at its end; nothing if it has none.
pub fn label_of(path: &Path) -> String {
    let outcome = tool(
        "getfattr",
        "attr",
        &[
            "-h".as_ref(),
            "-n".as_ref(),
            "security.selinux".as_ref(),
            "--only-values".as_ref(),
            path.as_os_str(),
        ],
    );
    outcome.stdout.trim_end_matches('\0').to_owned()
}

/// Gives a file a label.
pub fn set_label(path: &Path, label: &str) {
    sh!("setfattr" of "attr", "-h", "-n", "security.selinux", "-v", label, path);
}

/// Takes the label from a file.
pub fn remove_label(path: &Path) {
    sh!("setfattr" of "attr", "-h", "-x", "security.selinux", path);
}
