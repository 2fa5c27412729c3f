//! The two streams. A reader that goes away ends the program quietly, as it does every Unix tool.

use std::io::{self, BufWriter, Write};

use serde::Serialize;

use crate::failure::Failure;

/// Writes results to standard output.
///
/// # Errors
/// If it cannot be written; silently so if the reader is gone.
pub fn result(text: &str) -> Result<(), Failure> {
    let mut stream = io::stdout().lock();
    stream.write_all(text.as_bytes()).and_then(|()| stream.flush()).map_err(|error| failed(&error))
}

/// Writes a result as JSON, piece by piece: it may be large. Its keys are texts.
///
/// # Errors
/// As [`result`].
pub fn json(what: &impl Serialize) -> Result<(), Failure> {
    let mut stream = BufWriter::with_capacity(64 << 10, io::stdout().lock());
    let written = serde_json::to_writer_pretty(&mut stream, what).map_err(io::Error::from);
    written.and_then(|()| stream.write_all(b"\n")).and_then(|()| stream.flush()).map_err(|error| failed(&error))
}

fn failed(error: &io::Error) -> Failure {
    match error.kind() {
        // What a shell reports for a program that SIGPIPE ended.
        io::ErrorKind::BrokenPipe => Failure::silent(141),
        _ => Failure::environment(format!("cannot write to standard output: {error}")),
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
