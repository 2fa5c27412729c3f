//! [`select`]: the walk over selected paths, and the id of what it finds.

use std::collections::HashMap;
use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use blake3::Hash;
use layercake_cache::ContentId;
use rayon::prelude::*;
use rustix::fs::{
    AtFlags, CWD, Dev, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, openat, openat2, readlinkat, statat,
};
use rustix::io::Errno;

use super::error::Error;
use super::memo::{Memo, Reader, now};
use crate::fault::{At, PathError};
use crate::tree::attributes::Attributes;
use crate::tree::identity::{Entry, Identity};
use crate::tree::inode::{Inode, shared_inode};
use crate::tree::mark::Opacity;
use crate::tree::walk::{self, Item, Walk};
use crate::tree::xattr::{Source, Xattrs};
use crate::tree::{content, list};

/// The domain of the ids of selections. The number grows when an id changes its meaning.
pub(crate) const DOMAIN: &str = "layercake 2 selection";

/// Names of a folder that one thread looks at. Few enough that the threads share a folder with many files, enough that
/// giving them away costs nothing beside.
const CHUNK: usize = 256;

/// Bytes that the listing of an entry usually takes at most: with the path, 73 for a file. It grows where that is not enough.
const USUAL: usize = 120;

/// Whether owners are part of what is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owners {
    /// They are: what is taken is shown as it is, as by a mount.
    Counted,
    /// They are not: `COPY` gives everything to root, or to whom `--chown` says.
    Ignored,
}

/// What is to be done with something in a selected folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is taken; what lies in a folder is asked about on its own.
    Take,
    /// It is left out, but something in the folder may be taken, and then the folder is too.
    Enter,
    /// It is left out, with everything in it.
    Skip,
}

/// The folder that is selected from: an ordinary one, or a merged tree.
#[derive(Debug)]
pub struct Root {
    fd: OwnedFd,
    path: PathBuf,
}

/// What was selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selected {
    /// Paths, types, modes, link targets, extended attributes, device numbers, contents, and which names are the same
    /// file; owners if counted; not times.
    pub id: ContentId,
    /// Entries that would be taken.
    pub entries: u64,
    /// Size of the files among them, in bytes; a file of several names counts once.
    pub bytes: u64,
}

impl Root {
    /// Opens a folder.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn open(path: &Path) -> Result<Self, PathError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self { fd: openat(CWD, path, flags, Mode::empty()).at("open", path)?, path: path.to_owned() })
    }

    /// From an open folder; `path` is what messages call it.
    #[must_use]
    pub fn from_fd(fd: OwnedFd, path: PathBuf) -> Self {
        Self { fd, path }
    }
}

/// The identity of what lies at `paths`, relative to the root, in their order. Links on the way to a path are followed
/// inside the root; the path itself, and what lies in it, may be links and are taken as such. Sockets are left out.
///
/// `filter` is asked about everything, by its path from the root. With a memo, a file that was hashed before costs one
/// look at its status. On a mounted overlay a memo is of no use: its device number is another each time.
///
/// # Errors
/// If a path is not there, or something cannot be read.
pub fn select(
    root: &Root,
    paths: &[PathBuf],
    owners: Owners,
    filter: &(dyn Fn(&Path, FileType) -> Verdict + Sync),
    memo: Option<&Memo<'_>>,
) -> Result<Selected, Error> {
    Ok(select_listed(root, paths, owners, filter, memo)?.0)
}

/// The same, and the encoded entries that the id is the hash of.
///
/// # Errors
/// As [`select`].
pub fn select_listed(
    root: &Root,
    paths: &[PathBuf],
    owners: Owners,
    filter: &(dyn Fn(&Path, FileType) -> Verdict + Sync),
    memo: Option<&Memo<'_>>,
) -> Result<(Selected, Vec<u8>), Error> {
    let look = Look { root, owners, filter, memo };
    let found = paths.par_iter().map(|path| look.path(path)).collect::<Result<Vec<_>, _>>()?;
    let mut first = Vec::new();
    let mut starts = Vec::new();
    for (path, found) in paths.iter().zip(found) {
        let path = path.as_os_str().as_bytes();
        match found {
            Some(Found::Folder(task)) => {
                starts.push((path, Start::Folder(first.len())));
                first.push(task);
            }
            Some(Found::Leaf(leaf)) => starts.push((path, Start::Leaf(leaf))),
            None => (),
        }
    }
    let walk = Walk::new(first, |task| look.folder(task))?;
    let stays = walk.staying(|folder| folder.verdict == Verdict::Enter);
    let entries = (0..walk.len()).map(|index| walk.folder(index).entries.len()).sum::<usize>() + paths.len();
    let identity = Identity::listing(DOMAIN, entries * USUAL);
    let mut summary = Summary { first: HashMap::new(), identity, entries: 0, bytes: 0 };
    for (path, start) in &starts {
        match start {
            Start::Leaf(leaf) => summary.leaf(path, leaf),
            Start::Folder(index) => walk.each(*index, &stays, &mut path.to_vec(), |path, item| match item {
                Item::Folder(folder) => summary.folder(path, folder),
                Item::Leaf(leaf) => summary.leaf(path, leaf),
            }),
        }
    }
    let selected = Selected { id: summary.identity.finish(), entries: summary.entries, bytes: summary.bytes };
    Ok((selected, summary.identity.into_listing()))
}

