//! Everything that can be known before anything is touched: who signed, whether the image is for this host, what will be done to
//! `/etc`, where the initrd comes from, and whether there is room.

use super::{ApplyError, Context, Request};
use crate::accounts::{self, Names};
use crate::etc::{self, Defaults, Etc};
use crate::fstab;
use crate::host::Lock;
use crate::host_paths::{host_paths, left_out};
use crate::identity::{Allowed, Identity};
use crate::initrd;
use crate::os_release::OsRelease;
use crate::provenance::Provenance;
use crate::record::Record;
use crate::snapshots::{Snapshot, State, nested_subvolumes};
use crate::tree::{Tree, TreeError};
use std::collections::HashMap;
use std::io::Read;
use std::sync::Arc;
use tiu_bundle::bundle::Bundle;
use tiu_bundle::index::Index;
use tiu_extract::engine::{self, Job, Plan, Rules};
use tiu_extract::image::{self, Image};
use tiu_extract::options::open_bundle;

/// Largest text files that are read from trees, in bytes.
const TEXT_LIMIT: u64 = 16 << 20;
/// Free space that an initrd may need, in bytes, where there is none yet to go by.
const INITRD_SPACE: u64 = 64 << 20;
/// Free space that must be left, in bytes: btrfs needs room to make room.
const RESERVE: u64 = 16 << 20;

/// What preflight found: all that the other stages need.
pub struct Ready {
    /// The bundle.
    pub bundle: Arc<Bundle>,
    /// Its content.
    pub image: Box<dyn Image>,
    /// Its index.
    pub index: Index,
    /// What the update starts from.
    pub base: Snapshot,
    /// What the engine must know.
    pub rules: Rules,
    /// What happens to `/etc`.
    pub etc: Etc,
    /// Where the initrd comes from.
    pub initrd: initrd::Plan,
    /// What the administrator should know.
    pub warnings: Vec<String>,
    /// Held to the end.
    #[allow(dead_code)]
    lock: Lock,
}

/// Checks all but space.
pub fn prepare(context: &Context, request: &Request) -> Result<Ready, ApplyError> {
    let Context { host, config, trust, progress, cancel } = *context;
    let lock = host.lock()?;
    host.check_updatable()?;
    let bundle = Arc::new(open_bundle(&request.bundle, trust)?);
    let base = host.default_snapshot()?;
    if base.state() == State::InProgress {
        return Err(ApplyError::BaseUnfinished { number: base.number });
    }
    let tree = Tree::open(&host.snapshot_path(base.number))?;
    let broken = |source| ApplyError::Base { number: base.number, source };
    let origin = Provenance::read(&tree, Some(trust)).map_err(broken)?;

    let machine = rustix::system::uname().machine().to_string_lossy().into_owned();
    let of_base = origin.as_ref().map(|origin| &origin.manifest);
    let os = OsRelease::parse(&os_release(&tree)?);
    let identity = Identity::new(config.compatible.as_deref(), of_base, &os, &machine);
    let allowed =
        Allowed { downgrade: request.allow_downgrade || config.allow_downgrade, same: request.force };
    identity.accepts(&bundle.manifest, allowed)?;

    let image = image::open(bundle.clone(), request.verity)?;
    let index = image::read_index(&bundle, &*image)?;
    let image_os = image_text(&*image, &index, &["usr/lib/os-release", "etc/os-release"]);
    let initrd =
        initrd::plan(&index, bundle.manifest.tiu.kernel.as_deref(), &OsRelease::parse(&image_os), config)?;

    let mounts = fstab::parse(&tree.read_text("etc/fstab", TEXT_LIMIT)?.unwrap_or_default());
    let nested = nested_subvolumes(tree.path())?;
    let mut rules =
        Rules { host_paths: host_paths(&mounts, &nested, &config.host_paths)?, ..Rules::default() };
    if nested.iter().any(|path| path.as_os_str().as_encoded_bytes() == etc::ETC) {
        rules.subvolumes.push(etc::ETC.to_vec());
    }

    let base_index = match &origin {
        Some(origin) => Some(origin.index(&tree).map_err(broken)?),
        None => None,
    };
    let defaults = base_index.as_ref().map_or(Defaults::New(&index), Defaults::Base);
    let known = Record::read(&tree)?;
    let base_rules = Rules {
        uids: known.iter().flat_map(|r| &r.uids).map(|(k, v)| (*k, *v)).collect(),
        gids: known.iter().flat_map(|r| &r.gids).map(|(k, v)| (*k, *v)).collect(),
        ..rules.clone()
    };
    let against = base_index.as_ref().unwrap_or(&index);
    let differences = etc::compare(&tree, against, &base_rules, progress, cancel)?;
    let etc = etc::decide(&differences, &defaults, config);
    rules.keep = etc.keep.clone();
    rules.uids = owners(&tree, &*image, &index, &etc, "user")?;
    rules.gids = owners(&tree, &*image, &index, &etc, "group")?;

    let mut warnings = Vec::new();
    if host.is_live() && !base.active {
        warnings.push(format!(
            "snapshot {} boots next and is not running yet: changes of /etc since then are not in the new snapshot",
            base.number
        ));
    }
    for (path, count) in left_out(&index, &rules.host_paths) {
        warnings.push(format!(
            "/{path} belongs to the host: {count} entries of the image there are not installed"
        ));
    }
    Ok(Ready { bundle, image, index, base, rules, etc, initrd, warnings, lock })
}

