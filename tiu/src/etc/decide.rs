//! The plan for `/etc`: the three sides are read from a system's tree and merged.
//!
//! Preflight decides on the base. Where the base can be written while it is copied, fill decides
//! again on the copy: what an administrator changes in between counts.

use super::ETC;
use super::accounts::{self, Accounts, EtcMerge};
use super::decision::{EtcSides, Merge, Side};
use super::error::MergeError;
use super::lists::Lists;
use super::merge::merge;
use super::report::EtcReport;
use super::update::EtcUpdate;
use super::{settled, state};
use tiu_bundle::index::{Kind, STATE_DIR};
use tiu_bundle::policy::{POLICY_PATH, Policy};
use tiu_extract::Rules;
use tiu_system::path::TreePathBuf;

/// The plan for `/etc`.
#[derive(Clone, Debug)]
pub struct EtcPlan {
    /// The decision, to keep and to show.
    pub report: EtcReport,
    /// The rules with which the engine carries it out.
    pub rules: Rules,
    /// Users and groups.
    pub accounts: Accounts,
}

/// Decides what becomes of `/etc`. Nothing is written. What cannot be merged is an error.
pub fn decide(update: &EtcUpdate) -> Result<EtcPlan, MergeError> {
    let EtcUpdate { tree, base, incoming, .. } = update;
    // What is merged, and where the image's own version is kept.
    for path in [ETC, STATE_DIR] {
        let found = incoming.index.find(path).map(|i| incoming.index.entry(i).kind);
        if found != Some(Kind::Dir) {
            return Err(MergeError::NoDirectory(path));
        }
    }
    let host = state::legible_states_of_tree(tree, update.rules, update.watch)?;
    let defaults = base.index.map(|index| state::states_of_index(index, &base.owners));
    let settled = settled::read(tree, base.report)?;
    let policy = Policy::parse(&incoming.text(&[POLICY_PATH])?)?;
    let lists = [Lists::from_config(update.config), Lists::from_policy(&policy)];
    // Users and groups decide whose numbers the image's files get, and so how the image's side
    // looks.
    let image = state::states_of_index(incoming.index, &Rules::default());
    let sides = EtcSides { base: defaults.as_ref(), host: &host, image: &image };
    let first = EtcMerge { sides, merge: &merge(&sides, &lists, &settled) };
    let mut accounts = accounts::decide(update, &first)?;
    let mut rules =
        Rules { uids: accounts.uids.clone(), gids: accounts.gids.clone(), ..update.rules.clone() };
    let image = state::states_of_index(incoming.index, &rules);

    let sides = EtcSides { base: defaults.as_ref(), host: &host, image: &image };
    let merge = merge(&sides, &lists, &settled);
    if !merge.clashes.is_empty() {
        return Err(MergeError::Clash(merge.clashes));
    }
    rules.keep = keep(&merge, &sides);
    rules.keep.extend(accounts.paths());
    let mut report = EtcReport::new(&merge, &sides, base.version, &incoming.manifest.version);
    accounts.add_to(&mut report, &host, &image);
    Ok(EtcPlan { report, rules, accounts })
}

/// Returns what the engine leaves alone: the host's versions, and what already is the image's in
/// all that counts but its times, which stay too.
fn keep(merge: &Merge, sides: &EtcSides) -> Vec<TreePathBuf> {
    let stays = |path: &TreePathBuf| match (sides.host.get(path), sides.image.get(path)) {
        (Some(host), Some(image)) => state::same(Some(host), Some(image)) && host.mtime != image.mtime,
        _ => false,
    };
    let kept = merge.decisions.iter().filter(|decision| decision.side == Side::Host || stays(&decision.path));
    kept.map(|decision| decision.path.clone()).collect()
}
