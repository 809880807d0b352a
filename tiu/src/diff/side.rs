//! A side of a comparison: a bundle or a snapshot.

use super::error::DiffError;
use super::files::{is_below, without_labels, without_link};
use super::package::{PackageDatabase, PackageManager};
use super::{dpkg, rpm};
use crate::config::Config;
use crate::host::{Host, host_paths};
use crate::snapshots::{Snapshot, State, nested_subvolumes};
use crate::state::ImageState;
use crate::status::{ImageFacts, SignerFacts};
use serde::Serialize;
use std::io::Read;
use std::sync::Arc;
use tiu_bundle::content_digest::{Digest, digest_reader};
use tiu_bundle::index::{Entry, EntryBuf, Index, Kind};
use tiu_bundle::trust::Trust;
use tiu_extract::{Image, Rules, Verity};
use tiu_source::{Location, Network, open_bundle};
use tiu_system::fstab;
use tiu_system::path::{TreePath, TreePathBuf};
use tiu_system::progress::{Cancel, Watch};
use tiu_system::tree::{MAX_TEXT, Tree};

/// Facts about a side. The field names are those of `--json`.
#[derive(Clone, Debug, Serialize)]
pub struct SideFacts {
    /// The path of the bundle as it was given.
    pub bundle: Option<String>,
    /// The number of the snapshot.
    pub snapshot: Option<u32>,
    /// The image.
    pub image: Option<ImageFacts>,
    /// The signer; null if no trusted signer signed the image.
    pub signer: Option<SignerFacts>,
    /// The package manager; null if packages were not compared or no database was found.
    pub packages: Option<PackageManager>,
}

/// A side of a comparison.
pub struct DiffSide {
    /// Facts about it.
    pub facts: SideFacts,
    tree: SideTree,
    entries: Entries,
}

enum SideTree {
    Bundle(Box<dyn Image>),
    Snapshot(Tree),
}

enum Entries {
    Signed(Arc<Index>),
    /// The entries that were found, and the paths that were left out.
    Found(Vec<EntryBuf>, Vec<TreePathBuf>),
}

impl DiffSide {
    /// Opens a bundle; checks signature and index.
    pub fn bundle(
        location: &Location,
        network: &Network,
        trust: &Trust,
        verity: Verity,
    ) -> Result<Self, DiffError> {
        let bundle = Arc::new(open_bundle(location, network, trust, &mut |_| {})?);
        let image = tiu_extract::open_image(bundle.clone(), verity)?;
        let index = tiu_extract::read_index(&bundle, &*image)?;
        let facts = SideFacts {
            bundle: Some(location.to_string()),
            snapshot: None,
            image: Some((&bundle.manifest).into()),
            signer: Some((&bundle.signer).into()),
            packages: None,
        };
        Ok(DiffSide { facts, tree: SideTree::Bundle(image), entries: Entries::Signed(Arc::new(index)) })
    }

    /// Opens a snapshot: reads its index, or its files if it has no index.
    pub fn snapshot(
        host: &Host,
        config: &Config,
        trust: Option<&Trust>,
        snapshot: &Snapshot,
        watch: Watch,
    ) -> Result<Self, DiffError> {
        let number = snapshot.number;
        let state = snapshot.state();
        if !matches!(state, State::Ordinary | State::Done) {
            return Err(DiffError::Unfinished { number, state });
        }
        let state = ImageState::open(host, number, trust)?;
        let entries = match state.shared_index()? {
            Some(index) => Entries::Signed(index),
            None => entries_of_tree(state.tree(), config, watch)?,
        };
        let provenance = state.provenance();
        let facts = SideFacts {
            bundle: None,
            snapshot: Some(number),
            image: provenance.map(|provenance| (&provenance.manifest).into()),
            signer: provenance.and_then(|provenance| provenance.signer.as_ref().ok()).map(SignerFacts::from),
            packages: None,
        };
        Ok(DiffSide { facts, tree: SideTree::Snapshot(state.into_tree()), entries })
    }

    /// Returns whether its entries are those of a signed index.
    pub(super) fn is_signed(&self) -> bool {
        matches!(self.entries, Entries::Signed(_))
    }

    /// Returns the paths below which it was not read.
    pub(super) fn host_paths(&self) -> &[TreePathBuf] {
        match &self.entries {
            Entries::Signed(_) => &[],
            Entries::Found(_, paths) => paths,
        }
    }

