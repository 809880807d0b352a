//! SELinux labels of the new snapshot: whether they are needed, and making them.
//!
//! The image's files have those of the index. What is made on the host, or is the host's, gets those
//! that the policy of the new snapshot has for its path.
//!
//! | file | holds |
//! |---|---|
//! | `plan` | [`plan()`]: the facts, before anything is touched |
//! | `targets` | the paths of the finished snapshot that are labelled |
//! | `ask` | asks the image's setfiles(8), on a copy of the paths with empty files |

mod ask;
mod plan;
mod targets;

pub(super) use plan::plan;

use super::context::Context;
use super::error::ApplyError;
use super::fill::Filled;
use super::preflight::Ready;
use super::stage::Stage;
use crate::draft::Draft;
use crate::labels::{Labelling, Types, wanted};
use crate::state::Record;
use targets::Targets;
use tiu_bundle::selinux::{LABEL, label_type};
use tiu_system::path::TreePathBuf;
use tiu_system::tree::{MAX_TEXT, Tree};

/// Labels that are to be set.
#[derive(Debug, Default)]
pub(super) struct Labels(Vec<(TreePathBuf, Vec<u8>)>);

/// Asks the policy for the labels of what was made on the host, and records those of files that are
/// the client's own. The record itself is still to be written.
pub(super) fn ask(
    context: &Context,
    ready: &Ready,
    filled: &Filled,
    record: &mut Record,
    draft: &Draft,
) -> Result<Labels, ApplyError> {
    let Labelling::By(by) = &ready.labelling else { return Ok(Labels::default()) };
    let version = Some(ready.bundle.manifest.version.as_str());
    context.stage(Stage::Labels, Some(draft.number()), version, || {
        let tree = draft.tree();
        let Targets { own, others } = targets::targets(context, ready, filled, record, tree)?;
        let paths =
            own.iter().map(|(path, kind)| (path, *kind)).chain(others.iter().map(|o| (&o.path, o.kind)));
        let policy = ask::labels(context, tree, by, paths)?;
        let types = tree.read_text(by.policy.customizable(), MAX_TEXT)?.unwrap_or_default();
        let types = Types::parse(&types);
        let mut labels = Vec::new();
        for (path, _) in own {
            let Some(label) = policy.get(&path) else {
                let (path, policy) = (path.absolute().to_string(), by.policy.name().to_owned());
                return Err(ApplyError::NoLabel { path, policy });
            };
            if let (Some(path), Ok(label)) = (path.to_str(), std::str::from_utf8(label)) {
                record.labels.insert(path.to_owned(), label.trim_end_matches('\0').to_owned());
            }
            labels.push((path, label.clone()));
        }
        for other in others {
            if let Some(label) = policy.get(&other.path)
                && let Some(label) = wanted(other.label.as_deref(), label, &types)
            {
                labels.push((other.path, label.to_owned()));
            }
        }
        Ok::<_, ApplyError>(Labels(labels))
    })
}

impl Labels {
    /// Sets the labels and reads them back. The record is complete.
    pub fn set(self, tree: &Tree) -> Result<(), ApplyError> {
        for (path, label) in &self.0 {
            tree.set_attribute(path, LABEL, label)?;
        }
        for (path, label) in &self.0 {
            let found = tree.attribute(path, LABEL)?;
            if found.as_deref().and_then(label_type) != label_type(label) {
                return Err(ApplyError::LabelNotKept {
                    path: path.absolute().to_string(),
                    found: found.map_or("nothing".into(), |found| shown(&found)),
                    expected: shown(label),
                });
            }
        }
        Ok(())
    }
}

fn shown(label: &[u8]) -> String {
    tiu_extract::Shown(label.strip_suffix(b"\0").unwrap_or(label)).to_string()
}
