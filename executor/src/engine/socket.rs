//! Docker's daemon without its client, as in a container that is lent the socket: two requests of HTTP/1.1.
//!
//! Source: Docker's Engine API, `GET /_ping` and `POST /images/load`; RFC 9112, 7.1 for bodies in chunks. The HTTP client that
//! speaks to registries knows no such sockets in its stable interface.

use std::io::{self, BufWriter, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::Client;
use super::error::Error;
use crate::image::error::Error as ImageError;

/// How long the daemon may think about whether it is there.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of a chunk, but for the last.
const CHUNK: usize = 1 << 16;

/// Whether a daemon answers there.
pub(super) fn answers(socket: &Path) -> bool {
    let ask = || {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(b"GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n")?;
        Answer::read(&stream)
    };
    ask().is_ok_and(|answer: Answer| answer.status == 200)
}

/// Gives the daemon the archive that `write` writes; returns what it says.
pub(super) fn load(
    socket: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<(), ImageError>,
) -> Result<Vec<String>, Error> {
    let engine = Client::Docker.program();
    let failed = |source| Error::System { engine, source };
    let stream = UnixStream::connect(socket).map_err(failed)?;
    let head = "POST /images/load?quiet=1 HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\
                Content-Type: application/x-tar\r\nTransfer-Encoding: chunked\r\n\r\n";
    (&stream).write_all(head.as_bytes()).map_err(failed)?;
    let mut body = BufWriter::with_capacity(CHUNK, Chunks(&stream));
    let written = write(&mut body).and_then(|()| body.flush().map_err(ImageError::Write));
    // A daemon that does not read on says why, all the same.
    let ended = (&stream).write_all(b"0\r\n\r\n");
    let answer = Answer::read(&stream).map_err(failed)?;
    let refused = |said: &str| Error::Refused { engine, said: said.to_owned() };
    let mut said = Vec::new();
    for message in answer.messages() {
        if let Some(text) = message["error"].as_str().or_else(|| message["message"].as_str()) {
            return Err(refused(text));
        }
        said.extend(message["stream"].as_str().map(|text| text.trim_end().to_owned()));
    }
    if answer.status != 200 {
        return Err(refused(&format!("it answers {}", answer.status)));
    }
    written?;
    ended.map_err(failed)?;
    Ok(said)
}

/// Writes each piece as a chunk.
struct Chunks<'a>(&'a UnixStream);

impl Write for Chunks<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // An empty chunk would be the end.
        if !bytes.is_empty() {
            write!(self.0, "{:x}\r\n", bytes.len())?;
            self.0.write_all(bytes)?;
            self.0.write_all(b"\r\n")?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// What a daemon answers.
struct Answer {
    status: u16,
    body: String,
}

impl Answer {
    fn read(mut stream: &UnixStream) -> io::Result<Self> {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split_whitespace().nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it does not speak HTTP"))?;
        Ok(Self { status, body: body.to_owned() })
    }

    /// The JSON objects of the body, one on each line. The sizes of its chunks stand on lines of their own and are no objects.
    fn messages(&self) -> impl Iterator<Item = Value> {
        self.body.lines().filter_map(|line| serde_json::from_str(line).ok()).filter(Value::is_object)
    }
}
