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
/// unshare(1).
pub const UNSHARE: Program =
    Program { name: "unshare", candidates: &["/usr/bin/unshare", "/bin/unshare"], package: "util-linux" };
