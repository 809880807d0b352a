//! Equal blocks exist only once in a process. An update has two indexes, the old image's and the
//! new one's, of which most lines are equal.

use super::block::Block;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

/// The blocks of all indexes, by a hash of their digests.
static BLOCKS: LazyLock<Mutex<HashMap<u64, Weak<Block>>>> = LazyLock::new(Mutex::default);

/// Returns `block`, or the equal one that exists.
pub(super) fn shared(block: Block) -> Arc<Block> {
    let mut hasher = DefaultHasher::new();
    (&block.first, &block.digests).hash(&mut hasher);
    let mut blocks = BLOCKS.lock().unwrap_or_else(PoisonError::into_inner);
    let number = hasher.finish();
    if let Some(other) = blocks.get(&number).and_then(Weak::upgrade)
        && *other == block
    {
        return other;
    }
    if blocks.len() == blocks.capacity() {
        blocks.retain(|_, block| block.strong_count() > 0);
    }
    let block = Arc::new(block);
    blocks.insert(number, Arc::downgrade(&block));
    block
}
