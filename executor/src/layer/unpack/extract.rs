//! Puts the entries of an archive into a folder, one after the other.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat, linkat, makedev, openat, readlinkat, statat, unlinkat};
use rustix::io::Errno;

use super::folder::{Folder, Root, c_string, join, refused, time_of};
use super::name::{Meaning, components, meaning};
use super::node::{self, Made, Place};
use super::nursery::Nursery;
use super::room::Room;
use super::{Dependence, Marks, Options, Skipped, Top};
use crate::fault::{At, PathError};
use crate::layer::archive::{Archive, Entry, Kind};
use crate::layer::error::Error;
use crate::tree::attributes::Attributes;
use crate::tree::list;
use crate::tree::lookup::Found;
use crate::tree::xattr::{self, Class, Source, Xattrs};

/// Unpacks all entries into the folder `root`.
pub(super) fn all<R: Read>(
    archive: &mut Archive<R>,
    root: &Path,
    options: Options<'_>,
) -> Result<(Skipped, Dependence), Error> {
    let (root, room, nursery) = (Root::new(root, options)?, Room::default(), Nursery::new(options.scratch));
    let mut extract = Extract { root, room, nursery, last: None, buffer: vec![0; 1 << 17] };
    let mut nanoseconds = options.nanoseconds.iter();
    while let Some(mut entry) = archive.next()? {
        entry.mtime.nanoseconds = nanoseconds.next().copied().unwrap_or(entry.mtime.nanoseconds);
        extract.entry(archive, &entry)?;
    }
    extract.root.finish()
}

struct Extract<'a> {
    root: Root<'a>,
    room: Room,
    nursery: Nursery<'a>,
    /// The folder that the last entry went to, and the components that led there: the next one's is often the same.
    last: Option<(Vec<u8>, Folder)>,
    buffer: Vec<u8>,
}

