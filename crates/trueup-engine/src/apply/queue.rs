//! Jobs that several workers do at the same time.
//!
//! Invariant: each job is done once, by one worker; the results come in the order of the jobs, whoever did them. The first error
//! halts all workers, each when it is done with what it has begun.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use trueup_core::{Error, Result};

/// What is left to be done, and what was.
pub(super) struct Queue<J, R> {
    /// The number of each job, and the job; the next one is the last.
    jobs: Mutex<Vec<(usize, J)>>,
    done: Mutex<Vec<(usize, R)>>,
    /// The first error.
    failed: Mutex<Option<Error>>,
    halted: Arc<AtomicBool>,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<J, R> Queue<J, R> {
    /// Numbers the jobs; those with the highest `rank` are taken first, equal ones in their order. `halted` is set when one fails.
    pub(super) fn new(jobs: Vec<J>, halted: &Arc<AtomicBool>, rank: impl Fn(&J) -> u64) -> Self {
        let mut jobs: Vec<(usize, J)> = jobs.into_iter().enumerate().collect();
        jobs.sort_by_key(|(_, job)| std::cmp::Reverse(rank(job)));
        jobs.reverse();
        Self {
            jobs: Mutex::new(jobs),
            done: Mutex::new(Vec::new()),
            failed: Mutex::new(None),
            halted: Arc::clone(halted),
        }
    }

    /// Does jobs until none is left, or somebody failed.
    pub(super) fn work(&self, mut job: impl FnMut(J) -> Result<R>) {
        while !self.halted.load(Ordering::Relaxed) {
            let Some((number, next)) = lock(&self.jobs).pop() else {
                return;
            };
            match job(next) {
                Ok(result) => lock(&self.done).push((number, result)),
                Err(error) => {
                    lock(&self.failed).get_or_insert(error);
                    self.halted.store(true, Ordering::Relaxed);
                }
            }
        }
    }

    /// Returns the results in the order of the jobs.
    ///
    /// # Errors
    /// The first one of any job.
    pub(super) fn finish(self) -> Result<Vec<R>> {
        let failed = self.failed.into_inner();
        if let Some(error) = failed.unwrap_or_else(PoisonError::into_inner) {
            return Err(error);
        }
        if !lock(&self.jobs).is_empty() {
            return Err(Error::bug("a worker ended without saying so"));
        }
        let done = self.done.into_inner();
        let mut done = done.unwrap_or_else(PoisonError::into_inner);
        done.sort_by_key(|(number, _)| *number);
        Ok(done.into_iter().map(|(_, result)| result).collect())
    }
}
