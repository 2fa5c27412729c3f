//! Writes a folder in overlay form as a layer archive: the same bytes for the same tree, on any machine.
//!
//! - Entries are in the order of their paths, component by component, parents before children. Folders that were only
//!   carried along are written too, as Docker does: without them an unpacked layer would have folders of default mode.
//! - Times are whole seconds, rounded down, as Docker's and containerd's: a fraction would cost an extended header for
//!   each entry. Access and change times are left out, as are the names of users and groups.
//! - A whiteout has mode and time 0, as containerd's: when something was deleted is chance.
//! - The tree's root is written, as `./`, only if it is not what every unpacker assumes (root's, mode 0755).
//! - Sparse files are written as data: their holes are the file system's business, and the tools disagree about them.

use std::collections::HashMap;
use std::ffi::{CStr, CString, OsStr};
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use ::tar::{Builder, EntryType};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat, fstat, openat, readlinkat, statat};
use rustix::io::{Errno, read};

use super::error::Error;
use super::{Contents, OPAQUE_NAME, WHITEOUT_PREFIX};
use crate::fault::{At, Fault, PathError};
use crate::tree::attributes::Attributes;
use crate::tree::list;
use crate::tree::mark::{self, Opacity};
use crate::tree::xattr::Source;

mod header;
mod part;

pub(crate) use header::Header;
pub(crate) use part::{END, Part};

/// Bytes of a file read at once.
const CHUNK: usize = 1 << 18;
/// Bytes of a block, in which everything in an archive is counted.
pub(crate) const BLOCK: u64 = 512;

/// Writes the folder, and two empty blocks at the end. `epoch`, in seconds since 1970, is the latest time that an entry
/// may have (`SOURCE_DATE_EPOCH`).
///
/// # Errors
/// If the folder cannot be read, holds what no layer can express, or changes meanwhile; or if `out` fails.
pub fn write<W: Write>(folder: &Path, epoch: Option<i64>, out: W) -> Result<W, Error> {
    write_contents(&[("", folder)], epoch.unwrap_or(i64::MAX), Contents::All, out)
}

/// Writes the folder's outline.
///
/// # Errors
/// As [`write()`].
pub fn write_outline<W: Write>(folder: &Path, out: W) -> Result<W, Error> {
    write_contents(&[("", folder)], i64::MAX, Contents::Outline, out)
}

/// Writes several folders into one archive, each under a name; one whose name is empty is its root.
///
/// # Errors
/// As [`write()`].
pub fn write_each<W: Write>(folders: &[(&str, &Path)], epoch: Option<i64>, out: W) -> Result<W, Error> {
    write_contents(folders, epoch.unwrap_or(i64::MAX), Contents::All, out)
}

fn write_contents<W: Write>(folders: &[(&str, &Path)], epoch: i64, contents: Contents, out: W) -> Result<W, Error> {
    let mut builder = Builder::new(out);
    for (name, folder) in folders {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = openat(CWD, *folder, flags, Mode::empty()).at("open", folder)?;
        let stat = fstat(&fd).at("look at", folder)?;
        let mut path = name.as_bytes().to_vec();
        if !path.is_empty() {
            path.push(b'/');
        }
        let mut writer = Writer {
            out: builder,
            root: folder,
            epoch,
            contents,
            above: path.len(),
            path,
            first: HashMap::new(),
            buffer: vec![0; CHUNK],
        };
        writer.root(&fd, &stat)?;
        builder = writer.out;
    }
    builder.into_inner().map_err(cannot_write)
}

/// The failure of the stream that the archive goes to.
fn cannot_write(source: io::Error) -> Error {
    Error::Stream { operation: "write the layer's archive", source, fault: Fault::Environment }
}

