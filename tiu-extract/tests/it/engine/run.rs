//! Runs the engine on a model and a directory.

use super::model::{MemoryImage, Model};
use std::fs::File;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use tiu_bundle::index::Index;
use tiu_extract::{Difference, EngineError, Image, Job, ReadBack, Rules, Summary};
use tiu_system::progress::{Cancel, Watch};

/// The options of a run, in addition to model and directory.
#[derive(Default)]
pub struct Options {
    pub rules: Rules,
    pub seeds: Vec<PathBuf>,
    pub cancel: Cancel,
}

pub struct Applied {
    pub summary: Summary,
    /// The paths that were read from the image.
    pub read: Vec<String>,
    pub described: String,
}

/// A job without seeds, with the default rules, that nobody watches or cancels.
pub fn job<'a>(index: &'a Index, image: &'a dyn Image, target: &'a File) -> Job<'a> {
    static RULES: LazyLock<Rules> = LazyLock::new(Rules::default);
    let target = target.as_fd();
    Job { index, image, target, seeds: &[], rules: &RULES, watch: Watch::silent() }
}

/// Brings `dir` to `model` and asserts that both checks find nothing.
pub fn apply(model: &Model, dir: &Path) -> Applied {
    apply_with(model, dir, &Options::default()).unwrap()
}

pub fn apply_with(model: &Model, dir: &Path, options: &Options) -> Result<Applied, EngineError> {
    apply_image(model, &model.image(), dir, options)
}

pub fn apply_image(
    model: &Model,
    image: &MemoryImage,
    dir: &Path,
    options: &Options,
) -> Result<Applied, EngineError> {
    let index = model.index();
    let target = File::open(dir).unwrap();
    let job = Job {
        seeds: &options.seeds,
        rules: &options.rules,
        watch: Watch::without_progress(&options.cancel),
        ..job(&index, image, &target)
    };
    let plan = tiu_extract::plan(&job)?;
    let mut described = Vec::new();
    plan.describe(&index, &mut described).unwrap();
    let planned = plan.summary();
    let summary = tiu_extract::execute(&job, &plan)?;
    for count in [
        |s: &Summary| s.unchanged,
        |s: &Summary| s.removed,
        |s: &Summary| s.made,
        |s: &Summary| s.metadata,
        |s: &Summary| s.written + s.reflinked,
        |s: &Summary| s.unchanged,
    ] {
        assert_eq!(count(&planned), count(&summary), "planned {planned:?}, done {summary:?}");
    }
    let check = |read_back| {
        tiu_extract::check(
            &index,
            target.as_fd(),
            &options.rules,
            read_back,
            Watch::without_progress(&options.cancel),
        )
        .unwrap()
    };
    assert_eq!(check(ReadBack::Executed(&plan)), []);
    assert_eq!(check(ReadBack::All), []);
    Ok(Applied { summary, read: image.opened(), described: String::from_utf8(described).unwrap() })
}

/// Returns the differences from the model.
pub fn differences(model: &Model, dir: &Path, rules: &Rules) -> Vec<Difference> {
    let target = File::open(dir).unwrap();
    tiu_extract::check(&model.index(), target.as_fd(), rules, ReadBack::All, Watch::silent()).unwrap()
}
