//! The configuration of a host that has no file.

use super::keys::{Boot, Config, EtcTarget, Initrd, Reuse, Sysusers, Usb};
use super::paths::pattern;
use tiu_bundle::host_files::ALWAYS_HOST;
use tiu_bundle::trust::{Purpose, ValidAt};
use tiu_extract::Verity;

/// Files of `/etc` that are always the image's: they are made from what is in `/usr`, or describe
/// it.
const ALWAYS_IMAGE: [&str; 3] = ["/etc/ld.so.cache", "/etc/os-release", "/etc/udev/hwdb.bin"];

/// Filesystems of media that are mounted: simple ones, without a journal.
const USB_FILESYSTEMS: [&str; 3] = ["vfat", "exfat", "iso9660"];

impl Default for Config {
    fn default() -> Self {
        Config {
            keyring: Vec::new(),
            crl: Vec::new(),
            distrust: Vec::new(),
            purpose: Purpose::default(),
            valid_at: ValidAt::default(),
            compatible: None,
            verity: Verity::default(),
            allow_downgrade: false,
            min_version: None,
            etc_always_host: ALWAYS_HOST.iter().filter_map(|file| pattern(file.path)).collect(),
            etc_always_image: ALWAYS_IMAGE.iter().filter_map(|path| pattern(path)).collect(),
            etc_change: EtcTarget::default(),
            host_paths: Vec::new(),
            initrd: Initrd::default(),
            initrd_strict: false,
            initrd_path: None,
            sysusers: Sysusers::default(),
            reuse: Reuse::default(),
            boot: Boot::default(),
            update: None,
            usb: Usb::default(),
            usb_filesystems: USB_FILESYSTEMS.map(str::to_owned).to_vec(),
            usb_report: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_a_pattern() {
        let Config { etc_always_host, etc_always_image, .. } = Config::default();
        assert_eq!((etc_always_host.len(), etc_always_image.len()), (ALWAYS_HOST.len(), ALWAYS_IMAGE.len()));
        assert!(etc_always_host.iter().any(|glob| glob.covers(b"etc/ssh/ssh_host_rsa_key")));
    }
}
