//! Writing a draft as the archive of its change set: the same that its folder would give, and nothing is made of the folder.
//!
//! Small files are read on all cores, some hundred at a time, while those before them are written. A large file goes through in
//! pieces. So no more than some pieces are in memory.

mod line;

use std::collections::BTreeSet;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use blake3::Hasher;
use rayon::prelude::*;
use rustix::fs::{Gid, MemfdFlags, Uid, fchown, fstat, lstat, memfd_create, readlinkat};
use rustix::io::Errno;
use rustix::process::{getegid, geteuid};
use tar::EntryType;

use super::error::WriteError;
use super::order::{Item, Order, Unchanged};
use super::tree::{Draft, Folder, FolderId, Kind, Leaf, LeafId, Modified, SourceFolder};
use super::written::Written;
use crate::change::ChangeSet;
use crate::layer::WHITEOUT_PREFIX;
use crate::layer::tar::{BLOCK, END, Header, Part};
use crate::tree::attributes::Attributes;
use crate::tree::content::{CHUNK, fill};
use crate::tree::list;
use crate::tree::xattr::{Source, Xattrs};
use line::{Closed, Line};

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archived {
    /// The change set that a folder of the same draft would be.
    pub change_set: ChangeSet,
    /// For each entry of the archive, what its time has beyond the whole seconds that the archive says.
    pub nanoseconds: Vec<u32>,
}

/// Entries that are read at the same time, and the bytes of their contents.
const BATCH: usize = 512;
const BATCH_BYTES: u64 = 2 << 20;
/// Entries that one thread reads together, and the bytes of their contents.
const SHARE: usize = 32;
const SHARE_BYTES: u64 = 128 << 10;
/// The most bytes that may be holes: an archive has zeros for them.
const HOLES: u64 = 64 << 20;
/// The mode of every link.
const LINK_MODE: u32 = 0o777;

impl Draft<'_> {
    /// Writes the archive that [`tar::write`](crate::layer::tar::write) would make of the folder that [`Draft::write_upper`]
    /// would write. `place` is where it goes to, for messages. `None`: something is for the system to decide on, or cannot be
    /// held by an archive, or is about to change. What was written is then of no use.
    ///
    /// # Errors
    /// If a source cannot be read, or the archive not be written.
    pub fn write_archive<W: Write + Send>(&self, out: W, place: &Path) -> Result<Option<Archived>, WriteError> {
        if !self.is_fit() {
            return Ok(None);
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = (i64::try_from(now.as_secs()).unwrap_or_default(), now.subsec_nanos());
        let order = Order::of(self, Unchanged::Goes);
        let archive = Archive { draft: self, order, now, written: Written::none_yet(self) };
        match line::written(out, place, |line| archive.produce(&line))? {
            Ok(nanoseconds) => {
                let change_set = self.change_set(&archive.order, &archive.written);
                Ok(Some(Archived { change_set, nanoseconds }))
            }
            Err(Stop::Failed(error)) => Err(error),
            Err(Stop::Unfit | Stop::Closed) => Ok(None),
        }
    }

    /// Whether it can be written as an archive, as far as that is known beforehand.
    fn is_fit(&self) -> bool {
        let (mut owners, mut holes) = (BTreeSet::new(), 0_u64);
        for Folder { attributes, .. } in &self.folders {
            if !attributes.xattrs.is_empty() {
                return false;
            }
            owners.insert((attributes.uid, attributes.gid));
        }
        for leaf in &self.leaves {
            owners.insert((leaf.uid, leaf.gid));
            match leaf.kind {
                Kind::File { size, room } => holes = holes.saturating_add(size.saturating_sub(room)),
                Kind::Symlink => (),
                Kind::Special(..) => return false,
            }
        }
        holes <= HOLES && may_own(&owners)
    }
}

