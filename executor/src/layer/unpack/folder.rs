//! [`Root`]: the folder that is unpacked into, over the layers below: finds and makes the folders that entries go to.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{CString, OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat, lstat, openat, readlinkat, statat};
use rustix::io::Errno;

use super::node::{self, Place};
use super::{Dependence, Options, Skipped};
use crate::fault::{At, PathError};
use crate::layer::archive::Time;
use crate::layer::error::Error;
use crate::tree::attributes::Attributes;
use crate::tree::list;
use crate::tree::lookup::{self, Found};

/// As many links as the kernel follows in one path.
const MOST_LINKS: u32 = 40;

/// As long as the kernel lets a path be; through links, an archive could make longer ones, which nobody could open.
const MOST_PATH: usize = 4095;

/// The folder that is unpacked into. Paths are from the root, real (without links), components joined by slashes.
pub(super) struct Root<'a> {
    fd: OwnedFd,
    pub(super) path: &'a Path,
    pub(super) options: Options<'a>,
    below: OnceCell<Vec<PathBuf>>,
    /// What this archive deletes from below.
    pub(super) deleted: BTreeSet<Vec<u8>>,
    /// The folders of which it hides everything below.
    pub(super) opaque: BTreeSet<Vec<u8>>,
    /// Times of folders, which are set when nothing is put into them any more.
    pub(super) times: BTreeMap<Vec<u8>, Time>,
    pub(super) skipped: Skipped,
}

/// A folder of the root.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) fd: OwnedFd,
    pub(super) path: Vec<u8>,
}

impl Folder {
    /// The path of something in it.
    pub(super) fn child(&self, name: &[u8]) -> Vec<u8> {
        join(&self.path, name)
    }
}

