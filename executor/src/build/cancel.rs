//! Cancelling a build: the commands that run are ended, and no further one is started.

use std::sync::Mutex;

use super::error::Error;
use crate::sandbox::Killer;

/// The commands of one build, as far as they have to be ended when it fails.
#[derive(Debug, Default)]
pub struct Cancel {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    is_cancelled: bool,
    running: Vec<Killer>,
}

impl Cancel {
    /// Ends all commands, and those that are still to be registered.
    pub fn cancel(&self) {
        let mut state = self.lock();
        state.is_cancelled = true;
        for killer in state.running.drain(..) {
            killer.kill();
        }
    }

    /// Registers a command that has started. One that has ended by itself meanwhile is no longer there to be ended.
    pub fn register(&self, killer: Killer) {
        let mut state = self.lock();
        if state.is_cancelled {
            killer.kill();
        } else {
            state.running.push(killer);
        }
    }

    /// Whether to go on.
    ///
    /// # Errors
    /// [`Error::Cancelled`] if not.
    pub fn check(&self) -> Result<(), Error> {
        if self.lock().is_cancelled { Err(Error::Cancelled) } else { Ok(()) }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics while it holds this")
    }
}
