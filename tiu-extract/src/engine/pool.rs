//! Runs a list of jobs on all cores, in the order of the list. The first error stops the rest.

use super::error::EngineError;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tiu_system::progress::Cancel;

/// Returns the number of cores that the process may use.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Returns the number of threads for work that mostly waits for the disk, as reading many small
/// files does.
pub(crate) fn readers() -> usize {
    cores().saturating_mul(4)
}

/// Runs `work` on every job with up to `threads` threads. Each thread has its own state, made by
/// `state`. Returns the states.
///
/// Jobs start in the order of the list. If several fail, the error of the earliest is returned.
/// Cancellation is an error like the others.
pub(crate) fn run<J: Sync, S: Send>(
    threads: usize,
    jobs: &[J],
    cancel: &Cancel,
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, &J) -> Result<(), EngineError> + Sync,
) -> Result<Vec<S>, EngineError> {
    let next = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let failed: Mutex<Option<(usize, EngineError)>> = Mutex::new(None);
    let states = Mutex::new(Vec::new());
    let thread = || {
        let mut own = state();
        while !stop.load(Ordering::Relaxed) {
            let i = next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = jobs.get(i) else { break };
            let result = cancel.check().map_err(EngineError::from).and_then(|()| work(&mut own, job));
            if let Err(error) = result {
                stop.store(true, Ordering::Relaxed);
                let mut first = lock(&failed);
                if first.as_ref().is_none_or(|(other, _)| i < *other) {
                    *first = Some((i, error));
                }
            }
        }
        lock(&states).push(own);
    };
    match threads.min(jobs.len()) {
        0 => {}
        1 => thread(),
        threads => std::thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(thread);
            }
            thread();
        }),
    }
    match lock(&failed).take() {
        Some((_, error)) => Err(error),
        None => Ok(std::mem::take(&mut *lock(&states))),
    }
}

/// Locks `mutex`. A panic in another thread ends the whole run by itself, so poisoning needs no
/// attention.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use tiu_system::Hint;

    #[test]
    fn every_job_runs_once() {
        let jobs: Vec<u32> = (0..1000).collect();
        let work = |done: &mut Vec<u32>, job: &u32| {
            done.push(*job);
            Ok(())
        };
        let states = run(8, &jobs, &Cancel::new(), Vec::new, work).unwrap();
        assert!(states.len() <= 8);
        let done: Vec<u32> = states.into_iter().flatten().collect();
        assert_eq!((done.len(), done.into_iter().collect::<BTreeSet<_>>().len()), (1000, 1000));
        assert!(run(8, &[0u32; 0], &Cancel::new(), Vec::new, work).unwrap().is_empty());
    }

    #[test]
    fn the_earliest_error_is_returned() {
        let jobs: Vec<u64> = (0..1000).collect();
        let barrier = std::sync::Barrier::new(2);
        let fails = |_: &mut (), job: &u64| {
            if *job < 2 {
                barrier.wait();
                return Err(EngineError::TooMany { limit: *job });
            }
            Ok(())
        };
        let error = run(2, &jobs, &Cancel::new(), || (), fails).unwrap_err();
        assert!(matches!(error, EngineError::TooMany { limit: 0 }), "{error}");
    }

    #[test]
    fn a_cancelled_run_starts_nothing() {
        let cancel = Cancel::new();
        cancel.cancel();
        let error = run(2, &[1, 2, 3], &cancel, || (), |(), _| panic!("started")).unwrap_err();
        assert!(error.is_cancelled(), "{error}");
    }
}
