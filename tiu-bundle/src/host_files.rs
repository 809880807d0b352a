//! Files that belong to one host. An image must not contain them.
//!
//! The builder and the client use the same table.

use tiu_system::glob::Glob;

/// A file of `/etc` that is always the host's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostFile {
    /// Its absolute path, or a pattern of paths.
    pub path: &'static str,
    /// True if it distinguishes one host from another, or is written by a host about itself.
    /// Builders leave it out.
    pub identity: bool,
}

const fn identity(path: &'static str) -> HostFile {
    HostFile { path, identity: true }
}

const fn settings(path: &'static str) -> HostFile {
    HostFile { path, identity: false }
}

/// The files of `/etc` that are always the host's, unless its configuration says otherwise.
pub const ALWAYS_HOST: [HostFile; 16] = [
    identity("/etc/machine-id"),
    // An image may bring a default.
    settings("/etc/hostname"),
    settings("/etc/fstab"),
    settings("/etc/crypttab"),
    identity("/etc/adjtime"),
    identity("/etc/hostid"),
    identity("/etc/nvme/hostid"),
    identity("/etc/nvme/hostnqn"),
    identity("/etc/iscsi/initiatorname.iscsi"),
    settings("/etc/kernel/cmdline"),
    identity("/etc/tiu/tiu.yaml"),
    identity("/etc/tiu/etc-kept"),
    identity("/etc/snapper/configs/root"),
    settings("/etc/default/snapper"),
    settings("/etc/sysconfig/snapper"),
    identity("/etc/ssh/ssh_host_*"),
];

/// Other files that distinguish one host from another, or are secrets that each host makes for
/// itself.
const MORE: [&str; 27] = [
    "/etc/dhcpcd.duid",
    "/etc/dhcpcd.secret",
    "/etc/dropbear/dropbear_*_host_key",
    "/etc/krb5.keytab",
    "/etc/lvm/devices/system.devices",
    "/etc/multipath/bindings",
    "/etc/multipath/wwids",
    "/etc/samba/secrets.tdb",
    "/etc/ssl/private/*",
    "/etc/wireguard/*",
    "/etc/zypp/credentials.d/SCCcredentials",
    "/boot/loader/random-seed",
    "/var/lib/NetworkManager/secret_key",
    "/var/lib/NetworkManager/seen-bssids",
    "/var/lib/dbus/machine-id",
    "/var/lib/dhcp/*.leases",
    "/var/lib/dhcpcd/duid",
    "/var/lib/dhcpcd/secret",
    "/var/lib/misc/random-seed",
    "/var/lib/random-seed",
    "/var/lib/samba/private/secrets.tdb",
    "/var/lib/seedrng/*",
    "/var/lib/systemd/credential.secret",
    "/var/lib/systemd/random-seed",
    "/var/lib/urandom/random-seed",
    "/var/lib/wicked/duid.xml",
    "/var/lib/wicked/iaid.xml",
];

/// The machine IDs: a file that is empty or says `uninitialized` is nobody's.
pub const MACHINE_IDS: [&str; 2] = ["etc/machine-id", "var/lib/dbus/machine-id"];

/// Returns the patterns of the files that an image must not have.
pub fn identity_patterns() -> Vec<Glob> {
    let always = ALWAYS_HOST.iter().filter(|file| file.identity).map(|file| file.path);
    // The tests read every pattern.
    always.chain(MORE).filter_map(|path| Glob::new(path).ok()).collect()
}

/// Returns whether the text of a machine ID is that of no machine (machine-id(5)).
pub fn is_blank_machine_id(text: &[u8]) -> bool {
    matches!(text.trim_ascii(), b"" | b"uninitialized")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_a_pattern() {
        let identities = ALWAYS_HOST.iter().filter(|file| file.identity).count();
        assert_eq!(identity_patterns().len(), identities + MORE.len());
        assert!(
            ALWAYS_HOST.iter().all(|file| file.path.starts_with("/etc/") && Glob::new(file.path).is_ok())
        );
        let covers = |path: &str| identity_patterns().iter().any(|glob| glob.covers(path.as_bytes()));
        for path in [
            "etc/ssh/ssh_host_rsa_key",
            "etc/machine-id",
            "var/lib/systemd/random-seed",
            "etc/samba/secrets.tdb",
        ] {
            assert!(covers(path), "{path}");
        }
        for path in ["etc/ssh/sshd_config", "etc/fstab", "var/lib/systemd/timesync", "usr/lib/os-release"] {
            assert!(!covers(path), "{path}");
        }
    }

    #[test]
    fn machine_ids_of_no_machine() {
        for text in ["", "\n", "uninitialized", "uninitialized\n"] {
            assert!(is_blank_machine_id(text.as_bytes()), "{text:?}");
        }
        for text in ["0123456789abcdef0123456789abcdef\n", "x"] {
            assert!(!is_blank_machine_id(text.as_bytes()), "{text:?}");
        }
    }
}
