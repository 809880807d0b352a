//! Fill: brings the new snapshot to the image's tree, and stores its origin in it.

use super::context::Context;
use super::damage::{self, DraftPlan};
use super::error::ApplyError;
use super::own_files;
use super::preflight::Ready;
use super::sealed;
use crate::draft::Draft;
use crate::etc::{EtcPlan, decide, pristine};
use crate::state::ImageState;
use tiu_bundle::index::{CMS_PATH, INDEX_PATH};
use tiu_extract::{ClearedFlags, Job, Plan, Summary};
use tiu_system::tree::Tree;

/// The result of the stage.
pub struct Filled {
    /// The work of the engine.
    pub summary: Summary,
    /// The plan that was carried out: it read back what it wrote.
    pub plan: Plan,
    /// The plan of the copy of the image's `/etc`.
    pub pristine: Plan,
    /// The result for `/etc`.
    pub etc: EtcPlan,
    /// Inodes of the host's whose flags (immutable, append-only) are cleared for as long as the
    /// draft is worked on.
    pub flags: Vec<ClearedFlags>,
}

/// Carries out `plan`, which was made on the base, in its copy. Then writes the merged accounts,
/// and the signed manifest, the index, the image's `/etc` and the report of the merge.
///
/// A base that is not read-only may have changed between the plan and the copy, so the copy is
/// decided on and planned for again. A base with damaged metadata has no copy.
pub fn fill(context: &Context, ready: &Ready, plan: Plan, draft: &Draft) -> Result<Filled, ApplyError> {
    let tree = draft.tree();
    let DraftPlan { etc, plan, seeds, flags } = start(context, ready, plan, draft)?;
    let job = Job { seeds: &seeds, ..ready.job(context, tree, &etc.rules) };
    let summary = tiu_extract::execute(&job, &plan)?;
    etc.accounts.write(tree)?;
    own_files::clear(tree)?;
    let pristine = pristine::fill(tree, &*ready.image, &ready.index, &etc.rules, context.watch)?;
    etc.report.write(tree)?;
    // As it is in the image, where it was checked against the manifest.
    tree.write_private(INDEX_PATH, ready.image.open(INDEX_PATH)?)?;
    tree.write_private(CMS_PATH, &ready.bundle.cms[..])?;
    Ok(Filled { summary, plan, pristine, etc, flags })
}

fn start(context: &Context, ready: &Ready, plan: Plan, draft: &Draft) -> Result<DraftPlan, ApplyError> {
    let tree = draft.tree();
    if !plan.is_possible() {
        return damage::start(context, ready, draft);
    }
    // Another program has worked in a draft of its own.
    let frozen = ready.base.read_only && ready.host_rules.subvolumes.is_empty() && draft.is_own();
    let (etc, plan) = if frozen {
        (ready.etc.clone(), plan)
    } else {
        drop(plan);
        let copy = Tree::open(tree.path())?;
        let state = ImageState::from_copy(&ready.state, copy, draft.number()).map_err(ApplyError::Copy)?;
        let update = ready.etc_update(context, &state, &ready.host_rules).map_err(ApplyError::Copy)?;
        let etc = decide(&update)?;
        let plan = sealed::plan(ready.sealed.as_ref(), tree, &ready.job(context, tree, &etc.rules))?;
        (etc, plan)
    };
    let flags = plan.clear_flags_of_host(tree.fd())?;
    Ok(DraftPlan { etc, plan, seeds: Vec::new(), flags })
}
