//! The same work on several things at once, on plain threads: it waits for the network and computes nothing.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::registry::error::Error;

/// Tells work that something else has failed and that there is no use in going on.
#[derive(Debug, Default)]
pub(crate) struct Halt(AtomicBool);

impl Halt {
    /// Work is to end.
    pub(crate) fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// # Errors
    /// If the work is to end.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.0.load(Ordering::Relaxed) { Err(Error::Stopped) } else { Ok(()) }
    }
}

/// Does `work` on every item, on at most `threads` at once. The first failure ends the others and is given back.
pub(crate) fn each<T: Sync>(
    items: &[T],
    threads: usize,
    work: impl Fn(&T, &Halt) -> Result<(), Error> + Sync,
) -> Result<(), Error> {
    let (next, halt, failure) = (AtomicUsize::new(0), Halt::default(), Mutex::new(None));
    let run = || {
        while halt.check().is_ok()
            && let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed))
        {
            if let Err(error) = work(item, &halt) {
                halt.stop();
                let mut failure = failure.lock().unwrap_or_else(PoisonError::into_inner);
                if !matches!(error, Error::Stopped) {
                    failure.get_or_insert(error);
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads.min(items.len()) {
            scope.spawn(run);
        }
        run();
    });
    failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_done_once() {
        let done: Vec<AtomicUsize> = (0..50).map(|_| AtomicUsize::new(0)).collect();
        let items: Vec<usize> = (0..50).collect();
        let result = each(&items, 4, |item, _| {
            done[*item].fetch_add(1, Ordering::Relaxed);
            Ok(())
        });
        assert!(result.is_ok());
        assert!(done.iter().all(|count| count.load(Ordering::Relaxed) == 1));
    }

    #[test]
    fn a_failure_ends_the_rest_and_is_the_one_that_is_told() {
        let items: Vec<usize> = (0..1000).collect();
        let done = AtomicUsize::new(0);
        let result = each(&items, 4, |item, halt| {
            done.fetch_add(1, Ordering::Relaxed);
            if *item == 0 {
                return Err(Error::Full(layercake_cache::Digest::of(b"")));
            }
            while halt.check().is_ok() {
                thread::yield_now();
            }
            halt.check()
        });
        assert!(matches!(result, Err(Error::Full(_))));
        assert!(done.load(Ordering::Relaxed) <= 4);
    }
}
