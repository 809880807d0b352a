//! The ground of tiu-create's tests: a place to work in, the program itself, and bundles that are
//! mounted.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use tiu_bundle::bundle::Bundle;
use tiu_bundle::index::{INDEX_PATH, Index};
use tiu_bundle::read_at::FileSource;
use tiu_bundle::trust::Trust;
use tiu_testing::program::{RunOutput, outcome};
use tiu_testing::{system, tree};

/// 2023-11-14T22:13:20Z, the time of all test builds.
pub const EPOCH: i64 = 1_700_000_000;

/// The built program.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tiu-create"));
    command.env("SOURCE_DATE_EPOCH", EPOCH.to_string());
    command
}

/// Runs the program.
pub fn run<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> RunOutput {
    outcome(program().args(arguments))
}

/// A place to work in: a tree, keys, a recipe.
pub struct Place {
    dir: TempDir,
}

impl Place {
    /// With an empty tree.
    pub fn empty() -> Self {
        let place = Place { dir: tempfile::tempdir().expect("a temporary directory") };
        fs::create_dir(place.root()).expect("a tree");
        place.recipe("");
        place
    }

    /// With a small system as the tree.
    pub fn new() -> Self {
        let place = Self::empty();
        system::small(&place.root(), 1);
        place
    }

    /// A path in the place.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The tree.
    pub fn root(&self) -> PathBuf {
        self.path("root")
    }

    /// Writes a file of the tree.
    pub fn file(&self, path: &str, content: impl AsRef<[u8]>) {
        tree::file(&self.root(), path, content);
    }

    /// Writes the recipe: the lines that every test needs, and `more`.
    pub fn recipe(&self, more: &str) {
        let fast = if more.contains("compression:") { "" } else { "compression: {level: 1}\n" };
        let text = format!("compatible: testos\narch: x86_64\n{fast}{more}");
        fs::write(self.path("bundle.yaml"), text).expect("a recipe");
    }

    /// Makes development keys the first time.
    pub fn keys(&self) -> PathBuf {
        let keys = self.path("keys");
        if !keys.exists() {
            run([OsStr::new("keygen"), keys.as_os_str()]).succeeded();
        }
        keys
    }

    /// Arguments of `pack` with the keys of this place.
    pub fn pack_arguments(&self, out: &str) -> Vec<String> {
        let keys = self.keys();
        let text = |path: PathBuf| path.to_str().expect("UTF-8").to_owned();
        vec![
            "pack".to_owned(),
            "--progress=none".to_owned(),
            format!("--recipe={}", text(self.path("bundle.yaml"))),
            format!("--cert={}", text(keys.join("signer.cert.pem"))),
            format!("--key={}", text(keys.join("signer.key.pem"))),
            text(self.root()),
            text(self.path(out)),
        ]
    }

    /// Packs the tree.
    pub fn pack(&self, out: &str) -> RunOutput {
        run(self.pack_arguments(out))
    }

    /// Packs the tree, which must work, and opens the bundle as a client does.
    pub fn packed(&self) -> Packed {
        self.pack("bundle.tiu").succeeded();
        self.open("bundle.tiu")
    }

    /// Opens and mounts a bundle.
    pub fn open(&self, name: &str) -> Packed {
        let path = self.path(name);
        let trust = Trust::from_paths(&[self.keys().join("ca.cert.pem")]).expect("a keyring");
        let source = FileSource::new(fs::File::open(&path).expect("the bundle")).expect("the bundle");
        let bundle =
            Bundle::open(std::sync::Arc::new(source), &trust).expect("a bundle that a client accepts");
        let mount = Mount::new(&path);
        let index = fs::File::open(mount.path().join(INDEX_PATH)).expect("the index in the image");
        let tiu = &bundle.manifest.tiu;
        let verity_size = bundle.manifest.verity_size;
        let index = Index::read_zst(index, &tiu.index_digest, tiu.files, verity_size)
            .expect("an index that a client accepts");
        Packed { bundle, index, mount }
    }
}

/// A bundle that was opened, and mounted.
pub struct Packed {
    /// Opened with the place's own CA.
    pub bundle: Bundle,
    /// Its index.
    pub index: Index,
    /// Its image.
    pub mount: Mount,
}

impl Packed {
    /// Paths in the index, readable.
    pub fn paths(&self) -> Vec<String> {
        self.index.iter().map(|entry| tiu_create::shown(entry.path.as_bytes())).collect()
    }

    /// Text of a file in the image.
    pub fn text(&self, path: &str) -> String {
        fs::read_to_string(self.mount.path().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
    }
}

/// A mounted bundle; unmounted when dropped.
pub struct Mount(TempDir);

impl Mount {
    /// Mounts `bundle` read-only; needs root.
    pub fn new(bundle: &Path) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mounted = Command::new("mount").args(["-o", "loop,ro"]).arg(bundle).arg(dir.path()).output();
        let mounted = mounted.expect("mount does not start: install the package mount");
        assert!(
            mounted.status.success(),
            "run the tests as root: {}",
            String::from_utf8_lossy(&mounted.stderr)
        );
        Mount(dir)
    }

    /// Returns the mount point.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}