/// Whether this user may give files to these users and groups: a folder of them could be made.
fn may_own(owners: &BTreeSet<(u32, u32)>) -> bool {
    let own = (geteuid().as_raw(), getegid().as_raw());
    let mut others = owners.iter().filter(|owner| **owner != own).peekable();
    if others.peek().is_none() {
        return true;
    }
    let Ok(file) = memfd_create(c"owner", MemfdFlags::CLOEXEC) else { return false };
    others.all(|(uid, gid)| fchown(&file, Some(Uid::from_raw(*uid)), Some(Gid::from_raw(*gid))).is_ok())
}

/// Why an archive is not written to its end.
enum Stop {
    /// A folder has to be written.
    Unfit,
    /// A source cannot be read.
    Failed(WriteError),
    /// Nobody takes it.
    Closed,
}

impl From<WriteError> for Stop {
    fn from(error: WriteError) -> Self {
        Self::Failed(error)
    }
}

impl From<Closed> for Stop {
    fn from(Closed: Closed) -> Self {
        Self::Closed
    }
}

struct Archive<'d, 'a> {
    draft: &'d Draft<'a>,
    order: Order,
    /// When that is changed which is changed by being written: seconds since 1970, and nanoseconds.
    now: (i64, u32),
    /// By the numbers of the leaves.
    written: Vec<OnceLock<Written>>,
}

/// Something at a path.
struct Entry {
    path: Vec<u8>,
    item: Item,
}

/// Entries that are read at the same time.
#[derive(Default)]
struct Batch {
    shares: Vec<Share>,
    entries: usize,
    bytes: u64,
}

/// Those that one thread reads together.
#[derive(Default)]
struct Share {
    entries: Vec<Entry>,
    bytes: u64,
}

/// The source's folder of the last leaf, open.
#[derive(Default)]
struct Open<'t, 'a>(Option<(&'t SourceFolder<'a>, OwnedFd)>);