/// What a selected path is.
enum Start {
    /// The folder of this number in the walk.
    Folder(usize),
    Leaf(Leaf),
}

/// What was found under a name.
enum Found {
    Folder(Task),
    Leaf(Leaf),
}

/// What is in a folder, in the order of the names.
type Entries = Vec<(CString, walk::Entry<Leaf>)>;

/// A folder to be looked into: opened from the root again, so that few are open at a time.
struct Task {
    path: PathBuf,
    stat: Stat,
    verdict: Verdict,
}

struct Folder {
    attributes: Attributes,
    verdict: Verdict,
}

struct Leaf {
    attributes: Attributes,
    content: Content,
    /// Set if it is a file of several names, of which some may be elsewhere.
    inode: Option<Inode>,
}

enum Content {
    /// The hash covers the extended attributes too, so that a remembered one spares opening the file.
    File(Hash, u64),
    Symlink(Vec<u8>),
    Special(FileType, Dev),
}

/// How is looked.
struct Look<'a> {
    root: &'a Root,
    owners: Owners,
    filter: &'a (dyn Fn(&Path, FileType) -> Verdict + Sync),
    memo: Option<&'a Memo<'a>>,
}

impl Look<'_> {
    /// What is selected by one path; `None` if the filter leaves it out.
    fn path(&self, path: &Path) -> Result<Option<Found>, Error> {
        let missing = || Error::Missing { path: path.to_owned() };
        // Neither the root nor a path that ends in `..` has a name of its own.
        let (parent, name) = match path.file_name() {
            Some(name) => (path.parent().unwrap_or(Path::new("")), name),
            None => (path, OsStr::new(".")),
        };
        let folder = match self.open(parent) {
            Err(Errno::NOENT | Errno::NOTDIR) => return Err(missing()),
            result => result.map_err(self.at("open", parent))?,
        };
        let name = CString::new(name.as_bytes()).map_err(|_| missing())?;
        match statat(&folder, &name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => Err(missing()),
            result => {
                let stat = result.map_err(self.at("look at", path))?;
                self.entry(folder.as_fd(), path, &name, &stat, self.memo.map(Memo::reader).as_mut())
            }
        }
    }

    /// Opens a folder at a path from the root, inside which links lead.
    fn open(&self, path: &Path) -> rustix::io::Result<OwnedFd> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        openat2(&self.root.fd, path, flags, Mode::empty(), ResolveFlags::IN_ROOT)
    }

    fn folder(&self, task: Task) -> Result<(walk::Folder<Folder, Leaf>, Vec<Task>), Error> {
        let Task { path, stat, verdict } = task;
        let fd = self.open(&path).map_err(self.at("open", &path))?;
        let mut attributes = self.attributes(&stat);
        attributes.xattrs = Xattrs::read(Source::Open(fd.as_fd())).map_err(self.at("read the attributes of", &path))?;
        let names = list::names_of(&fd).map_err(self.at("list", &path))?;
        let parts: Vec<_> = if names.len() <= CHUNK {
            vec![self.children(&fd, &path, names)?]
        } else {
            let parts = names.into_par_iter().chunks(CHUNK);
            parts.map(|part| self.children(&fd, &path, part)).collect::<Result<_, _>>()?
        };
        let (mut entries, mut inner) = (Vec::new(), Vec::new());
        for part in parts {
            if entries.is_empty() {
                (entries, inner) = part;
            } else {
                entries.extend(part.0);
                inner.extend(part.1);
            }
        }
        Ok((walk::Folder { own: Folder { attributes, verdict }, entries }, inner))
    }

    /// What is under some names of a folder, and which of that are folders.
    fn children(&self, folder: &OwnedFd, parent: &Path, names: Vec<CString>) -> Result<(Entries, Vec<Task>), Error> {
        let (mut entries, mut inner) = (Vec::with_capacity(names.len()), Vec::new());
        let mut path = parent.as_os_str().as_bytes().to_vec();
        if !path.is_empty() {
            path.push(b'/');
        }
        let length = path.len();
        let mut reader = self.memo.map(Memo::reader);
        for name in names {
            path.truncate(length);
            path.extend_from_slice(name.to_bytes());
            let path = Path::new(OsStr::from_bytes(&path));
            let stat = statat(folder, &name, AtFlags::SYMLINK_NOFOLLOW).map_err(self.at("look at", path))?;
            match self.entry(folder.as_fd(), path, &name, &stat, reader.as_mut())? {
                Some(Found::Leaf(leaf)) => entries.push((name, walk::Entry::Leaf(leaf))),
                Some(Found::Folder(task)) => {
                    entries.push((name, walk::Entry::Folder));
                    inner.push(task);
                }
                None => (),
            }
        }
        Ok((entries, inner))
    }

    fn entry(
        &self,
        folder: BorrowedFd<'_>,
        path: &Path,
        name: &CStr,
        stat: &Stat,
        memo: Option<&mut Reader<'_>>,
    ) -> Result<Option<Found>, Error> {
        let kind = FileType::from_raw_mode(stat.st_mode);
        let verdict = (self.filter)(path, kind);
        if verdict == Verdict::Skip || kind == FileType::Socket {
            return Ok(None);
        }
        if kind == FileType::Directory {
            return Ok(Some(Found::Folder(Task { path: path.to_owned(), stat: *stat, verdict })));
        }
        if verdict == Verdict::Enter {
            return Ok(None);
        }
        let content = match kind {
            FileType::RegularFile => {
                Content::File(self.file(folder, path, name, stat, memo)?, stat.st_size.unsigned_abs())
            }
            FileType::Symlink => {
                let target = readlinkat(folder, name, Vec::new()).map_err(self.at("read the link", path))?;
                Content::Symlink(target.into_bytes())
            }
            kind => Content::Special(kind, stat.st_rdev),
        };
        // As whoever copies: of files alone the names are kept together.
        let inode = shared_inode(stat).filter(|_| kind == FileType::RegularFile);
        Ok(Some(Found::Leaf(Leaf { attributes: self.attributes(stat), content, inode })))
    }

    /// Without the extended ones.
    fn attributes(&self, stat: &Stat) -> Attributes {
        let attributes = Attributes::plain(stat);
        match self.owners {
            Owners::Counted => attributes,
            Owners::Ignored => Attributes { uid: 0, gid: 0, ..attributes },
        }
    }

    fn file(
        &self,
        folder: BorrowedFd<'_>,
        path: &Path,
        name: &CStr,
        stat: &Stat,
        mut memo: Option<&mut Reader<'_>>,
    ) -> Result<Hash, Error> {
        if let Some(hash) = memo.as_mut().and_then(|memo| memo.get(stat)) {
            return Ok(hash);
        }
        let start = now();
        let fd = list::open_file(folder, name).map_err(self.at("open", path))?;
        let xattrs = Xattrs::read(Source::Open(fd.as_fd())).map_err(self.at("read the attributes of", path))?;
        let (content, _) = content::hash(&fd, stat.st_size.unsigned_abs()).map_err(self.at("read", path))?;
        let hash = with_xattrs(content, &xattrs);
        if let Some(memo) = memo {
            let after = fstat(&fd).map_err(self.at("look at", path))?;
            memo.put(stat, &after, start, hash);
        }
        Ok(hash)
    }

    fn at(&self, operation: &'static str, path: &Path) -> impl FnOnce(Errno) -> PathError {
        move |error| PathError::new(operation, self.root.path.join(path), error)
    }
}