struct Writer<'a, W: Write> {
    out: Builder<W>,
    root: &'a Path,
    epoch: i64,
    contents: Contents,
    /// Of the current entry, from the archive's root; a folder's ends in a slash.
    path: Vec<u8>,
    /// How much of each path is the name that the folder has in the archive.
    above: usize,
    /// The first name of each file that has several, by device and inode number.
    first: HashMap<(u64, u64), Vec<u8>>,
    buffer: Vec<u8>,
}

impl<W: Write> Writer<'_, W> {
    fn root(&mut self, fd: &OwnedFd, stat: &Stat) -> Result<(), Error> {
        let attributes = self.attributes(fd, stat)?;
        if self.above > 0 {
            self.header(EntryType::Directory, stat, &attributes)?;
        } else if attributes != Attributes::folder_default() {
            self.path.extend_from_slice(b"./");
            self.header(EntryType::Directory, stat, &attributes)?;
            self.path.clear();
        }
        self.everything(fd)
    }

    /// Goes down and up with one folder open at a time, however deep the tree is.
    fn everything(&mut self, root: &OwnedFd) -> Result<(), Error> {
        let mut fd = list::open_below(root, b"").at("open", self.root)?;
        // For each folder on the way, what is left of it and the length of its path.
        let mut way = vec![(self.begin(&fd)?, self.above)];
        while let Some((names, length)) = way.last_mut() {
            self.path.truncate(*length);
            match names.next() {
                Some(name) => {
                    if let Some(inner) = self.entry(&fd, &name)? {
                        fd = inner;
                        way.push((self.begin(&fd)?, self.path.len()));
                    }
                }
                None => {
                    way.pop();
                    if let Some((_, length)) = way.last() {
                        self.path.truncate(*length);
                        fd = list::open_below(root, &self.path[self.above..]).at("open", &self.place())?;
                    }
                }
            }
        }
        Ok(())
    }

    /// What a folder says of itself inside of it, and its names.
    fn begin(&mut self, folder: &OwnedFd) -> Result<std::vec::IntoIter<CString>, Error> {
        if mark::opacity(Source::Open(folder.as_fd())).at("read the opaque mark of", &self.place())? == Opacity::Opaque
        {
            self.mark(OPAQUE_NAME)?;
        }
        Ok(list::names(folder).at("list", &self.place())?.into_iter())
    }

    /// Writes an entry; if it is a folder, opens it.
    fn entry(&mut self, folder: &OwnedFd, name: &CStr) -> Result<Option<OwnedFd>, Error> {
        let stat = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|error| PathError::new("look at", self.place().join(OsStr::from_bytes(name.to_bytes())), error))?;
        if mark::is_whiteout(&stat) {
            self.mark(&[WHITEOUT_PREFIX, name.to_bytes()].concat())?;
            return Ok(None);
        }
        self.path.extend_from_slice(name.to_bytes());
        if name.to_bytes().starts_with(WHITEOUT_PREFIX) {
            return Err(self.inexpressible("names that begin with `.wh.` mean deletions there"));
        }
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind == FileType::Directory {
            let fd = list::open_folder(folder, name).at("open", &self.place())?;
            let attributes = self.attributes(&fd, &stat)?;
            self.path.push(b'/');
            self.header(EntryType::Directory, &stat, &attributes)?;
            return Ok(Some(fd));
        }
        if kind == FileType::RegularFile && !self.contents.has(&self.path) {
            let header = Header { path: &self.path, mode: 0o600, ..Header::mark() };
            header.write(&mut self.out).map_err(cannot_write)?;
        } else if !self.is_further_name(&stat)? {
            self.leaf(kind, folder, name, &stat)?;
        }
        Ok(None)
    }

    /// Writes anything but a folder.
    fn leaf(&mut self, kind: FileType, folder: &OwnedFd, name: &CStr, stat: &Stat) -> Result<(), Error> {
        let attributes = Attributes::plain(stat);
        match kind {
            FileType::RegularFile => self.file(folder, name, stat),
            FileType::Symlink => {
                let target = readlinkat(folder, name, Vec::new()).at("read the link", &self.place())?;
                self.link(EntryType::Symlink, stat, target.to_bytes())
            }
            FileType::CharacterDevice => self.header(EntryType::Char, stat, &attributes),
            FileType::BlockDevice => self.header(EntryType::Block, stat, &attributes),
            FileType::Fifo => self.header(EntryType::Fifo, stat, &attributes),
            _ => Err(self.inexpressible("it is a socket")),
        }
    }

    /// Writes a hard link if another name of the same file was written.
    fn is_further_name(&mut self, stat: &Stat) -> Result<bool, Error> {
        if stat.st_nlink < 2 {
            return Ok(false);
        }
        let inode = (stat.st_dev, stat.st_ino);
        let Some(first) = self.first.get(&inode).cloned() else {
            self.first.insert(inode, self.path.clone());
            return Ok(false);
        };
        self.link(EntryType::Link, stat, &first)?;
        Ok(true)
    }

    fn file(&mut self, folder: &OwnedFd, name: &CStr, stat: &Stat) -> Result<(), Error> {
        let fd = list::open_file(folder, name).at("open", &self.place())?;
        let attributes = self.attributes(&fd, stat)?;
        self.header(EntryType::Regular, stat, &attributes)?;
        let size = stat.st_size.unsigned_abs();
        let mut left = size;
        loop {
            // One byte more than there should be, to notice a file that has grown.
            let wanted = usize::try_from(left.saturating_add(1)).unwrap_or(CHUNK).min(CHUNK);
            let length = match read(&fd, &mut self.buffer[..wanted]) {
                Err(Errno::INTR) => continue,
                result => result.at("read", &self.place())?,
            };
            if length == 0 && left == 0 {
                break;
            }
            if length == 0 || length as u64 > left {
                return Err(Error::Changed { path: self.place() });
            }
            self.out.get_mut().write_all(&self.buffer[..length]).map_err(cannot_write)?;
            left -= length as u64;
        }
        let padding = usize::try_from(size.next_multiple_of(BLOCK) - size).expect("less than a block");
        self.out.get_mut().write_all(&[0; BLOCK as usize][..padding]).map_err(cannot_write)
    }

    /// A file without content whose name is all that matters.
    fn mark(&mut self, name: &[u8]) -> Result<(), Error> {
        let path = [&self.path, name].concat();
        Header { path: &path, ..Header::mark() }.write(&mut self.out).map_err(cannot_write)
    }

    fn link(&mut self, kind: EntryType, stat: &Stat, target: &[u8]) -> Result<(), Error> {
        let attributes = Attributes::plain(stat);
        let mtime = stat.st_mtime.min(self.epoch);
        let header = Header { path: &self.path, link: target, mtime, ..Header::of(kind, stat, &attributes) };
        header.write(&mut self.out).map_err(cannot_write)
    }

    fn header(&mut self, kind: EntryType, stat: &Stat, attributes: &Attributes) -> Result<(), Error> {
        for (name, _) in attributes.xattrs.iter() {
            if name.to_bytes().contains(&b'=') || name.to_str().is_err() {
                return Err(self.inexpressible("it has an attribute whose name holds `=` or is not UTF-8"));
            }
        }
        let mtime = stat.st_mtime.min(self.epoch);
        let header = Header { path: &self.path, mtime, ..Header::of(kind, stat, attributes) };
        header.write(&mut self.out).map_err(cannot_write)
    }

    fn attributes(&self, fd: &OwnedFd, stat: &Stat) -> Result<Attributes, PathError> {
        Attributes::read(stat, Source::Open(fd.as_fd())).at("read the attributes of", &self.place())
    }

    fn inexpressible(&self, reason: &'static str) -> Error {
        Error::Inexpressible { path: PathBuf::from(OsStr::from_bytes(&self.path)), reason }
    }

    /// Where the current entry lies on disk.
    fn place(&self) -> PathBuf {
        self.root.join(OsStr::from_bytes(&self.path[self.above..]))
    }
}