impl<'a> Archive<'_, 'a> {
    /// Sends everything, and gives what the entries' times have beyond seconds.
    fn produce(&self, line: &Line) -> Result<Vec<u32>, Stop> {
        let (mut nanoseconds, mut batch, mut result) = (Vec::new(), Batch::default(), Ok(()));
        self.order.each(self.draft, |path, item| {
            if result.is_ok() && self.is_entry(path, item) {
                nanoseconds.push(self.time(item).1);
                result = self.add(Entry { path: path.to_vec(), item }, &mut batch, line);
            }
        });
        result?;
        self.send(&mut batch, line)?;
        line.send(vec![END.to_vec()])?;
        Ok(nanoseconds)
    }

    /// Every unpacker knows the attributes that the root mostly has.
    fn is_entry(&self, path: &[u8], item: Item) -> bool {
        match item {
            Item::Folder(id) if path.is_empty() => self.draft.folders[id.0].attributes != Attributes::folder_default(),
            _ => true,
        }
    }

    fn add(&self, entry: Entry, batch: &mut Batch, line: &Line) -> Result<(), Stop> {
        let name = entry.path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        if name.starts_with(WHITEOUT_PREFIX) {
            return Err(Stop::Unfit);
        }
        let size = match entry.item {
            Item::Leaf(id) if self.first_name(id, &entry.path).is_none() => match self.draft.leaves[id.0].kind {
                Kind::File { size, .. } => size,
                Kind::Symlink | Kind::Special(..) => 0,
            },
            Item::Leaf(_) | Item::Folder(_) => 0,
        };
        if size >= CHUNK as u64
            && let Item::Leaf(id) = entry.item
        {
            self.send(batch, line)?;
            return self.large(&entry.path, id, size, line);
        }
        batch.push(entry, size);
        if batch.entries >= BATCH || batch.bytes >= BATCH_BYTES { self.send(batch, line) } else { Ok(()) }
    }

    /// Reads a batch, and sends it.
    fn send(&self, batch: &mut Batch, line: &Line) -> Result<(), Stop> {
        let Batch { shares, .. } = std::mem::take(batch);
        let read = shares.par_iter().map(|share| self.part(share, line.buffer()));
        Ok(line.send(read.collect::<Result<_, Stop>>()?)?)
    }

    fn part(&self, share: &Share, memory: Vec<u8>) -> Result<Vec<u8>, Stop> {
        let (mut part, mut open) = (Part::new(memory), Open::default());
        for Entry { path, item } in &share.entries {
            match *item {
                Item::Folder(id) => self.folder(path, id, &mut part),
                Item::Leaf(id) => match self.first_name(id, path) {
                    Some(first) => part.header(&Header { link: first, ..self.leaf_header(path, id, EntryType::Link) }),
                    None => self.leaf(path, id, &mut open, &mut part)?,
                },
            }
        }
        Ok(part.finish())
    }

    /// The first name of a leaf whose name this is not.
    fn first_name(&self, id: LeafId, path: &[u8]) -> Option<&[u8]> {
        self.order.names.get(&id.0).map(|names| names[0].as_slice()).filter(|first| *first != path)
    }

    fn folder(&self, path: &[u8], id: FolderId, part: &mut Part) {
        let Attributes { mode, uid, gid, .. } = self.draft.folders[id.0].attributes;
        let path = if path.is_empty() { b"./".to_vec() } else { [path, b"/"].concat() };
        let (mtime, _) = self.time(Item::Folder(id));
        part.header(&Header { path: &path, kind: EntryType::Directory, mode, uid, gid, mtime, ..Header::mark() });
    }

    fn leaf_header<'p>(&self, path: &'p [u8], id: LeafId, kind: EntryType) -> Header<'p> {
        let Leaf { uid, gid, mode, .. } = self.draft.leaves[id.0];
        let mode = if self.draft.leaves[id.0].kind == Kind::Symlink { LINK_MODE } else { mode };
        let (mtime, _) = self.time(Item::Leaf(id));
        Header { path, kind, mode, uid, gid, mtime, ..Header::mark() }
    }

    fn leaf<'t>(&'t self, path: &[u8], id: LeafId, open: &mut Open<'t, 'a>, part: &mut Part) -> Result<(), Stop> {
        let leaf = &self.draft.leaves[id.0];
        let unreadable = |error: Errno| WriteError::unreadable(&leaf.path(), error);
        let from = open.folder(&leaf.from)?;
        let written = match leaf.kind {
            Kind::File { size, .. } => {
                let source = list::open_file(from, &leaf.name).map_err(unreadable)?;
                let size = usize::try_from(size).map_err(|_| Stop::Unfit)?;
                part.header(&Header { size: size as u64, ..self.leaf_header(path, id, EntryType::Regular) });
                let bytes = part.bytes();
                let start = bytes.len();
                // One byte more than there should be, to notice a file that has grown.
                bytes.resize(start + size + 1, 0);
                if fill(&source, &mut bytes[start..], size).map_err(unreadable)? != size {
                    return Err(Stop::Unfit);
                }
                bytes.truncate(start + size);
                let hash = blake3::hash(&bytes[start..]);
                part.pad();
                self.check(leaf, &source)?;
                Written::File { hash: Some(hash), size: size as u64, attributes: None }
            }
            Kind::Symlink => {
                let link = readlinkat(from, &leaf.name, Vec::new()).map_err(unreadable)?.into_bytes();
                part.header(&Header { link: &link, ..self.leaf_header(path, id, EntryType::Symlink) });
                Written::Symlink(link)
            }
            Kind::Special(..) => return Err(Stop::Unfit),
        };
        // Each leaf is written once: under its first name.
        let _ = self.written[id.0].set(written);
        Ok(())
    }

    /// A file that goes through in pieces.
    fn large(&self, path: &[u8], id: LeafId, size: u64, line: &Line) -> Result<(), Stop> {
        let leaf = &self.draft.leaves[id.0];
        let unreadable = |error: Errno| WriteError::unreadable(&leaf.path(), error);
        let source = list::open_file(leaf.from.open()?, &leaf.name).map_err(unreadable)?;
        let mut header = Part::new(Vec::new());
        header.header(&Header { size, ..self.leaf_header(path, id, EntryType::Regular) });
        line.send(vec![header.finish()])?;
        let (mut hasher, mut left) = (Hasher::new(), size);
        loop {
            let mut buffer = line.buffer();
            buffer.resize(CHUNK, 0);
            let length = fill(&source, &mut buffer, left.min(CHUNK as u64) as usize).map_err(unreadable)?;
            let is_end = length < buffer.len();
            buffer.truncate(length);
            left = left.checked_sub(length as u64).ok_or(Stop::Unfit)?;
            hasher.update_rayon(&buffer);
            line.send(vec![buffer])?;
            if is_end {
                break;
            }
        }
        if left > 0 {
            return Err(Stop::Unfit);
        }
        line.send(vec![vec![0; usize::try_from(size.next_multiple_of(BLOCK) - size).expect("less than a block")]])?;
        self.check(leaf, &source)?;
        let _ = self.written[id.0].set(Written::File { hash: Some(hasher.finalize()), size, attributes: None });
        Ok(())
    }

    /// Looks at a file that was read: whether it has attributes, which the system may refuse or change, and whether somebody has
    /// touched it.
    fn check(&self, leaf: &Leaf<'_>, source: &OwnedFd) -> Result<(), Stop> {
        let unreadable = |error: Errno| WriteError::unreadable(&leaf.path(), error);
        if !Xattrs::read(Source::Open(source.as_fd())).map_err(unreadable)?.is_empty() {
            return Err(Stop::Unfit);
        }
        if leaf.from.since.is_some() && leaf.from.is_touched(&fstat(source).map_err(unreadable)?) {
            self.draft.touch(&leaf.path());
        }
        Ok(())
    }

    /// When it was changed: seconds since 1970, and nanoseconds.
    fn time(&self, item: Item) -> (i64, u32) {
        let modified = |seconds: i64, nanoseconds: i64| (seconds, u32::try_from(nanoseconds).unwrap_or_default());
        match item {
            Item::Leaf(id) => {
                let time = self.draft.leaves[id.0].times.last_modification;
                modified(time.tv_sec, time.tv_nsec)
            }
            // It is prepared, and what is put into it changes it.
            Item::Folder(FolderId(0)) => self.now,
            Item::Folder(id) => {
                let folder = &self.draft.folders[id.0];
                let place = || folder.below.as_ref().and_then(|(below, _)| below.place());
                match &folder.modified {
                    Modified::At(times) => modified(times.last_modification.tv_sec, times.last_modification.tv_nsec),
                    Modified::Now => self.now,
                    Modified::Before => place().and_then(|place| lstat(place).ok()).map_or(self.now, |stat| {
                        modified(stat.st_mtime, i64::try_from(stat.st_mtime_nsec).unwrap_or_default())
                    }),
                }
            }
        }
    }
}

impl Batch {
    fn push(&mut self, entry: Entry, bytes: u64) {
        let is_full = |share: &Share| share.entries.len() >= SHARE || share.bytes >= SHARE_BYTES;
        if self.shares.last().is_none_or(is_full) {
            self.shares.push(Share::default());
        }
        let share = self.shares.last_mut().expect("there is one now");
        share.entries.push(entry);
        share.bytes += bytes;
        self.entries += 1;
        self.bytes += bytes;
    }
}

impl<'t, 'a> Open<'t, 'a> {
    /// The folder, opened if it is another than the last one.
    fn folder(&mut self, from: &'t SourceFolder<'a>) -> Result<&OwnedFd, WriteError> {
        if !self.0.as_ref().is_some_and(|(last, _)| std::ptr::eq(*last, from)) {
            self.0 = Some((from, from.open()?));
        }
        let (_, folder) = self.0.as_ref().expect("it was opened just now");
        Ok(folder)
    }
}