impl Extract<'_> {
    fn entry<R: Read>(&mut self, archive: &mut Archive<R>, entry: &Entry) -> Result<(), Error> {
        let components =
            components(&entry.path, self.root.options.marks).map_err(|reason| refused(&entry.path, reason))?;
        let Some((name, parents)) = components.split_last() else {
            return self.top(entry);
        };
        let meaning = meaning(name, self.root.options.marks).map_err(|reason| refused(&entry.path, reason))?;
        let joined = parents.join(&b'/');
        let folder = match self.last.take() {
            Some((path, folder)) if path == joined => folder,
            _ => self.root.folder(parents, &entry.path)?,
        };
        match meaning {
            Meaning::Ignored => (),
            Meaning::Opaque => drop(self.root.opaque.insert(folder.path.clone())),
            Meaning::Whiteout(name) => drop(self.root.deleted.insert(folder.child(name))),
            Meaning::Entry(name) => self.put(archive, entry, &folder, name)?,
        }
        // It stays what its path leads to: the next entry that could change that is one of another folder.
        self.last = Some((joined, folder));
        Ok(())
    }

    /// The root itself.
    fn top(&mut self, entry: &Entry) -> Result<(), Error> {
        if self.root.options.top == Top::Left {
            return Ok(());
        }
        if entry.kind != Kind::Folder {
            return Err(refused(&entry.path, "it would replace the root"));
        }
        let Some(fd) = self.root.open(b"")? else { return Ok(()) };
        self.update_folder(&fd, entry, Vec::new())
    }

    fn put<R: Read>(
        &mut self,
        archive: &mut Archive<R>,
        entry: &Entry,
        folder: &Folder,
        name: &[u8],
    ) -> Result<(), Error> {
        let path = folder.child(name);
        let place_path = self.root.place(&path);
        let name = c_string(name, &entry.path)?;
        let place = Place { folder: folder.fd.as_fd(), name: &name, path: &place_path };
        if let Some(stat) = status(&place)? {
            let is_folder = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
            if is_folder && entry.kind == Kind::Folder {
                let fd = list::open_folder(place.folder, &name).at("open", &place_path)?;
                return self.update_folder(&fd, entry, path);
            }
            remove(&place, &stat)?;
            if entry.kind == Kind::Folder && self.root.options.marks == Marks::Deletions {
                // It takes the place of a file of this archive, which had hidden what is below.
                self.root.opaque.insert(path.clone());
            }
        }
        let size = match entry.kind {
            Kind::File { size, .. } if self.root.options.contents.has(&path) => size,
            _ => 0,
        };
        self.room.take(place.folder, size, Path::new(OsStr::from_bytes(&entry.path)))?;
        let attributes = self.attributes(entry)?;
        match &entry.kind {
            Kind::Folder => {
                let fd = place.make_folder()?;
                node::finish(&fd, &attributes, &place_path, &mut self.root.skipped)?;
                self.root.times.insert(path, entry.mtime);
            }
            Kind::File { .. } if !self.root.options.contents.has(&path) => drop(self.nursery.make_file(&place)?),
            Kind::File { size, parts } => {
                let fd = self.nursery.make_file(&place)?;
                node::fill(archive, &fd, *size, parts, &place_path, &mut self.buffer)?;
                node::finish(&fd, &attributes, &place_path, &mut self.root.skipped)?;
                node::touch(&fd, entry.mtime, &place_path)?;
            }
            Kind::Symlink(target) => place.make_link(&c_string(target, &entry.path)?, &attributes, entry.mtime)?,
            Kind::HardLink(target) => self.link(entry, &place, target)?,
            Kind::Fifo => drop(place.make_special(FileType::Fifo, 0, &attributes, entry.mtime)?),
            Kind::Character(major, minor) => {
                let device = makedev(*major, *minor);
                self.device(&place, FileType::CharacterDevice, device, &attributes, entry)?;
            }
            Kind::Block(major, minor) => {
                self.device(&place, FileType::BlockDevice, makedev(*major, *minor), &attributes, entry)?;
            }
        }
        Ok(())
    }

    fn device(
        &mut self,
        place: &Place<'_>,
        kind: FileType,
        device: u64,
        attributes: &Attributes,
        entry: &Entry,
    ) -> Result<(), Error> {
        // In overlay form a character device 0:0 deletes: it cannot be had as a device.
        let is_mark = kind == FileType::CharacterDevice && device == 0;
        if is_mark || place.make_special(kind, device, attributes, entry.mtime)? == Made::NotAllowed {
            self.root.skipped.devices += 1;
        }
        Ok(())
    }

    /// A folder that is there already takes the attributes of its entry, and no others.
    fn update_folder(&mut self, fd: &OwnedFd, entry: &Entry, path: Vec<u8>) -> Result<(), Error> {
        let place = self.root.place(&path);
        let attributes = self.attributes(entry)?;
        for name in xattr::names(Source::Open(fd.as_fd())).at("read the attributes of", &place)? {
            let listed = attributes.xattrs.iter().any(|(listed, _)| listed == name.as_c_str());
            if Class::of(name.to_bytes()) == Class::Content && !listed {
                xattr::remove(fd, &name).at("remove an attribute of", &place)?;
            }
        }
        node::finish(fd, &attributes, &place, &mut self.root.skipped)?;
        self.root.times.insert(path, entry.mtime);
        Ok(())
    }

    fn attributes(&self, entry: &Entry) -> Result<Attributes, Error> {
        let (uid, gid) = self.root.options.owner.unwrap_or((entry.uid, entry.gid));
        let mut xattrs = Vec::new();
        for (name, value) in &entry.xattrs {
            let name = xattr::from_archive(name);
            if Class::of(&name) == Class::Content {
                xattrs.push((c_string(&name, &entry.path)?, value.clone()));
            }
        }
        Ok(Attributes { mode: entry.mode, uid, gid, xattrs: xattrs.into_iter().collect::<Xattrs>() })
    }

    /// A further name of what an earlier entry made, or of something below, which is then copied up as an overlay would.
    fn link(&mut self, entry: &Entry, place: &Place<'_>, target: &[u8]) -> Result<(), Error> {
        let missing = || Error::LinkTarget { path: as_path(&entry.path), target: as_path(target) };
        let components = components(target, self.root.options.marks).map_err(|_| missing())?;
        let (name, parents) = components.split_last().ok_or_else(missing)?;
        let folder = self.root.folder(parents, &entry.path)?;
        let path = folder.child(name);
        let c_name = c_string(name, &entry.path)?;
        let source_path = self.root.place(&path);
        let source = Place { folder: folder.fd.as_fd(), name: &c_name, path: &source_path };
        match status(&source)? {
            Some(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {
                return Err(refused(&entry.path, "it is a hard link to a folder"));
            }
            Some(_) => (),
            None => match self.root.below(&path)? {
                Found::Other(below, stat) => {
                    let mut skipped = self.root.skipped;
                    copy_up(&below, &stat, &source, &mut skipped)?;
                    self.root.skipped = skipped;
                }
                Found::Folder(_) => return Err(refused(&entry.path, "it is a hard link to a folder")),
                Found::Absent => return Err(missing()),
            },
        }
        linkat(source.folder, source.name, place.folder, place.name, AtFlags::empty())
            .at("create the hard link", place.path)?;
        Ok(())
    }
}

