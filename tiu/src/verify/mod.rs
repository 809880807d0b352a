//! Verify: checks whether a snapshot is still what was signed, from the certificate to the last
//! byte.
//!
//! ```text
//! model      the request and the result
//! etc        differences of /etc, explained by the report of the merge
//! scope      which paths are compared, and who says so
//! owners     the host's numbers of the image's owners, from signed and actual accounts
//! generated  files that were made on the host
//! own_files  the client's own directory
//! labels     SELinux labels of what was made on the host
//! ```
//!
//! The snapshot is the suspect. Its files say what an administrator may want to know; none of them
//! keeps a part of the system from being compared.

mod error;
mod etc;
mod generated;
mod labels;
mod model;
mod own_files;
mod owners;
mod scope;

pub use error::VerifyError;
pub use generated::InitrdSettings;
pub use model::{Depth, EtcDifference, Verified, VerifyRequest};
pub use scope::{NotCompared, NotComparedReason};

use crate::etc::pristine;
use crate::etc::{EtcReport, REPORT_PATH, is_etc};
use crate::host::Host;
use crate::snapshots::{Snapshot, btrfs};
use crate::state::{ImageState, Provenance, RECORD_PATH, Record, SealedTree};
use etc::explained;
use scope::Scope;
use std::collections::BTreeSet;
use tiu_bundle::index::Index;
use tiu_bundle::trust::Trust;
use tiu_extract::{Difference, ReadBack, Rules};
use tiu_system::path::{TreePath, TreePathBuf};
use tiu_system::progress::Watch;
use tiu_system::tree::Tree;

/// Returns the name under which the index describes an inode; `path` is any of its names.
fn first_name(index: &Index, path: &TreePath) -> Option<TreePathBuf> {
    Some(index.inode_of(&index.entry(index.find(path)?)).path.as_ref().to_owned())
}

/// Returns the snapshot's tree without what is mounted over it or in it.
fn open(host: &Host, snapshot: &Snapshot) -> Result<Tree, VerifyError> {
    let number = snapshot.number;
    let tree = Tree::from_directory(host.open_around_mounts(number)?, &host.snapshot_path(number));
    let path = tree.descriptor_path();
    let found = btrfs("asking for the id of", &path, libbtrfsutil::subvolume_id(&path))?;
    if found != snapshot.id {
        return Err(VerifyError::Mounted { number, found, expected: snapshot.id });
    }
    Ok(tree)
}

/// Compares what the seal of the snapshot does not prove.
fn since_seal(
    host: &Host,
    state: &ImageState,
    index: &Index,
    rules: &Rules,
    watch: Watch,
) -> Result<Vec<Difference>, VerifyError> {
    let not_sealed = |reason: &dyn std::fmt::Display| VerifyError::NotSealed {
        number: state.number(),
        reason: reason.to_string(),
    };
    let sealed = SealedTree::find(host, state).map_err(|reason| not_sealed(&reason))?;
    let target = state.tree().fd();
    let found = tiu_extract::check_changes(index, target, rules, &sealed.proof(), ReadBack::All, watch)?;
    found.map_err(|reason| not_sealed(&reason))
}

/// Compares every inode of `snapshot` with the signed index.
pub fn verify(
    host: &Host,
    trust: Option<&Trust>,
    snapshot: &Snapshot,
    request: &VerifyRequest,
    watch: Watch,
) -> Result<Verified, VerifyError> {
    let VerifyRequest { depth, claimed, accepted, initrd } = *request;
    let number = snapshot.number;
    let state = ImageState::from_tree(open(host, snapshot)?, number, trust)?;
    let tree = state.tree();
    let Some(index) = state.index()? else { return Err(VerifyError::NoImage(number)) };
    let Some(Provenance { manifest, signer, expired }) = state.provenance() else {
        return Err(VerifyError::NoImage(number));
    };
    let signer =
        signer.as_ref().map_err(|source| VerifyError::Unsigned { number, source: source.clone() })?;

    let mut differences = own_files::check(tree)?;
    // What nobody signed and cannot be read says nothing, and was changed.
    let record = Record::read(tree).unwrap_or_else(|e| {
        differences.push(own_files::unusable(RECORD_PATH, e.to_string()));
        None
    });
    let report = EtcReport::read(tree).unwrap_or_else(|e| {
        differences.push(own_files::unusable(REPORT_PATH, e.to_string()));
        None
    });
    let owners = owners::owners(tree, index, record.as_ref());
    differences.extend(owners.differences);
    let scope = Scope::new(&state, index, record.as_ref(), claimed, accepted)?;
    differences.extend(scope.differences);
    let files = generated::sort(tree, manifest, index, initrd, accepted, record.as_ref());
    differences.extend(files.differences);
    let compared = scope.compared.saturating_sub(files.replaced.len());
    let mut not_compared = scope.not_compared;
    not_compared.extend(files.replaced.into_iter().map(|path| NotCompared {
        path,
        reason: NotComparedReason::Made,
        entries: 1,
    }));
    not_compared.sort();

    let own_etc = state.nested()?.iter().any(|path| path.as_os_str() == "etc");
    let rules = Rules {
        host_paths: scope.host_paths,
        subvolumes: own_etc.then(|| TreePath::literal("etc").to_owned()).into_iter().collect(),
        uids: owners.uids,
        gids: owners.gids,
        // They are compared with the record below.
        keep: files.implied.iter().map(|file| file.path.clone()).collect(),
        ..Rules::default()
    };
    let read_back = match depth {
        Depth::Content | Depth::SinceSeal => ReadBack::All,
        Depth::Metadata => ReadBack::Metadata,
    };
    let found = match depth {
        Depth::SinceSeal => since_seal(host, &state, index, &rules, watch)?,
        Depth::Content | Depth::Metadata => tiu_extract::check(index, tree.fd(), &rules, read_back, watch)?,
    };
    let (etc, found): (Vec<_>, Vec<_>) = found.into_iter().partition(|d| is_etc(&d.path));
    differences.extend(found);
    let etc = explained(&state, report.as_ref(), etc, &rules, watch)?;
    // If the merge or the administrator replaced a file of `/etc`, its other names no longer are
    // links to it.
    let replaced = etc.iter().filter(|d| d.merged == Some(true) || d.difference.what != "hardlink");
    let parted: BTreeSet<TreePathBuf> =
        replaced.filter_map(|d| first_name(index, &d.difference.path)).collect();
    differences.retain(|difference| {
        difference.what != "hardlink"
            || !first_name(index, &difference.path).is_some_and(|name| parted.contains(&name))
    });
    differences.extend(pristine::check(tree, index, &rules, read_back, watch)?);
    let mut generated = Vec::new();
    for file in files.implied {
        let found = generated::differences(tree, file, depth != Depth::Metadata)?;
        if found.is_empty() {
            generated.push(file.path.clone());
        }
        differences.extend(found);
    }
    differences.extend(labels::differences(tree, record.as_ref())?);
    differences.sort();
    differences.dedup();
    Ok(Verified {
        snapshot: number,
        image: manifest.into(),
        signer: signer.into(),
        expired_since: expired.clone(),
        entries: index.len(),
        compared,
        differences,
        etc,
        generated,
        not_compared,
    })
}
