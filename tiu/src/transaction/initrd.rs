//! The initrd of the new snapshot: made by the new system's dracut, or shipped. In both cases its
//! content is judged.

use super::context::Context;
use super::error::ApplyError;
use super::preflight::Ready;
use super::stage::Stage;
use crate::boot::initrd::{
    Dracut, InitrdError, InitrdPlan, Judgement, Needs, QUIET, complaints, judge, module_name,
};
use crate::draft::Draft;
use crate::namespace::{InTarget, Profile};
use crate::state::{InitrdRecord, Record};
use std::ffi::OsString;
use std::io::BufReader;
use std::path::Path;
use tiu_bundle::index::Index;
use tiu_system::path::TreePath;
use tiu_system::program::RunError;
use tiu_system::tree::Tree;

/// Largest `modules.builtin` that is read, in bytes.
const MAX_BUILTIN: u64 = 4 << 20;
/// The directories of kernels with their modules.
const MODULES: [&str; 2] = ["usr/lib/modules", "lib/modules"];

/// Makes the initrd that was planned, looks into it, and records both.
pub(super) fn make(
    context: &Context,
    ready: &Ready,
    draft: &Draft,
    record: &mut Record,
) -> Result<(), ApplyError> {
    let tree = draft.tree();
    let version = ready.bundle.manifest.version.as_str();
    let found = match &ready.initrd {
        InitrdPlan::Nothing => return Ok(()),
        InitrdPlan::Shipped(path) => match &ready.bundle.manifest.tiu.kernel {
            Some(kernel) => look_into(context, ready, tree, path, kernel)?,
            None => return Ok(()),
        },
        InitrdPlan::Dracut(plan) => {
            let found = context.stage(Stage::Initrd, Some(draft.number()), Some(version), || {
                let mut warnings = dracut(context, tree, plan)?;
                let mut found = look_into(context, ready, tree, &plan.path, &plan.kernel)?;
                warnings.append(&mut found.warnings);
                Ok::<_, ApplyError>(InitrdRecord { warnings, ..found })
            })?;
            record.add(tree, &plan.path)?;
            if let Some((link, target)) = &plan.link {
                tree.symlink(link, target)?;
                record.add(tree, link)?;
            }
            found
        }
    };
    if context.config.initrd_strict && !found.warnings.is_empty() {
        return Err(InitrdError::Refused { path: found.path, warnings: found.warnings }.into());
    }
    record.initrd = Some(found);
    Ok(())
}

/// Runs the new system's dracut in it, and returns what it complains about. An initrd that another
/// machine will boot must not be made for the devices of this one.
fn dracut(context: &Context, tree: &Tree, plan: &Dracut) -> Result<Vec<String>, ApplyError> {
    let live = context.host().is_live();
    let mut command: Vec<OsString> = vec![Path::new("/").join(plan.program).into(), "--force".into()];
    command.extend(QUIET.map(OsString::from));
    if !live {
        command.push("--no-hostonly".into());
    }
    command.push(Path::new("/").join(&plan.path).into());
    command.push(plan.kernel.clone().into());
    let run = InTarget { target: tree.path().to_owned(), profile: Profile::dracut(live), command };
    match run.run(context.watch.cancel()) {
        Ok(output) => {
            Ok(complaints(&output).into_iter().map(|line| format!("dracut reports: {line}")).collect())
        }
        Err(RunError::Cancelled(cancelled)) => Err(cancelled.into()),
        Err(source) => Err(ApplyError::Dracut { kernel: plan.kernel.clone(), source }),
    }
}

/// Looks into the initrd at `path`.
fn look_into(
    context: &Context,
    ready: &Ready,
    tree: &Tree,
    path: &TreePath,
    kernel: &str,
) -> Result<InitrdRecord, ApplyError> {
    // A list that cannot be read counts as none: the module must then be in the initrd.
    let builtin = MODULES.iter().find_map(|directory| {
        tree.read_text(format!("{directory}/{kernel}/modules.builtin"), MAX_BUILTIN).ok().flatten()
    });
    let needs = Needs { kernel, has_modules: has_modules(&ready.index, kernel), builtin: builtin.as_deref() };
    let path = path.to_owned();
    let Some(file) = tree.file(&path)? else {
        let warnings = vec![format!("initrd /{path}: not checked: it is not a regular file")];
        return Ok(InitrdRecord { path, judged: false, warnings });
    };
    Ok(match judge(BufReader::with_capacity(256 << 10, file), &needs, context.watch.cancel())? {
        Judgement::Complete => InitrdRecord { path, judged: true, warnings: Vec::new() },
        Judgement::Incomplete(missing) => {
            let warnings = missing.iter().map(|what| format!("initrd /{path}: {what}")).collect();
            InitrdRecord { path, judged: true, warnings }
        }
        Judgement::Unjudged(why) => {
            let warnings = vec![format!("initrd /{path}: not checked: {why}")];
            InitrdRecord { path, judged: false, warnings }
        }
    })
}

/// Returns true if the image has modules of `kernel`.
fn has_modules(index: &Index, kernel: &str) -> bool {
    let prefixes = MODULES.map(|directory| format!("{directory}/{kernel}/"));
    index.iter().any(|entry| {
        let path = entry.path.as_bytes();
        prefixes.iter().any(|prefix| path.starts_with(prefix.as_bytes()))
            && std::str::from_utf8(path).is_ok_and(|path| module_name(path).is_some())
    })
}