/// Copies a file or link of a layer below.
fn copy_up(below: &Path, stat: &Stat, place: &Place<'_>, skipped: &mut Skipped) -> Result<(), Error> {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => {
            let from = openat(CWD, below, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty());
            let from = from.at("open", below)?;
            let attributes = Attributes::read(stat, Source::Open(from.as_fd())).at("read the attributes of", below)?;
            let to = std::fs::File::from(place.make_file()?);
            std::io::copy(&mut std::fs::File::from(from), &mut &to).at("copy", below)?;
            let to = OwnedFd::from(to);
            node::finish(&to, &attributes, place.path, skipped)?;
            node::touch(&to, time_of(stat), place.path)?;
        }
        FileType::Symlink => {
            let target = readlinkat(CWD, below, Vec::new()).at("read the link", below)?;
            place.make_link(&target, &Attributes::plain(stat), time_of(stat))?;
        }
        kind => {
            let made = place.make_special(kind, stat.st_rdev, &Attributes::plain(stat), time_of(stat))?;
            if made == Made::NotAllowed {
                return Err(PathError::new("create the device", place.path, Errno::PERM).into());
            }
        }
    }
    Ok(())
}

/// What is there; `None` for nothing.
pub(super) fn status(place: &Place<'_>) -> Result<Option<Stat>, PathError> {
    match statat(place.folder, place.name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error).at("look at", place.path),
    }
}

/// Removes what is there, with everything in it, one folder open at a time.
fn remove(place: &Place<'_>, stat: &Stat) -> Result<(), PathError> {
    if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
        return unlinkat(place.folder, place.name, AtFlags::empty()).at("remove", place.path);
    }
    let mut folders = vec![place.name.to_bytes().to_vec()];
    let mut next = 0;
    while let Some(path) = folders.get(next).cloned() {
        next += 1;
        let fd = list::open_below(place.folder, &path).at("open", place.path)?;
        for name in list::names(&fd).at("list", place.path)? {
            match unlinkat(&fd, &name, AtFlags::empty()) {
                Err(Errno::ISDIR) => folders.push(join(&path, name.to_bytes())),
                result => result.at("remove what is in", place.path)?,
            }
        }
    }
    for path in folders.iter().rev() {
        unlinkat(place.folder, path.as_slice(), AtFlags::REMOVEDIR).at("remove", place.path)?;
    }
    Ok(())
}

fn as_path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsString::from_vec(bytes.to_vec()))
}