    /// Returns its inodes by path, without those below `apart`, with or without labels of security
    /// modules.
    pub(super) fn entries(
        &self,
        apart: &[TreePathBuf],
        labels: bool,
    ) -> Box<dyn Iterator<Item = Entry<'_>> + '_> {
        let apart = apart.to_vec();
        let all: Box<dyn Iterator<Item = Entry<'_>> + '_> = match &self.entries {
            Entries::Signed(index) => Box::new(
                index
                    .iter()
                    .map(|entry| without_link(entry, |path| index.find(path).map(|i| index.entry(i)))),
            ),
            Entries::Found(found, _) => Box::new(found.iter().cloned()),
        };
        let all = all.filter(move |entry| !is_below(&entry.path, &apart));
        if labels { Box::new(all) } else { Box::new(all.map(without_labels)) }
    }

    /// Returns the packages of the first database that is found. Warns if a snapshot's database
    /// differs from what was signed.
    pub(super) fn packages(
        &self,
        cancel: &Cancel,
        warnings: &mut Vec<String>,
    ) -> Result<Option<PackageDatabase>, DiffError> {
        for path in dpkg::STATUS {
            let Some(content) = self.open(path)? else { continue };
            let mut bytes = Vec::new();
            let read = content.take(dpkg::MAX_SIZE).read_to_end(&mut bytes);
            read.map_err(|source| DiffError::Read { path: path.to_owned(), source })?;
            self.compare_with_index(path, &bytes[..], warnings)?;
            let packages = dpkg::parse(&String::from_utf8_lossy(&bytes));
            return Ok(Some(PackageDatabase { manager: PackageManager::Dpkg, packages }));
        }
        for directory in rpm::DIRECTORIES {
            for database in rpm::DATABASES {
                let path = directory.join(TreePath::literal(database));
                let Some(content) = self.open(&path)? else { continue };
                self.compare_with_index(&path, content, warnings)?;
                let mut files = Vec::new();
                for name in std::iter::once(database).chain(rpm::COMPANIONS) {
                    if let Some(content) = self.open(&directory.join(TreePath::literal(name)))? {
                        files.push((name, content));
                    }
                }
                let packages = rpm::packages(files.into_iter(), cancel)?;
                return Ok(Some(PackageDatabase { manager: PackageManager::Rpm, packages }));
            }
        }
        Ok(None)
    }

    /// Opens the regular file at `path`. Returns `None` if it does not exist or is something else.
    fn open(&self, path: &TreePath) -> Result<Option<Box<dyn Read + '_>>, DiffError> {
        match &self.tree {
            SideTree::Bundle(image) => match self.signed_digest(path) {
                Some(_) => Ok(Some(image.open(path)?)),
                None => Ok(None),
            },
            SideTree::Snapshot(tree) => {
                let kind = tree.stat(path).and_then(|stat| Kind::from_mode(stat.st_mode));
                match kind {
                    Some(Kind::File) => Ok(tree.file(path)?.map(|file| Box::new(file) as Box<dyn Read>)),
                    _ => Ok(None),
                }
            }
        }
    }

    /// Returns the digest that the index has for the regular file at `path`.
    fn signed_digest(&self, path: &TreePath) -> Option<Digest> {
        let Entries::Signed(index) = &self.entries else { return None };
        index.entry(index.find(path)?).digest
    }

    /// Warns if `content` is not what the index says about `path`.
    fn compare_with_index(
        &self,
        path: &TreePath,
        content: impl Read,
        warnings: &mut Vec<String>,
    ) -> Result<(), DiffError> {
        let (true, Some(number)) = (self.is_signed(), self.facts.snapshot) else { return Ok(()) };
        let (digest, _) =
            digest_reader(content).map_err(|source| DiffError::Read { path: path.to_owned(), source })?;
        if self.signed_digest(path) != Some(digest) {
            warnings.push(format!(
                "snapshot {number}: /{path} is not what was signed: its packages are shown as they are in the snapshot"
            ));
        }
        Ok(())
    }
}

/// Reads the files of a snapshot without an index.
fn entries_of_tree(tree: &Tree, config: &Config, watch: Watch) -> Result<Entries, DiffError> {
    let mounts = fstab::parse(&tree.read_text("etc/fstab", MAX_TEXT)?.unwrap_or_default());
    let paths = host_paths(&mounts, &nested_subvolumes(tree.path())?, &config.host_paths)?;
    let rules = Rules {
        host_paths: paths.clone(),
        subvolumes: vec![TreePath::literal("etc").to_owned()],
        ..Rules::default()
    };
    let found = tiu_extract::inventory(tree.fd(), &rules, watch)?;
    Ok(Entries::Found(found.into_iter().map(|found| found.entry).collect(), paths))
}
