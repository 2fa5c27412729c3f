//! All layers of an image, fetched and unpacked side by side, each while it comes.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use layercake_cache::{Digest, Store};

use super::layer::{Below, Layer, Unpacked, ensure, ensure_while, find};
use crate::layer::error::Error;
use crate::layer::plain;

/// The folders of all layers of an image, bottom first. `fetch` brings a blob into the store that is not there yet; it
/// and the unpacking are done for at most `jobs` layers at once. A layer that depends on those below waits for them.
///
/// # Errors
/// The first error of any layer.
pub fn ensure_all<E: From<Error> + Send>(
    store: &Store,
    layers: &[Layer],
    jobs: usize,
    fetch: impl Fn(&Digest) -> Result<(), E> + Sync,
) -> Result<Vec<Unpacked>, E> {
    let diff_ids: Vec<Digest> = layers.iter().map(|layer| layer.diff_id).collect();
    let board = Board { states: Mutex::new(vec![State::Waiting; layers.len()]), changed: Condvar::new() };
    let next = AtomicUsize::new(0);
    let first_error = Mutex::new(None);
    let work = || {
        loop {
            // Taken from the bottom, so whoever waits, waits for layers that somebody is at.
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(layer) = layers.get(index) else { return };
            let turn = Turn { board: &board, index };
            let folders = || board.folders_below(index);
            let below = Below { diff_ids: &diff_ids[..index], folders: &folders };
            match one(store, layer, below, &fetch) {
                Ok(unpacked) => turn.done(unpacked),
                Err(error) => {
                    first_error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                    next.store(layers.len(), Ordering::Relaxed);
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..jobs.min(layers.len()) {
            scope.spawn(work);
        }
        work();
    });
    match first_error.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok(board.all()),
    }
}

fn one<E: From<Error> + Send>(
    store: &Store,
    layer: &Layer,
    below: Below<'_>,
    fetch: impl Fn(&Digest) -> Result<(), E> + Sync,
) -> Result<Unpacked, E> {
    if let Some(found) = find(store, layer, below) {
        return Ok(found);
    }
    if plain::is_at_hand(store, &layer.blob) {
        return Ok(ensure(store, layer, below)?);
    }
    ensure_while(store, layer, below, || fetch(&layer.blob))
}

/// Where a layer stands.
#[derive(Clone, Debug)]
enum State {
    Waiting,
    Done(Unpacked),
    Failed,
}

/// Where all layers stand, for those who wait.
struct Board {
    states: Mutex<Vec<State>>,
    changed: Condvar,
}

impl Board {
    fn states(&self) -> MutexGuard<'_, Vec<State>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for all layers below one, and says where they lie, topmost first.
    fn folders_below(&self, index: usize) -> Result<Vec<PathBuf>, Error> {
        let waiting = |states: &mut Vec<State>| states[..index].iter().any(|state| matches!(state, State::Waiting));
        let states = self.changed.wait_while(self.states(), waiting).unwrap_or_else(PoisonError::into_inner);
        let path = |state: &State| match state {
            State::Done(unpacked) => Ok(unpacked.path.clone()),
            State::Waiting | State::Failed => Err(Error::Below),
        };
        states[..index].iter().rev().map(path).collect()
    }

    fn all(self) -> Vec<Unpacked> {
        let states = self.states.into_inner().unwrap_or_else(PoisonError::into_inner);
        let unpacked = states.into_iter().filter_map(|state| match state {
            State::Done(unpacked) => Some(unpacked),
            State::Waiting | State::Failed => None,
        });
        unpacked.collect()
    }
}

/// The work on one layer; if it ends in any other way than by [`Turn::done`], a panic included, the layer has failed, and
/// nobody waits for it for ever.
struct Turn<'a> {
    board: &'a Board,
    index: usize,
}

impl Turn<'_> {
    fn done(self, unpacked: Unpacked) {
        self.board.states()[self.index] = State::Done(unpacked);
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let state = &mut self.board.states()[self.index];
        if matches!(state, State::Waiting) {
            *state = State::Failed;
        }
        self.board.changed.notify_all();
    }
}
