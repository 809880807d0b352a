//! A bounded cache. Each value is made once, even if several threads request it at the same time.
//!
//! It holds at most some hundred values, so a list in the order of use is as fast as a map and a
//! queue.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

type Slot<V> = Arc<Mutex<Option<Arc<V>>>>;

/// The most recently used values, by number.
pub struct Cache<V> {
    capacity: usize,
    /// The most recently used one comes first.
    slots: Mutex<VecDeque<(u64, Slot<V>)>>,
}

impl<V> Cache<V> {
    /// Returns a cache that keeps at most `capacity` values.
    pub fn new(capacity: usize) -> Self {
        Cache { capacity, slots: Mutex::new(VecDeque::new()) }
    }

    /// Returns the value of `key`, made by `make` if it is not in the cache. `make` runs without a
    /// lock on the other values. If it fails, nothing is kept.
    pub fn get<E>(&self, key: u64, make: impl FnOnce() -> Result<V, E>) -> Result<Arc<V>, E> {
        let slot = self.slot(key);
        // A panic of `make` leaves the slot empty, which is a valid state.
        let mut value = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = &*value {
            return Ok(value.clone());
        }
        let made = Arc::new(make()?);
        *value = Some(made.clone());
        Ok(made)
    }

    fn slot(&self, key: u64) -> Slot<V> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let known = slots.iter().position(|(known, _)| *known == key);
        let entry = known.and_then(|at| slots.remove(at)).unwrap_or_else(|| (key, Slot::default()));
        let slot = entry.1.clone();
        slots.push_front(entry);
        slots.truncate(self.capacity);
        slot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_was_used_last_and_nothing_that_failed() {
        let cache = Cache::new(2);
        let made = |key, value: Result<u32, ()>| {
            let mut calls = 0;
            let got = cache.get(key, || {
                calls += 1;
                value
            });
            (got.map(|value| *value), calls)
        };
        assert_eq!(made(1, Ok(10)), (Ok(10), 1));
        assert_eq!(made(2, Err(())), (Err(()), 1));
        assert_eq!(made(2, Ok(20)), (Ok(20), 1));
        assert_eq!(made(1, Ok(11)), (Ok(10), 0));
        assert_eq!(made(3, Ok(30)), (Ok(30), 1));
        assert_eq!(made(1, Ok(12)), (Ok(10), 0), "used after 2");
        assert_eq!(made(2, Ok(21)), (Ok(21), 1), "2 had to go");
    }
}
