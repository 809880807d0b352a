//! Shared code of the client's tests: keys, hosts that trust them, and bundles of small systems.

use crate::host::LoopHost;
use crate::pki::{Certificate, Identity};
use crate::program;
use crate::system;
use crate::tree;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Name of the signer.
pub const SIGNER: &str = "Test Signer";

/// Keys, and a place for bundles.
pub struct Kit {
    dir: TempDir,
    /// Root of the keyring.
    pub authority: Identity,
    /// Signs bundles.
    pub signer: Identity,
}

/// The parts of a recipe that tests vary.
#[derive(Clone, Copy)]
pub struct Recipe<'a> {
    /// Kind of host.
    pub compatible: &'a str,
    /// Version of the image.
    pub version: &'a str,
    /// More lines.
    pub more: &'a str,
}

impl Default for Kit {
    fn default() -> Self {
        Self::new()
    }
}

impl Kit {
    /// Makes the keys.
    pub fn new() -> Self {
        let authority = Certificate::new("Test Root").authority().self_signed();
        let dir = tempfile::tempdir().unwrap();
        authority.write(dir.path(), "ca");
        let signer = Certificate::new(SIGNER).usages(&["codeSigning"]).issued_by(&authority);
        signer.write(dir.path(), "signer");
        Kit { dir, authority, signer }
    }

    /// A path in the place for bundles.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The file with the root certificate.
    pub fn keyring(&self) -> PathBuf {
        self.path("ca.cert.pem")
    }

    /// A host that trusts the keys and is a `testos`.
    pub fn host(&self) -> LoopHost {
        self.host_with(512, |_| {})
    }

    /// The same with `mib` MiB; `fill` completes the tree of snapshot 1.
    pub fn host_with(&self, mib: u64, fill: impl FnOnce(&Path)) -> LoopHost {
        LoopHost::with(mib, |root| {
            self.configure(root);
            fill(root);
        })
    }

    /// Makes the system at `root` one that trusts the keys and is a `testos`.
    pub fn configure(&self, root: &Path) {
        fs::create_dir_all(root.join("etc/tiu")).unwrap();
        fs::copy(self.keyring(), root.join("etc/tiu/keyring.pem")).unwrap();
        tree::file(root, "etc/tiu/tiu.yaml", "compatible: testos\nkeyring: /etc/tiu/keyring.pem\n");
    }

    /// A bundle of the small system of `version`, with what `change` does to it.
    pub fn bundle(&self, version: u32, change: impl FnOnce(&Path)) -> PathBuf {
        let text = version.to_string();
        self.bundle_of(version, Recipe { compatible: "testos", version: &text, more: "" }, change)
    }

    /// The same, packed with another recipe.
    pub fn bundle_of(&self, version: u32, recipe: Recipe, change: impl FnOnce(&Path)) -> PathBuf {
        self.pack(version, recipe, None, change)
    }

    /// The same, packed at the time `created` (seconds since 1970).
    pub fn bundle_at(&self, version: u32, created: i64, change: impl FnOnce(&Path)) -> PathBuf {
        let text = version.to_string();
        self.pack(version, Recipe { compatible: "testos", version: &text, more: "" }, Some(created), change)
    }

    fn pack(
        &self,
        version: u32,
        recipe: Recipe,
        created: Option<i64>,
        change: impl FnOnce(&Path),
    ) -> PathBuf {
        let work = tempfile::tempdir_in(self.dir.path()).unwrap();
        let root = work.path().join("root");
        system::bootable(&root, version);
        change(&root);
        let out = work.path().join("bundle.tiu");
        let recipe_file = work.path().join("recipe.yaml");
        fs::write(
            &recipe_file,
            format!(
                "compatible: {}\nversion: \"{}\"\ncompression:\n  level: 1\n{}",
                recipe.compatible, recipe.version, recipe.more
            ),
        )
        .unwrap();
        let mut pack = Command::new(program::path("tiu-create"));
        pack.arg("pack").arg("--recipe").arg(&recipe_file);
        pack.arg("--cert").arg(self.path("signer.cert.pem")).arg("--key").arg(self.path("signer.key.pem"));
        pack.envs(created.map(|created| ("SOURCE_DATE_EPOCH", created.to_string())));
        program::outcome(pack.arg(&root).arg(&out)).succeeded();
        fs::remove_dir_all(&root).unwrap();
        let _ = work.keep();
        out
    }
}

/// A host with version 1, after `edit` of its `/etc`, and then version 2 with `change`: applied as
/// snapshot 3.
pub fn updated(base: impl Fn(&Path), edit: impl FnOnce(&Path), change: impl FnOnce(&Path)) -> LoopHost {
    let kit = Kit::new();
    let mut host = kit.host();
    host.tiu("apply", [kit.bundle(1, &base)]).succeeded();
    host.reboot();
    host.edit(2, edit);
    let second = kit.bundle(2, |root| {
        base(root);
        change(root);
    });
    host.tiu("apply", [second]).succeeded();
    let verified = host.tiu("verify", ["3"]).succeeded();
    assert!(!verified.stdout.contains("DIFFERS"), "{}", verified.stdout);
    host
}
