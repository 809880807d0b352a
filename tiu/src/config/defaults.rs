//! The configuration of a host without any file.

use super::keys::{Boot, Config, EtcTarget, Initrd, Sysusers};
use super::layers::relative;
use tiu_bundle::trust::{Purpose, ValidAt};
use tiu_extract::Verity;

/// Files of `/etc` that stay the host's, whatever the image brings.
const ALWAYS_HOST: [&str; 15] = [
    "/etc/machine-id",
    "/etc/hostname",
    "/etc/fstab",
    "/etc/crypttab",
    "/etc/adjtime",
    "/etc/hostid",
    "/etc/nvme/hostid",
    "/etc/nvme/hostnqn",
    "/etc/iscsi/initiatorname.iscsi",
    "/etc/kernel/cmdline",
    "/etc/tiu/tiu.yaml",
    "/etc/tiu/etc-kept",
    "/etc/snapper/configs/root",
    "/etc/default/snapper",
    "/etc/sysconfig/snapper",
];
/// Files of `/etc` that are the image's, whatever the host has.
/// They are made from what is in `/usr`, or say what is there.
const ALWAYS_IMAGE: [&str; 3] = ["/etc/ld.so.cache", "/etc/os-release", "/etc/udev/hwdb.bin"];

impl Default for Config {
    fn default() -> Self {
        Config {
            keyring: Vec::new(),
            crl: Vec::new(),
            purpose: Purpose::default(),
            valid_at: ValidAt::default(),
            compatible: None,
            verity: Verity::default(),
            allow_downgrade: false,
            etc_always_host: ALWAYS_HOST
                .iter()
                .chain(&["/etc/ssh/ssh_host_*"])
                .map(|p| relative(p))
                .collect(),
            etc_always_image: ALWAYS_IMAGE.iter().map(|p| relative(p)).collect(),
            etc_change: EtcTarget::default(),
            host_paths: Vec::new(),
            initrd: Initrd::default(),
            initrd_path: None,
            sysusers: Sysusers::default(),
            boot: Boot::default(),
        }
    }
}
