//! Passes signals on to the container, and ends it when asked twice.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};
use signal_hook::iterator::{Handle, Signals};

use crate::sandbox::Killer;

/// How long a container has to end by itself when it is told to, as `docker stop` gives it.
const GRACE: Duration = Duration::from_secs(10);

/// Signals that are caught, and not passed on yet: none is lost while the container starts.
pub(super) struct Caught {
    signals: Signals,
}

/// Signals that are passed on, until this is dropped.
pub(super) struct Forwarding {
    handle: Handle,
}

impl Drop for Forwarding {
    fn drop(&mut self) {
        self.handle.close();
    }
}

/// Catches what a container is sent.
pub(super) fn catch() -> io::Result<Caught> {
    Ok(Caught { signals: Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH])? })
}

impl Caught {
    /// Passes them on. Process 1 ignores what it does not handle, so whoever asks it to end a second time means it, and
    /// whoever tells it to terminate does so after a while.
    /// `resized` is called when the terminal's size changes.
    pub(super) fn forward(self, to: Killer, resized: impl Fn() + Send + 'static) -> io::Result<Forwarding> {
        let mut signals = self.signals;
        let handle = signals.handle();
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            let (to, mut asked) = (Arc::new(to), 0);
            for signal in signals.forever() {
                asked += usize::from(matches!(signal, SIGINT | SIGTERM | SIGQUIT));
                match signal {
                    SIGWINCH => resized(),
                    _ if asked > 1 => to.kill(),
                    // A container that has ended needs no signal.
                    _ => drop(Signal::from_named_raw(signal).map(|signal| to.signal(signal))),
                }
                if matches!(signal, SIGTERM | SIGHUP) {
                    let to = Arc::clone(&to);
                    thread::spawn(move || {
                        thread::sleep(GRACE);
                        to.kill();
                    });
                }
            }
        })?;
        Ok(Forwarding { handle })
    }
}
