//! What each thread of a run has for itself.

use super::content::Buffers;
use super::context::Context;
use crate::engine::job::Summary;
use crate::engine::parents::Parents;

/// What each thread has for itself.
pub(super) struct Worker<'a> {
    pub context: &'a Context<'a>,
    pub parents: Parents<'a>,
    pub buffers: Buffers,
    pub sum: Summary,
}

impl<'a> Worker<'a> {
    pub fn new(context: &'a Context<'a>) -> Self {
        Worker {
            context,
            parents: Parents::new(context.job.target),
            buffers: Buffers::default(),
            sum: Summary::default(),
        }
    }
}
