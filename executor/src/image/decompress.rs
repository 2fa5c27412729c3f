//! Telling by its first bytes how a stream is compressed, and decompressing it.
//!
//! gzip and zstd are built in; for the rest the usual programs are run, as GNU tar does.

use std::io::{self, Cursor, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::{self, JoinHandle};

use crate::image::error::ArchiveProblem;
use crate::layer::decompress::Decompressor;

/// A stream, decompressed if it was compressed.
pub(crate) fn open(mut input: Box<dyn Read + Send>) -> Result<Box<dyn Read + Send>, ArchiveProblem> {
    let mut magic = Vec::new();
    input.by_ref().take(6).read_to_end(&mut magic).map_err(ArchiveProblem::Read)?;
    let program = match magic.as_slice() {
        [0xfd, b'7', b'z', b'X', b'Z', 0] => Some("xz"),
        [b'B', b'Z', b'h', ..] => Some("bzip2"),
        [b'L', b'Z', b'I', b'P', ..] => Some("lzip"),
        _ => None,
    };
    let whole = Cursor::new(magic).chain(input);
    Ok(match program {
        None => Box::new(Decompressor::new(whole).map_err(ArchiveProblem::Read)?),
        Some(program) => Box::new(Piped::start(program, Box::new(whole))?),
    })
}

/// A program that decompresses from its standard input to its standard output.
struct Piped {
    program: &'static str,
    child: Child,
    output: ChildStdout,
    feeder: Option<JoinHandle<io::Result<()>>>,
}

impl Piped {
    fn start(program: &'static str, mut input: Box<dyn Read + Send>) -> Result<Self, ArchiveProblem> {
        let started =
            Command::new(program).arg("-dc").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = started.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => ArchiveProblem::NoDecompressor(program),
            _ => ArchiveProblem::Read(error),
        })?;
        let mut pipe = child.stdin.take().expect("it was asked for");
        let output = child.stdout.take().expect("it was asked for");
        let feeder = thread::spawn(move || match io::copy(&mut input, &mut pipe) {
            // The program has seen enough or has failed; its status says which.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            result => result.map(drop),
        });
        Ok(Self { program, child, output, feeder: Some(feeder) })
    }

    /// The output has ended: well, or because something failed?
    fn end(&mut self) -> io::Result<()> {
        let Some(feeder) = self.feeder.take() else { return Ok(()) };
        feeder.join().map_err(|_| io::Error::other("the feeding thread panicked"))??;
        match self.child.wait()? {
            status if status.success() => Ok(()),
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, format!("`{}` found it damaged", self.program))),
        }
    }
}

impl Read for Piped {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.output.read(buffer)? {
            0 if !buffer.is_empty() => self.end().map(|()| 0),
            length => Ok(length),
        }
    }
}

impl Drop for Piped {
    fn drop(&mut self) {
        // It may have ended already; either way nothing of it is to stay.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
