//! The three sides of `/etc`, read from a system's tree, and what becomes of it.
//!
//! Decided in preflight on the base; and, where the base can be written while it is copied, once more on the copy: what an
//! administrator changes in between counts.

use crate::accounts::decide::{self as accounts, Accounts, Known};
use crate::etc::decision::{Merge, Side, Sides};
use crate::etc::lists::{self, Lists};
use crate::etc::merge::merge;
use crate::etc::report::Report;
use crate::etc::settled;
use crate::etc::state;
use crate::state::provenance::Provenance;
use crate::state::record::Record;
use crate::transaction::{ApplyError, Context};
use std::io::Read;
use tiu_bundle::index::{Index, Kind, STATE_DIR};
use tiu_bundle::manifest::Manifest;
use tiu_extract::{Image, Rules};
use tiu_system::tree::Tree;

/// Largest text files that are read from trees, in bytes.
const TEXT_LIMIT: u64 = 16 << 20;

/// The image that comes, and what it comes to.
#[derive(Clone, Copy)]
pub struct New<'a> {
    /// Number of the base.
    pub base: u32,
    /// What it says of itself.
    pub manifest: &'a Manifest,
    /// Its content.
    pub image: &'a dyn Image,
    /// Its index.
    pub index: &'a Index,
}

/// What becomes of `/etc`.
#[derive(Clone, Debug)]
pub struct Etc {
    /// The decision, to keep and to show.
    pub report: Report,
    /// How the engine is told.
    pub rules: Rules,
    /// Users and groups.
    pub accounts: Accounts,
}

/// Decides what becomes of `/etc` of the system in `tree`, whose image its own state directory names. `rules` tells what is the host's.
/// What cannot be merged is an error.
pub fn decide(context: &Context, tree: &Tree, new: New, rules: &Rules) -> Result<Etc, ApplyError> {
    // What is merged, and where the image's own version is kept.
    for path in ["etc", STATE_DIR] {
        if !new.index.find(path.as_bytes()).is_some_and(|i| new.index.entry(i).kind == Kind::Dir) {
            return Err(ApplyError::NoDirectory(path));
        }
    }
    let broken = |source| ApplyError::Base { number: new.base, source };
    let origin = Provenance::read(tree, None).map_err(broken)?;
    let base = match &origin {
        Some(origin) => Some(origin.index(tree).map_err(broken)?),
        None => None,
    };
    let known = Record::read(tree)?;
    let base_rules = Rules {
        uids: known.iter().flat_map(|r| &r.uids).map(|(k, v)| (*k, *v)).collect(),
        gids: known.iter().flat_map(|r| &r.gids).map(|(k, v)| (*k, *v)).collect(),
        ..Rules::default()
    };
    let host = state::of_tree(tree, rules, context.progress, context.cancel)?;
    let base = base.map(|index| state::of_index(&index, &base_rules));
    let settled = settled::read(tree, Report::read(tree)?.as_ref())?;
    let of_image = Lists::of_image(&image_text(new.image, new.index, &[lists::IMAGE_PATH]))?;
    let lists = [Lists::of_host(context.config), of_image];
    // Users and groups decide whose numbers the image's files get, and so how the image's side looks.
    let image = state::of_index(new.index, &Rules::default());
    let sides = Sides { base: base.as_ref(), host: &host, image: &image };
    let known = Known { sides, merge: &merge(&sides, &lists, &settled) };
    let mut accounts = accounts::decide(context, tree, new, &known)?;
    let mut rules = Rules { uids: accounts.uids.clone(), gids: accounts.gids.clone(), ..rules.clone() };
    let image = state::of_index(new.index, &rules);

    let sides = Sides { base: base.as_ref(), host: &host, image: &image };
    let merge = merge(&sides, &lists, &settled);
    if !merge.clashes.is_empty() {
        return Err(ApplyError::EtcClash(merge.clashes));
    }
    rules.keep = keep(&merge, &sides);
    rules.keep.extend(accounts.paths());
    let from = origin.as_ref().map(|origin| origin.manifest.version.as_str());
    let mut report = Report::new(&merge, &sides, from, &new.manifest.version);
    accounts.tell(&mut report, &host, &image);
    Ok(Etc { report, rules, accounts })
}

/// What the engine leaves alone: the host's versions, and what is the image's already in all that counts, whose times stay, too.
fn keep(merge: &Merge, sides: &Sides) -> Vec<Vec<u8>> {
    let stays = |path: &Vec<u8>| match (sides.host.get(path), sides.image.get(path)) {
        (Some(host), Some(image)) => state::same(Some(host), Some(image)) && host.mtime != image.mtime,
        _ => false,
    };
    let kept = merge.decisions.iter().filter(|decision| decision.side == Side::Host || stays(&decision.path));
    kept.map(|decision| decision.path.clone()).collect()
}

/// The first of `paths` that is a regular file in the image; nothing if none is, or if it cannot be read: whatever depends on it then
/// takes its default, and damage is found when the file is written.
pub fn image_text(image: &dyn Image, index: &Index, paths: &[&str]) -> String {
    let read = |path: &&str| {
        let entry = index.entry(index.find(path.as_bytes())?);
        entry.digest?;
        let mut bytes = Vec::new();
        image.open(path.as_bytes()).ok()?.take(TEXT_LIMIT).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    };
    paths.iter().find_map(read).unwrap_or_default()
}
