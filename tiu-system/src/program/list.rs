//! The programs that may be run, and the places where distributions install them.

/// A program of the distribution.
#[derive(Debug)]
pub struct Program {
    /// The name, for messages.
    pub name: &'static str,
    /// Absolute paths; the first that is a file is run.
    pub candidates: &'static [&'static str],
    /// The package that has it, for the hint.
    pub package: &'static str,
}

/// blkid(8).
pub const BLKID: Program = Program {
    name: "blkid",
    candidates: &["/usr/sbin/blkid", "/sbin/blkid", "/usr/bin/blkid"],
    package: "util-linux",
};
/// openssl(1).
pub const OPENSSL: Program =
    Program { name: "openssl", candidates: &["/usr/bin/openssl", "/bin/openssl"], package: "openssl" };
/// rpm(8).
pub const RPM: Program = Program { name: "rpm", candidates: &["/usr/bin/rpm", "/bin/rpm"], package: "rpm" };
/// setpriv(1).
pub const SETPRIV: Program =
    Program { name: "setpriv", candidates: &["/usr/bin/setpriv", "/bin/setpriv"], package: "util-linux" };
/// snapper(8).
pub const SNAPPER: Program =
    Program { name: "snapper", candidates: &["/usr/bin/snapper"], package: "snapper" };
/// systemctl(1).
pub const SYSTEMCTL: Program =
    Program { name: "systemctl", candidates: &["/usr/bin/systemctl", "/bin/systemctl"], package: "systemd" };
/// systemd-sysusers(8).
pub const SYSUSERS: Program = Program {
    name: "systemd-sysusers",
    candidates: &["/usr/bin/systemd-sysusers", "/bin/systemd-sysusers"],
    package: "systemd",
};
/// tar2sqfs(1).
pub const TAR2SQFS: Program = Program {
    name: "tar2sqfs",
    candidates: &["/usr/bin/tar2sqfs", "/bin/tar2sqfs"],
    package: "squashfs-tools-ng",
};
/// transactional-update(8).
pub const TRANSACTIONAL_UPDATE: Program = Program {
    name: "transactional-update",
    candidates: &["/usr/sbin/transactional-update", "/sbin/transactional-update"],
    package: "transactional-update",
};
/// unshare(1).
pub const UNSHARE: Program =
    Program { name: "unshare", candidates: &["/usr/bin/unshare", "/bin/unshare"], package: "util-linux" };