impl<'a> Root<'a> {
    pub(super) fn new(path: &'a Path, options: Options<'a>) -> Result<Self, PathError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = openat(CWD, path, flags, Mode::empty()).at("open", path)?;
        Ok(Self {
            fd,
            path,
            options,
            below: OnceCell::new(),
            deleted: BTreeSet::new(),
            opaque: BTreeSet::new(),
            times: BTreeMap::new(),
            skipped: Skipped::default(),
        })
    }

    pub(super) fn dependence(&self) -> Dependence {
        if self.below.get().is_some() { Dependence::Below } else { Dependence::None }
    }

    /// Where something lies on disk.
    pub(super) fn place(&self, path: &[u8]) -> PathBuf {
        self.path.join(OsStr::from_bytes(path))
    }

    /// Opens a folder of the root that is there and is one, without following links.
    pub(super) fn open(&self, path: &[u8]) -> Result<Option<OwnedFd>, PathError> {
        match list::open_below(&self.fd, path) {
            Ok(fd) => Ok(Some(fd)),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV) => Ok(None),
            Err(error) => Err(error).at("open", &self.place(path)),
        }
    }

    /// The folder at these components, following links inside the root, those of the layers below too. What is missing is
    /// made: as it is below if it is there, and with default attributes otherwise.
    pub(super) fn folder(&mut self, components: &[&[u8]], entry: &[u8]) -> Result<Folder, Error> {
        let path = components.join(&b'/');
        if let Some(fd) = self.open(&path)? {
            return Ok(Folder { fd, path });
        }
        let mut here = self.top()?;
        let mut links = 0;
        // What is still to go, the next at the end.
        let mut rest: Vec<Vec<u8>> = components.iter().rev().map(|component| component.to_vec()).collect();
        while let Some(name) = rest.pop() {
            match name.as_slice() {
                b"" | b"." => (),
                b".." => {
                    let up = parent(&here.path).to_vec();
                    let gone = || PathError::new("open", self.place(&up), Errno::NOENT);
                    here = Folder { fd: self.open(&up)?.ok_or_else(gone)?, path: up };
                }
                name => match self.step(&here, name, entry)? {
                    Step::Into(folder) => here = folder,
                    Step::Link(target) => {
                        links += 1;
                        if links > MOST_LINKS {
                            return Err(refused(entry, "its folder leads through too many links"));
                        }
                        if target.starts_with(b"/") {
                            here = self.top()?;
                        }
                        rest.extend(target.split(|byte| *byte == b'/').rev().map(<[u8]>::to_vec));
                    }
                },
            }
        }
        Ok(here)
    }

    fn top(&self) -> Result<Folder, PathError> {
        let fd = self.fd.try_clone().at("open", self.path)?;
        Ok(Folder { fd, path: Vec::new() })
    }

    /// Goes from one folder to the next.
    fn step(&mut self, here: &Folder, name: &[u8], entry: &[u8]) -> Result<Step, Error> {
        const FILE: &str = "its folder is a file";
        let path = here.child(name);
        if path.len() > MOST_PATH {
            return Err(refused(entry, "its folder has too long a path"));
        }
        let place = self.place(&path);
        let c_name = c_string(name, entry)?;
        match statat(&here.fd, &c_name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => {
                    let fd = list::open_folder(&here.fd, &c_name).at("open", &place)?;
                    return Ok(Step::Into(Folder { fd, path }));
                }
                FileType::Symlink => {
                    let target = readlinkat(&here.fd, &c_name, Vec::new()).at("read the link", &place)?;
                    return Ok(Step::Link(target.into_bytes()));
                }
                _ => return Err(refused(entry, FILE)),
            },
            Err(Errno::NOENT) => (),
            Err(error) => return Err(error).at("look at", &place)?,
        }
        let (attributes, time) = match self.below(&path)? {
            Found::Absent => (Attributes::folder_default(), None),
            Found::Folder(folder) => {
                let stat = folder.place().map(|place| lstat(&place).at("look at", &place)).transpose()?;
                (folder.attributes()?, stat.as_ref().map(time_of))
            }
            Found::Other(place, stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink => {
                let target = readlinkat(CWD, &place, Vec::new()).at("read the link", &place)?;
                return Ok(Step::Link(target.into_bytes()));
            }
            Found::Other(..) => return Err(refused(entry, FILE)),
        };
        let attributes = match (time, self.options.owner) {
            (None, Some((uid, gid))) => Attributes { uid, gid, ..attributes },
            _ => attributes,
        };
        let fd = Place { folder: here.fd.as_fd(), name: &c_name, path: &place }.make_folder()?;
        node::finish(&fd, &attributes, &place, &mut self.skipped)?;
        if let Some(time) = time {
            self.times.insert(path.clone(), time);
        }
        Ok(Step::Into(Folder { fd, path }))
    }

    /// What the layers below have at a path, as far as this archive has not deleted it.
    pub(super) fn below(&self, path: &[u8]) -> Result<Found<'_>, Error> {
        let mut found = Found::Folder(lookup::Folder::root(self.layers()?));
        if self.opaque.contains(&b""[..]) && !path.is_empty() {
            return Ok(Found::Absent);
        }
        let mut done = Vec::new();
        for name in path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()) {
            let Found::Folder(folder) = found else { return Ok(Found::Absent) };
            done = join(&done, name);
            if self.deleted.contains(&done) {
                return Ok(Found::Absent);
            }
            found = folder.child(OsStr::from_bytes(name))?;
            if done.len() < path.len() && self.opaque.contains(&done) {
                return Ok(Found::Absent);
            }
        }
        Ok(found)
    }

    /// The layers below, topmost first.
    pub(super) fn layers(&self) -> Result<&[PathBuf], Error> {
        if let Some(layers) = self.below.get() {
            return Ok(layers);
        }
        let layers = (self.options.below)()?;
        Ok(self.below.get_or_init(|| layers))
    }
}

enum Step {
    Into(Folder),
    Link(Vec<u8>),
}

pub(super) fn join(folder: &[u8], name: &[u8]) -> Vec<u8> {
    if folder.is_empty() { name.to_vec() } else { [folder, b"/", name].concat() }
}

/// The path of the folder that something lies in; the root's is the root.
pub(super) fn parent(path: &[u8]) -> &[u8] {
    path.iter().rposition(|byte| *byte == b'/').map_or(&[], |slash| &path[..slash])
}

pub(super) fn time_of(stat: &Stat) -> Time {
    Time { seconds: stat.st_mtime, nanoseconds: u32::try_from(stat.st_mtime_nsec).unwrap_or(0) }
}

pub(super) fn refused(path: &[u8], reason: &'static str) -> Error {
    Error::Entry { path: PathBuf::from(OsString::from_vec(path.to_vec())), reason }
}

pub(super) fn c_string(name: &[u8], entry: &[u8]) -> Result<CString, Error> {
    CString::new(name).map_err(|_| refused(entry, "it holds a zero byte"))
}
