//! The state of each thread of a run.

use super::content::Buffers;
use super::context::ExecuteContext;
use crate::engine::job::Summary;
use crate::engine::parents::Parents;

/// The state of one thread. Its methods carry out single steps: see [`super::file`] and
/// [`super::inode`].
pub(super) struct Worker<'a> {
    pub context: &'a ExecuteContext<'a>,
    pub parents: Parents<'a>,
    pub buffers: Buffers,
    pub sum: Summary,
}

impl<'a> Worker<'a> {
    pub fn new(context: &'a ExecuteContext<'a>) -> Self {
        Worker {
            context,
            parents: Parents::new(context.job.target),
            buffers: Buffers::default(),
            sum: Summary::default(),
        }
    }
}
