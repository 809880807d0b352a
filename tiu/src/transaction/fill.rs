//! Fill: the new snapshot becomes the image's tree, and is told where it comes from.

use super::preflight::Ready;
use super::{ApplyError, Context};
use crate::etc::decide::{self as etc, Etc};
use crate::etc::pristine;
use crate::snapshots::Snapshot;
use tiu_bundle::index::{CMS_PATH, INDEX_PATH};
use tiu_extract::{Plan, Summary};
use tiu_system::tree::Tree;

/// A filled target.
pub struct Filled {
    /// The new snapshot's tree.
    pub tree: Tree,
    /// What was done.
    pub summary: Summary,
    /// The plan that was carried out: it read back what it wrote.
    pub plan: Plan,
    /// The same of the copy of the image's `/etc`.
    pub pristine: Plan,
    /// What became of `/etc`.
    pub etc: Etc,
}

/// Carries out `plan`, which was made on the base, in its copy `target`; then writes the merged accounts, and the signed manifest, the index,
/// the image's `/etc` and the report of the merge beside.
///
/// A base that is not read-only may have changed between the plan and the copy, so the copy is decided on and planned for anew.
pub fn run(context: &Context, ready: &Ready, plan: Plan, target: &Snapshot) -> Result<Filled, ApplyError> {
    let tree = Tree::open(&context.host.snapshot_path(target.number))?;
    let frozen = ready.base.read_only && ready.host_rules.subvolumes.is_empty();
    let (etc, plan) = match frozen {
        true => (ready.etc.clone(), plan),
        false => {
            let etc = etc::decide(context, &tree, ready.new_image(), &ready.host_rules)?;
            let plan = tiu_extract::plan(&ready.job(context, &tree, &etc.rules))?;
            (etc, plan)
        }
    };
    let summary = tiu_extract::execute(&ready.job(context, &tree, &etc.rules), &plan)?;
    etc.accounts.write(&tree)?;
    let Context { progress, cancel, .. } = *context;
    let pristine = pristine::fill(&tree, &*ready.image, &ready.index, &etc.rules, progress, cancel)?;
    etc.report.write(&tree)?;
    // As it is in the image, where it was checked against the manifest.
    tree.write(INDEX_PATH, ready.image.open(INDEX_PATH.as_bytes())?)?;
    tree.write(CMS_PATH, &ready.bundle.cms[..])?;
    Ok(Filled { tree, summary, plan, pristine, etc })
}
