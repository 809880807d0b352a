//! The pristine copy: the image's whole `/etc` as it was signed, in `usr/lib/sysimage/tiu/etc`.
//!
//! The administrator can compare with it and go back to it, and it has the image's version of each
//! conflict. It shares content with `/etc` where both are the same. The engine makes and checks it
//! exactly like the rest of the tree, with the part of the index that is about `/etc`. Hard links
//! become separate files there.

use super::{ETC, entries};
use rustix::fs::Mode;
use rustix::io::Errno;
use std::borrow::Cow;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use tiu_bundle::index::{EntryBuf, Index, IndexError, IndexWriter, Kind};
use tiu_bundle::read_at::Reads;
use tiu_extract::{Difference, EngineError, Image, ImageError, Job, Plan, ReadBack, Rules};
use tiu_system::hints;
use tiu_system::path::{TreePath, TreePathBuf};
use tiu_system::progress::Watch;
use tiu_system::tree::{Tree, TreeError};

pub use tiu_bundle::places::PRISTINE_ETC_PATH as PRISTINE_PATH;

/// The copy could not be made or checked.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
#[non_exhaustive]
pub enum PristineError {
    #[error(transparent)]
    Tree(#[from] TreeError),
    #[error("{PRISTINE_PATH}: {0}")]
    Engine(EngineError),
    /// The part of the index is not a valid index: a bug in tiu.
    #[error("the index of /etc: {0}")]
    Index(IndexError),
}

hints! { PristineError {
    forward Tree, Engine;
    Index(_) => "this is a bug in tiu: please report it",
} }

/// A path of the image's `/etc`, relative to it.
fn inside(path: &TreePath) -> &TreePath {
    path.strip_prefix(ETC).unwrap_or(path)
}

/// Returns the part of `index` that is about `/etc`, with `/etc` as its root.
pub fn index_of_etc(index: &Index) -> Result<Index, PristineError> {
    let mut writer = IndexWriter::default();
    for entry in entries(index) {
        let inode = index.inode_of(&entry);
        let owned: EntryBuf = inode.into_owned().into_owned();
        writer.push(EntryBuf { path: Cow::Owned(inside(&entry.path).to_owned()), nlink: 1, ..owned });
    }
    Index::parse(writer.finish()).map_err(PristineError::Index)
}

/// The image's `/etc` as an image of its own.
struct EtcImage<'a> {
    image: &'a dyn Image,
    index: &'a Index,
}

impl EtcImage<'_> {
    /// Returns the path in the image that has the content of `path`.
    fn place(&self, path: &TreePath) -> TreePathBuf {
        let path = ETC.join(path);
        match self.index.find(&path).map(|i| self.index.entry(i)) {
            Some(entry) => entry.link.map_or(path, |inode| inode.into_owned()),
            None => path,
        }
    }
}

impl Image for EtcImage<'_> {
    fn open(&self, path: &TreePath) -> Result<Box<dyn Read + Send + '_>, ImageError> {
        self.image.open(&self.place(path))
    }

    fn position(&self, path: &TreePath) -> u64 {
        self.image.position(&self.place(path))
    }

    fn is_remote(&self) -> bool {
        self.image.is_remote()
    }

    fn announce(&self, paths: &[TreePathBuf], reads: Reads) {
        let places: Vec<TreePathBuf> = paths.iter().map(|path| self.place(path)).collect();
        self.image.announce(&places, reads);
    }
}

/// Makes the copy in `tree`, whose `/etc` is complete. A crash leaves an incomplete copy; running
/// again completes it.
pub fn fill(
    tree: &Tree,
    image: &dyn Image,
    index: &Index,
    rules: &Rules,
    watch: Watch,
) -> Result<Plan, PristineError> {
    let target = open(tree)?;
    let etc = index_of_etc(index)?;
    let rules = own_rules(rules);
    let seeds = [tree.path().join("etc")];
    let image = EtcImage { image, index };
    let job = Job { index: &etc, image: &image, target: target.as_fd(), seeds: &seeds, rules: &rules, watch };
    let plan = tiu_extract::plan(&job).map_err(PristineError::Engine)?;
    tiu_extract::execute(&job, &plan).map_err(PristineError::Engine)?;
    Ok(plan)
}

/// Returns the differences of the copy in `tree` from the image's `/etc`, with paths in the tree. A
/// missing copy is a difference.
pub fn check(
    tree: &Tree,
    index: &Index,
    rules: &Rules,
    what: ReadBack,
    watch: Watch,
) -> Result<Vec<Difference>, PristineError> {
    let whole = |found: &str| {
        let (found, expected) = (found.to_owned(), Kind::Dir.to_string());
        Difference { path: PRISTINE_PATH.to_owned(), what: "missing", found, expected }
    };
    let target = match tree.directory(PRISTINE_PATH) {
        Ok(target) => target,
        Err(e) => match Errno::from_io_error(&e.source) {
            Some(Errno::NOENT) => return Ok(vec![whole("nothing")]),
            Some(Errno::NOTDIR | Errno::LOOP) => return Ok(vec![whole("something else")]),
            _ => return Err(e.into()),
        },
    };
    let etc = index_of_etc(index)?;
    let found = tiu_extract::check(&etc, target.as_fd(), &own_rules(rules), what, watch);
    let mut found = found.map_err(PristineError::Engine)?;
    for difference in &mut found {
        difference.path = PRISTINE_PATH.join(&difference.path);
    }
    Ok(found)
}

/// Returns rules that only map owners: nothing in the copy is the host's.
fn own_rules(rules: &Rules) -> Rules {
    Rules { uids: rules.uids.clone(), gids: rules.gids.clone(), ..Rules::default() }
}

/// Opens the directory of the copy, which is made if it does not exist.
fn open(tree: &Tree) -> Result<OwnedFd, PristineError> {
    let (parent, name) = (PRISTINE_PATH.parent(), PRISTINE_PATH.file_name());
    let made = match rustix::fs::mkdirat(
        tree.directory(parent.unwrap_or_default())?,
        name.unwrap_or_default(),
        Mode::RWXU,
    ) {
        Err(e) if e != Errno::EXIST => Err(e),
        _ => Ok(()),
    };
    let failed = |e: Errno| TreeError { path: tree.path().join(PRISTINE_PATH), source: io::Error::from(e) };
    made.map_err(failed)?;
    Ok(tree.directory(PRISTINE_PATH)?)
}
