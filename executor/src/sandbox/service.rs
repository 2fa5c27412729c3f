//! The program's one supervisor: started when the first command is, gone with the program.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, Once, PoisonError};

use rustix::io::Errno;

use super::failure::Error;
use super::message::{self, Order};
use super::supervisor::NAME;
use crate::fault::reason;

/// The supervisor, from this side. It ends when the socket does.
#[derive(Debug)]
struct Service {
    process: Child,
    socket: OwnedFd,
}

static SERVICE: Mutex<Option<Service>> = Mutex::new(None);

/// Gives the supervisor an order, with the `files` that it comes with.
pub(super) fn order(order: &Order, files: &[BorrowedFd<'_>]) -> Result<(), Error> {
    let mut service = SERVICE.lock().unwrap_or_else(PoisonError::into_inner);
    let give = |service: &Service| message::send(service.socket.as_fd(), order, files);
    if let Some(running) = &*service {
        match give(running) {
            // Somebody has killed it. Whoever ran by it has heard of that; the next ones need not suffer.
            Err(Errno::PIPE | Errno::CONNRESET) => drop(service.take().map(Service::end)),
            result => return result.map_err(|error| failed("speak to", error)),
        }
    }
    give(service.insert(Service::start()?)).map_err(|error| failed("speak to", error))
}

/// What a supervisor's end without a word is called.
pub(super) fn vanished() -> Error {
    let service = SERVICE.lock().unwrap_or_else(PoisonError::into_inner).take();
    Error::Vanished { status: service.map_or_else(|| "it has been replaced".to_owned(), Service::end) }
}

impl Service {
    fn start() -> Result<Self, Error> {
        let (socket, theirs) = message::pair().map_err(|error| failed("make a socket to", error))?;
        let process = Command::new("/proc/self/exe")
            .arg0(NAME)
            .env_clear()
            .stdin(theirs)
            .stdout(Stdio::null())
            .spawn()
            .map_err(|source| Error::Control { operation: "start", source })?;
        // Nobody but its parent takes notice of its end, and not everything that has number 1 in a container does.
        static AT_EXIT: Once = Once::new();
        AT_EXIT.call_once(|| {
            // SAFETY: the function is there for as long as the program is, and what it does may be done then. That it is not
            // taken costs no more than somebody else's notice.
            let _ = unsafe { libc::atexit(end) };
        });
        Ok(Self { process, socket })
    }

    /// Ends it, and says how it ended.
    fn end(mut self) -> String {
        drop(self.socket);
        self.process.wait().map_or_else(|error| reason(&error), |status| status.to_string())
    }
}

extern "C" fn end() {
    // A thread that speaks to it now is about to end, and it with it.
    if let Ok(mut service) = SERVICE.try_lock() {
        service.take().map(Service::end);
    }
}

fn failed(operation: &'static str, error: Errno) -> Error {
    Error::Control { operation, source: error.into() }
}
