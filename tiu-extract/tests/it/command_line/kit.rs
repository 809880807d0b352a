//! The ground of the command-line tests: keys, bundles with one thing wrong, a target that must
//! stay as it is.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use tempfile::TempDir;
use tiu_bundle::index::write_zst;
use tiu_testing::bundles::{Parts, image, tiny_index};
use tiu_testing::pki::{Certificate, Identity};
use tiu_testing::program::{RunOutput, outcome};
use tiu_testing::tree;

/// Content of the file `a` of the tiny image.
pub const CONTENT: &[u8] = b"content of a\n";

/// When a bad bundle is found out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// When it is opened, by every command.
    Opening,
    /// When the index is read: by every command that looks into the image.
    Listing,
    /// When the content is read: by `verify` and `extract`.
    Reading,
}

/// Keys, and a place for bundles and targets.
pub struct Kit {
    dir: TempDir,
    pub authority: Identity,
    pub signer: Identity,
}

/// `tiu-extract COMMAND`.
pub fn tiu_extract(command: &str) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_tiu-extract"));
    program.arg(command);
    program
}

impl Kit {
    /// A root, which is the keyring `ca.cert.pem`, and a signer for code signing.
    pub fn new() -> Self {
        let authority = Certificate::new("Test Root").authority().self_signed();
        let signer = Certificate::new("Test Signer").usages(&["codeSigning"]).issued_by(&authority);
        let dir = tempfile::tempdir().unwrap();
        authority.write(dir.path(), "ca");
        Kit { dir, authority, signer }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn keyring(&self) -> PathBuf {
        self.path("ca.cert.pem")
    }

    /// A bundle with these bytes.
    pub fn file(&self, bytes: &[u8]) -> PathBuf {
        let path = self.path("bundle.tiu");
        fs::write(&path, bytes).unwrap();
        path
    }

    /// The bytes of a bundle, signed. Its signature does not end in a zero byte, so that a cut
    /// trailer never has the form of a whole one.
    pub fn bytes(&self, parts: &Parts) -> Vec<u8> {
        loop {
            let bytes = parts.bytes(&self.signer.certificate, &self.signer.key);
            if bytes[bytes.len() - 9] != 0 || parts.cms.is_some() {
                return bytes;
            }
        }
    }

    /// A signed bundle.
    pub fn bundle(&self, parts: &Parts) -> PathBuf {
        self.file(&self.bytes(parts))
    }

    /// `tiu-extract COMMAND --keyring CA ARGUMENTS`.
    pub fn run<S: AsRef<OsStr>>(&self, command: &str, arguments: impl IntoIterator<Item = S>) -> RunOutput {
        outcome(tiu_extract(command).arg("--keyring").arg(self.keyring()).args(arguments))
    }

    /// A directory with something in it of every kind that an extraction could harm.
    pub fn target(&self) -> PathBuf {
        let target = self.path("target");
        tree::file(&target, "a", "another content");
        tree::file(&target, "old/file", "was here before");
        symlink("old/file", target.join("link")).unwrap();
        target
    }

    /// Every command that can see it refuses the bundle with `needles`, and nothing is changed.
    #[track_caller]
    pub fn refused(&self, bundle: &Path, found: Found, needles: &[&str]) {
        self.refused_with(bundle, found, needles, &[]);
    }

    /// The same with more options for each command.
    #[track_caller]
    pub fn refused_with(&self, bundle: &Path, found: Found, needles: &[&str], options: &[&OsStr]) {
        let target = self.target();
        let before = tree::state(&target);
        let files = tree::files(&target);
        let new = self.path("new");
        let run = |command: &str, more: &[&OsStr]| {
            let program = &mut tiu_extract(command);
            program.arg("--keyring").arg(self.keyring()).args(options).arg(bundle).args(more);
            outcome(program)
        };
        for (command, sees, more) in [
            ("info", Found::Opening, vec![]),
            ("list", Found::Listing, vec![]),
            ("extract", Found::Listing, vec!["--dry-run".as_ref(), target.as_os_str()]),
            ("verify", Found::Reading, vec![]),
        ] {
            let outcome = run(command, &more);
            if (sees as u8) < found as u8 {
                outcome.succeeded();
            } else {
                outcome.refused(needles);
            }
            assert_eq!(tree::state(&target), before, "{command} changed something");
        }
        if found == Found::Opening {
            run("mount", &[target.as_os_str()]).refused(needles);
        }
        run("extract", &["--delete".as_ref(), target.as_os_str()]).refused(needles);
        run("extract", &[new.as_os_str()]).refused(needles);
        if found == Found::Reading {
            // What is bad is never there, under whatever name.
            assert_eq!(fs::read_dir(&new).unwrap().count(), 0, "{:?}", tree::state(&new));
            assert_eq!(tree::files(&target), files, "extract changed files");
        } else {
            assert_eq!(tree::state(&target), before, "extract changed something");
            assert!(!new.exists(), "the target was made");
        }
    }
}

/// The squashfs of a root with `a`, 900,000 bytes that do not compress, and `index`.
fn squashfs(index: &[u8]) -> Vec<u8> {
    let root = tempfile::tempdir().unwrap();
    tree::file(root.path(), "a", CONTENT);
    tree::file(root.path(), "filling", tree::noise(1, 900_000));
    image(root.path(), Some(index))
}

/// Parts of a good bundle: a root with the file `a`, an image of more than 128 blocks, and so two
/// levels of hashes.
pub fn good() -> Parts {
    static GOOD: OnceLock<Vec<u8>> = OnceLock::new();
    let index = tiny_index(CONTENT);
    Parts::new(GOOD.get_or_init(|| squashfs(&zst(&index))).clone(), &index)
}

/// Parts of a bundle with the index `text`, which its manifest vouches for.
pub fn with_index(text: &[u8]) -> Parts {
    Parts::new(squashfs(&zst(text)), text)
}

/// Parts of a bundle with the compressed index `zst`, of which the manifest says that it is `text`.
pub fn with_zst(zst: &[u8], text: &[u8]) -> Parts {
    Parts::new(squashfs(zst), text)
}

/// A compressed index.
pub fn zst(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    write_zst(text, 1, &mut out).unwrap();
    out
}

/// Named tests, each of one change of a good bundle before it is signed.
macro_rules! bad_parts {
    ($($name:ident, $found:expr, $needles:expr, $change:expr;)*) => {$(
        #[test]
        fn $name() {
            let kit = $crate::command_line::kit::Kit::new();
            let mut parts = $crate::command_line::kit::good();
            let change: fn(&mut tiu_testing::bundles::Parts) = $change;
            change(&mut parts);
            kit.refused(&kit.bundle(&parts), $found, &$needles);
        }
    )*};
}
pub(crate) use bad_parts;

/// Named tests, each of one change of a good bundle's bytes after it was signed.
macro_rules! bad_bytes {
    ($($name:ident, $found:expr, $needles:expr, $change:expr;)*) => {$(
        #[test]
        fn $name() {
            let kit = $crate::command_line::kit::Kit::new();
            let mut bytes = kit.bytes(&$crate::command_line::kit::good());
            let change: fn(&mut Vec<u8>) = $change;
            change(&mut bytes);
            kit.refused(&kit.file(&bytes), $found, &$needles);
        }
    )*};
}
pub(crate) use bad_bytes;