/// Plans on the base, of which the new snapshot will be a copy, and asks whether there is room.
pub fn plan(context: &Context, ready: &Ready) -> Result<Plan, ApplyError> {
    let tree = Tree::open(&context.host.snapshot_path(ready.base.number))?;
    let plan = engine::plan(&ready.job(context, &tree))?;
    let initrd = match &ready.initrd {
        initrd::Plan::Dracut(dracut) => {
            let old = tree.stat(&dracut.path).map_or(0, |stat| stat.st_size.max(0) as u64);
            // The new one, and what dracut leaves in the way of metadata.
            old.saturating_mul(2).max(INITRD_SPACE)
        }
        _ => 0,
    };
    let needed = plan.space_needed().saturating_add(initrd).saturating_add(RESERVE);
    let stat = rustix::fs::fstatvfs(tree.fd())
        .map_err(|e| TreeError { path: tree.path().to_owned(), source: e.into() })?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    if needed > free {
        return Err(ApplyError::NoSpace { needed, free });
    }
    Ok(plan)
}

impl Ready {
    /// The engine's job on `tree`.
    pub fn job<'a>(&'a self, context: &'a Context, tree: &'a Tree) -> Job<'a> {
        Job {
            index: &self.index,
            image: &*self.image,
            target: tree.fd(),
            seeds: &[],
            rules: &self.rules,
            progress: context.progress,
            cancel: context.cancel,
        }
    }
}

/// os-release of a tree, or nothing. `/etc/os-release` is mostly a link to the other.
pub fn os_release(tree: &Tree) -> Result<String, ApplyError> {
    if let Some(text) = tree.read_text("usr/lib/os-release", TEXT_LIMIT)? {
        return Ok(text);
    }
    match tree.link("etc/os-release") {
        Some(_) => Ok(String::new()),
        None => Ok(tree.read_text("etc/os-release", TEXT_LIMIT)?.unwrap_or_default()),
    }
}

/// The first of `paths` that is a regular file in the image; nothing if none is, or if it cannot be read: whatever depends on it then
/// takes its default, and damage is found when the file is written.
fn image_text(image: &dyn Image, index: &Index, paths: &[&str]) -> String {
    let read = |path: &&str| {
        let entry = index.entry(index.find(path.as_bytes())?);
        entry.digest?;
        let mut bytes = Vec::new();
        image.open(path.as_bytes()).ok()?.take(TEXT_LIMIT).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    };
    paths.iter().find_map(read).unwrap_or_default()
}

/// How the image's numbers of `what` (user, group) become the host's. The image's own unless the host keeps its file.
fn owners(
    tree: &Tree,
    image: &dyn Image,
    index: &Index,
    etc: &Etc,
    what: &'static str,
) -> Result<HashMap<u32, u32>, ApplyError> {
    let path = if what == "user" { "etc/passwd" } else { "etc/group" };
    if !etc.is_kept(path.as_bytes()) {
        return Ok(HashMap::new());
    }
    let of_image = Names::parse(image_text(image, index, &[path]).as_bytes());
    let of_host = Names::parse(&tree.read(path, TEXT_LIMIT)?.unwrap_or_default());
    let (numbers, clashes) = accounts::map(&of_image, &of_host);
    let used = |number: u32| {
        index.iter().any(|entry| if what == "user" { entry.uid == number } else { entry.gid == number })
    };
    match clashes.into_iter().find(|clash| used(clash.number)) {
        Some(clash) => Err(ApplyError::Clash { what, clash }),
        None => Ok(numbers),
    }
}