/// The hash of a content and its file's extended attributes; of most files, which have none, that of the content.
fn with_xattrs(content: Hash, xattrs: &Xattrs) -> Hash {
    if xattrs.is_empty() {
        return content;
    }
    let mut hasher = blake3::Hasher::new_derive_key("layercake 1 content with attributes");
    hasher.update(content.as_bytes());
    for (name, value) in xattrs.iter() {
        hasher.update(name.to_bytes_with_nul());
        hasher.update(&(value.len() as u64).to_le_bytes()).update(value);
    }
    hasher.finalize()
}

/// Goes through the nodes in order.
struct Summary {
    /// The first name of each file that has several.
    first: HashMap<Inode, Vec<u8>>,
    identity: Identity,
    entries: u64,
    bytes: u64,
}

impl Summary {
    fn folder(&mut self, path: &[u8], folder: &Folder) {
        self.entries += 1;
        self.identity.entry(path, Entry::Folder(&folder.attributes, Opacity::Merged));
    }

    fn leaf(&mut self, path: &[u8], leaf: &Leaf) {
        self.entries += 1;
        if let Some(inode) = leaf.inode {
            if let Some(first) = self.first.get(&inode) {
                return self.identity.entry(path, Entry::HardLink(first));
            }
            self.first.insert(inode, path.to_vec());
        }
        let attributes = &leaf.attributes;
        let entry = match &leaf.content {
            Content::File(hash, size) => {
                self.bytes += size;
                Entry::File(attributes, hash)
            }
            Content::Symlink(target) => Entry::Symlink(attributes, target),
            Content::Special(kind, device) => Entry::Special(attributes, *kind, *device),
        };
        self.identity.entry(path, entry);
    }
}
