//! The two streams. A reader that goes away ends the program quietly, as it does every Unix tool.

use std::io::{self, Write};

use crate::failure::Failure;

/// Writes results to standard output.
///
/// # Errors
/// If it cannot be written; silently so if the reader is gone.
pub fn result(text: &str) -> Result<(), Failure> {
    let mut stream = io::stdout().lock();
    match stream.write_all(text.as_bytes()).and_then(|()| stream.flush()) {
        Ok(()) => Ok(()),
        // What a shell reports for a program that SIGPIPE ended.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::silent(141)),
        Err(error) => Err(Failure::environment(format!("cannot write to standard output: {error}"))),
    }
}

/// Writes a result and ends its line.
///
/// # Errors
/// As [`result`].
pub fn line(text: &str) -> Result<(), Failure> {
    result(&format!("{text}\n"))
}

/// Tells the user something on standard error. That nobody listens is no reason to stop.
pub fn tell(text: &str) {
    tell_bytes(text.as_bytes());
}

/// The same for what a command wrote, which need not be text.
pub fn tell_bytes(bytes: &[u8]) {
    let _ = io::stderr().lock().write_all(bytes);
}
