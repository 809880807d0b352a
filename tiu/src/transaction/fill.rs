//! Fill: the new snapshot becomes the image's tree, and is told where it comes from.

use super::preflight::Ready;
use super::{ApplyError, Context};
use crate::snapshots::Snapshot;
use crate::tree::Tree;
use tiu_bundle::index::{CMS_PATH, INDEX_PATH};
use tiu_extract::engine::{self, Plan, Summary};

/// A filled target.
pub struct Filled {
    /// The new snapshot's tree.
    pub tree: Tree,
    /// What was done.
    pub summary: Summary,
    /// The plan that was carried out: what was written must be read back.
    pub plan: Plan,
}

/// Carries out `plan`, which was made on the base, in its copy `target`; then writes the signed manifest and the index beside.
///
/// A base that is not read-only may have changed between the plan and the copy, so the copy is planned for anew.
pub fn run(context: &Context, ready: &Ready, plan: Plan, target: &Snapshot) -> Result<Filled, ApplyError> {
    let tree = Tree::open(&context.host.snapshot_path(target.number))?;
    let job = ready.job(context, &tree);
    let plan = match ready.base.read_only && ready.rules.subvolumes.is_empty() {
        true => plan,
        false => engine::plan(&job)?,
    };
    let summary = engine::execute(&job, &plan)?;
    // As it is in the image, where it was checked against the manifest.
    tree.write(INDEX_PATH, ready.image.open(INDEX_PATH.as_bytes())?)?;
    tree.write(CMS_PATH, &ready.bundle.cms[..])?;
    Ok(Filled { tree, summary, plan })
}
