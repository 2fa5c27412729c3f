//! Reads an archive entry by entry: ustar, pax, GNU and V7 headers, in any mixture.
//!
//! What it makes of odd archives is what Go's `archive/tar` makes of them, since that is what images are tested with:
//! global extended headers are ignored, links and folders have no content whatever their size says, numbers may be blank.
//! It knows nothing of whiteouts or disks.

mod field;
mod pax;
mod sparse;

use std::io::{self, Read};

use ::tar::Header;

use super::error::Error;
use crate::fault::Fault;
use pax::Extended;

/// Bytes of a block, in which everything in an archive is counted.
const BLOCK: usize = 512;
/// The most that a long name, an extended header or a map of holes may have, in bytes. Go's limit too.
const MOST_EXTENDED: u64 = 1 << 20;

/// An archive that is being read.
#[derive(Debug)]
pub struct Archive<R> {
    input: R,
    /// Where in the archive the input is.
    offset: u64,
    /// What is left of the current entry's stored content.
    left: u64,
    /// The blocks that its last bytes do not fill.
    padding: u64,
}

/// An entry; its content is read from the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// As the archive has it.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Permissions with setuid, setgid and sticky bits.
    pub mode: u32,
    /// Owner's user id.
    pub uid: u32,
    /// Owner's group id.
    pub gid: u32,
    /// Modification time.
    pub mtime: Time,
    /// Name and value, in no particular order.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

/// A point in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time {
    /// Since 1970; rounded down.
    pub seconds: i64,
    /// What was lost in rounding.
    pub nanoseconds: u32,
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file, of which these parts are stored, in order; the rest are holes.
    File {
        /// Its size in bytes.
        size: u64,
        /// What [`Archive::read`] gives, and where it belongs.
        parts: Vec<Part>,
    },
    /// A folder.
    Folder,
    /// A further name of the entry at this path.
    HardLink(Vec<u8>),
    /// A symbolic link to this target.
    Symlink(Vec<u8>),
    /// A character device, major and minor number.
    Character(u32, u32),
    /// A block device, major and minor number.
    Block(u32, u32),
    /// A fifo.
    Fifo,
}

/// Stored bytes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where in the file they belong.
    pub offset: u64,
    /// Their number.
    pub length: u64,
}

impl<R: Read> Archive<R> {
    /// Begins an archive, which is not compressed.
    pub fn new(input: R) -> Self {
        Self { input, offset: 0, left: 0, padding: 0 }
    }

    /// The next entry; `None` at the end. What was not read of the one before is skipped.
    ///
    /// # Errors
    /// If the archive is damaged, uses something unknown, or cannot be read.
    #[allow(clippy::should_implement_trait, reason = "an iterator could not lend the content")]
    pub fn next(&mut self) -> Result<Option<Entry>, Error> {
        let mut extended = Extended::default();
        loop {
            self.skip(self.left + self.padding)?;
            (self.left, self.padding) = (0, 0);
            let Some(header) = self.header()? else { return Ok(None) };
            let size = self.number(&header.as_old().size, "the size is not a number")?;
            let size = u64::try_from(size).map_err(|_| self.damaged("the size is negative"))?;
            match header.entry_type().as_byte() {
                b'x' => pax::parse(&self.special(size)?, &mut extended).map_err(|reason| self.damaged(reason))?,
                b'L' => extended.path = Some(field::text(&self.special(size)?).to_vec()),
                b'K' => extended.link = Some(field::text(&self.special(size)?).to_vec()),
                // A global extended header, or the volume's label.
                b'g' | b'V' => self.store(size),
                kind => return self.entry(kind, &header, size, extended).map(Some),
            }
        }
    }

    fn entry(&mut self, kind: u8, header: &Header, size: u64, mut extended: Extended) -> Result<Entry, Error> {
        let path = extended.path.take().unwrap_or_else(|| field::path(header));
        let link = extended.link.take().unwrap_or_else(|| field::text(&header.as_old().linkname).to_vec());
        let size = extended.size.unwrap_or(size);
        let kind = match kind {
            b'0' | b'\0' if path.ends_with(b"/") && size == 0 => Kind::Folder,
            b'0' | b'\0' | b'7' => {
                self.store(size);
                self.file(size, &extended)?
            }
            b'S' => {
                self.store(size);
                let (size, parts) = self.old_sparse(header)?;
                Kind::File { size, parts }
            }
            b'1' => Kind::HardLink(link),
            b'2' => Kind::Symlink(link),
            b'3' | b'4' => {
                let (major, minor) = field::device(header).ok_or_else(|| self.damaged("a device has no number"))?;
                if kind == b'3' { Kind::Character(major, minor) } else { Kind::Block(major, minor) }
            }
            b'5' => Kind::Folder,
            b'6' => Kind::Fifo,
            _ => return Err(self.damaged("an entry is of a type that is not known")),
        };
        let old = header.as_old();
        let mode = self.number(&old.mode, "the mode is not a number")?;
        let seconds = self.number(&old.mtime, "the time is not a number")?;
        let uid = extended.uid.map_or_else(|| self.number(&old.uid, "the owner is not a number"), Ok)?;
        let gid = extended.gid.map_or_else(|| self.number(&old.gid, "the group is not a number"), Ok)?;
        let id = |id: i64| u32::try_from(id).map_err(|_| self.damaged("the owner is not a user id"));
        Ok(Entry {
            path,
            kind,
            mode: u32::try_from(mode & 0o7777).expect("twelve bits fit"),
            uid: id(uid)?,
            gid: id(gid)?,
            mtime: extended.mtime.unwrap_or(Time { seconds, nanoseconds: 0 }),
            xattrs: extended.xattrs,
        })
    }

