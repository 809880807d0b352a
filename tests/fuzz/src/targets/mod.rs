//! The targets, one file for each kind of input.

mod accounts;
mod bundle;
mod fstab;
mod index;
mod initrd;
mod keyring;
mod records;
mod squashfs;
mod yaml;

/// A kind of input.
pub struct Target {
    /// Its name, and that of its directory of seeds.
    pub name: &'static str,
    /// Checks an input. Returns `false` if the reader refused it; panics if a property does not
    /// hold.
    pub check: fn(&[u8]) -> bool,
    /// The reader accepts every input, because it ignores what it does not understand.
    pub total: bool,
    /// Words that inputs of this kind have.
    pub words: &'static [&'static str],
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "accounts", check: accounts::check, total: true, words: accounts::WORDS },
    Target { name: "bundle", check: bundle::check, total: false, words: &["tiu-format: 1\n", "version: "] },
    Target { name: "config", check: yaml::config, total: false, words: yaml::WORDS },
    Target { name: "etc-report", check: records::etc_report, total: false, words: records::WORDS },
    Target { name: "fstab", check: fstab::check, total: true, words: fstab::WORDS },
    Target { name: "host-state", check: records::host_state, total: false, words: records::WORDS },
    Target { name: "index", check: index::check, total: false, words: &["\\x00", " ", "\n", "../"] },
    Target { name: "initrd", check: initrd::check, total: false, words: initrd::WORDS },
    Target { name: "keyring", check: keyring::check, total: false, words: &["-----BEGIN X509 CRL-----\n"] },
    Target { name: "policy", check: yaml::policy, total: false, words: yaml::WORDS },
    Target { name: "recipe", check: yaml::recipe, total: false, words: yaml::WORDS },
    Target { name: "record", check: records::record, total: false, words: records::WORDS },
    Target { name: "squashfs", check: squashfs::check, total: false, words: &["hsqs"] },
];