    /// The next header; `None` at the end: two empty blocks, or nothing more.
    fn header(&mut self) -> Result<Option<Header>, Error> {
        let mut header = Header::new_old();
        if !self.block(header.as_mut_bytes())? {
            return Ok(None);
        }
        if header.as_bytes().iter().all(|byte| *byte == 0) {
            let ended = !self.block(header.as_mut_bytes())? || header.as_bytes().iter().all(|byte| *byte == 0);
            return if ended { Ok(None) } else { Err(self.damaged("an empty block is followed by more")) };
        }
        if field::checksum_is_right(&header) {
            Ok(Some(header))
        } else {
            Err(self.damaged("a header's checksum is wrong, or this is no archive"))
        }
    }

    /// Reads a block; false if there is none.
    fn block(&mut self, block: &mut [u8; BLOCK]) -> Result<bool, Error> {
        let mut filled = 0;
        while filled < BLOCK {
            match self.input.read(&mut block[filled..]) {
                Ok(0) if filled == 0 => return Ok(false),
                Ok(0) => return Err(self.damaged("it ends in the middle of a block")),
                Ok(length) => filled += length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(error) => return Err(cannot_read(error)),
            }
        }
        self.offset += BLOCK as u64;
        Ok(true)
    }

    /// Reads a piece of the current entry's stored content; 0 bytes at its end.
    ///
    /// # Errors
    /// If the archive ends before, or cannot be read.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        loop {
            match self.input.read(&mut buffer[..most]) {
                Ok(0) => return Err(self.damaged("it ends in the middle of a file")),
                Ok(length) => {
                    self.left -= length as u64;
                    self.offset += length as u64;
                    return Ok(length);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(error) => return Err(cannot_read(error)),
            }
        }
    }

    /// Reads on to the end of the input, which an archive may be padded to.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn finish(mut self) -> Result<R, Error> {
        io::copy(&mut self.input, &mut io::sink()).map_err(cannot_read)?;
        Ok(self.input)
    }

    /// The whole content of an entry that is about the next one.
    fn special(&mut self, size: u64) -> Result<Vec<u8>, Error> {
        if size > MOST_EXTENDED {
            return Err(self.damaged("a long name or extended header has more than 1 MiB"));
        }
        self.store(size);
        let mut content = vec![0; usize::try_from(size).expect("at most 1 MiB")];
        let mut filled = 0;
        while filled < content.len() {
            filled += self.read(&mut content[filled..])?;
        }
        Ok(content)
    }

    /// Notes that this many bytes of content follow.
    fn store(&mut self, size: u64) {
        self.left = size;
        self.padding = (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64;
    }

    fn skip(&mut self, mut length: u64) -> Result<(), Error> {
        let mut buffer = [0; 1 << 13];
        while length > 0 {
            let most = usize::try_from(length).unwrap_or(usize::MAX).min(buffer.len());
            match self.input.read(&mut buffer[..most]) {
                Ok(0) => return Err(self.damaged("it ends in the middle of a file")),
                Ok(read) => {
                    length -= read as u64;
                    self.offset += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(error) => return Err(cannot_read(error)),
            }
        }
        Ok(())
    }

    fn number(&self, bytes: &[u8], reason: &'static str) -> Result<i64, Error> {
        field::number(bytes).ok_or_else(|| self.damaged(reason))
    }

    fn damaged(&self, reason: &'static str) -> Error {
        Error::Archive { offset: self.offset, reason }
    }
}

/// The failure of the input: the machine's if the system named an error, and the archive's if a decoder did.
fn cannot_read(source: io::Error) -> Error {
    let fault = if source.raw_os_error().is_some() { Fault::Environment } else { Fault::Input };
    Error::Stream { operation: "read the archive", source, fault }
}
