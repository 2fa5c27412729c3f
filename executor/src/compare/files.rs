//! Two trees side by side: which files differ, and in what. Nothing is mounted, and what both trees have from the same layers
//! is not looked into.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{CString, OsString};
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Stat, lstat};

use crate::fault::{At, PathError};
use crate::tree::attributes::Attributes;
use crate::tree::content;
use crate::tree::list::open_file;
use crate::tree::lookup::{Folder, Found};
use crate::tree::xattr::{Source, Xattrs};

/// Whether two files that differ in nothing but when they were changed are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// They are.
    Ignored,
    /// They are not.
    Compared,
}

/// Something that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// From the root; empty is the root itself.
    pub path: PathBuf,
    /// In what.
    pub change: Change,
}

/// What became of a path from the first tree to the second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Only the second tree has it.
    Added(Entry),
    /// Only the first tree has it.
    Removed(Entry),
    /// Both have it, and these are not the same. Never empty.
    Changed(Vec<Aspect>),
}

/// What is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: FileType,
    /// Bytes; 0 for all but files.
    pub size: u64,
}

/// One thing in which two entries of a path differ, before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Aspect {
    /// What it is.
    Kind(FileType, FileType),
    /// What a file holds; its sizes in bytes.
    Content(u64, u64),
    /// Where a link leads.
    Target(PathBuf, PathBuf),
    /// Which device it is: the kernel's number.
    Device(u64, u64),
    /// The permissions.
    Mode(u32, u32),
    /// User and group.
    Owner((u32, u32), (u32, u32)),
    /// Extended attributes with these names are new, gone or other.
    Attributes(Vec<String>),
    /// When it was changed, in seconds since 1970.
    Time(i64, i64),
}

/// What two trees differ in, by path. A tree is the folders of its layers, topmost first.
///
/// # Errors
/// If a layer cannot be read.
pub fn compare(first: &[PathBuf], second: &[PathBuf], times: Times) -> Result<Vec<Difference>, PathError> {
    let mut comparison = Comparison { times, found: Vec::new(), waiting: Vec::new() };
    comparison.both(Path::new(""), Found::Folder(Folder::root(first)), Found::Folder(Folder::root(second)))?;
    while let Some((path, first, second)) = comparison.waiting.pop() {
        comparison.inside(&path, first.as_ref(), second.as_ref())?;
    }
    comparison.found.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(comparison.found)
}

/// What is compared so far.
struct Comparison<'a> {
    times: Times,
    found: Vec<Difference>,
    /// Folders whose insides are still to be compared. Not recursion: a tree may be deeper than a stack.
    waiting: Vec<(PathBuf, Option<Folder<'a>>, Option<Folder<'a>>)>,
}

impl<'a> Comparison<'a> {
    fn inside(
        &mut self,
        path: &Path,
        first: Option<&Folder<'a>>,
        second: Option<&Folder<'a>>,
    ) -> Result<(), PathError> {
        let names = |folder: Option<&Folder<'a>>| folder.map_or(Ok(Vec::new()), Folder::names);
        let mut all: Vec<OsString> = names(first)?;
        all.extend(names(second)?);
        all.sort_unstable();
        all.dedup();
        for name in all {
            let child = |folder: Option<&Folder<'a>>| folder.map_or(Ok(Found::Absent), |folder| folder.child(&name));
            self.both(&path.join(&name), child(first)?, child(second)?)?;
        }
        Ok(())
    }

    fn both(&mut self, path: &Path, first: Found<'a>, second: Found<'a>) -> Result<(), PathError> {
        let change = match (Side::of(&first)?, Side::of(&second)?) {
            (None, None) => None,
            (None, Some(second)) => Some(Change::Added(second.entry())),
            (Some(first), None) => Some(Change::Removed(first.entry())),
            // The same layer decides about both.
            (Some(first), Some(second)) if first.place == second.place => None,
            (Some(first), Some(second)) => {
                // Most layers say nothing of the root: its time is when it was unpacked.
                let times = if path.as_os_str().is_empty() { Times::Ignored } else { self.times };
                let aspects = first.differs_from(&second, times)?;
                (!aspects.is_empty()).then_some(Change::Changed(aspects))
            }
        };
        self.found.extend(change.map(|change| Difference { path: path.to_owned(), change }));
        let folder = |found| if let Found::Folder(folder) = found { Some(folder) } else { None };
        let (first, second) = (folder(first), folder(second));
        let is_same =
            matches!((&first, &second), (Some(first), Some(second)) if first.is_made_of_the_layers_of(second));
        if (first.is_some() || second.is_some()) && !is_same {
            self.waiting.push((path.to_owned(), first, second));
        }
        Ok(())
    }
}

/// What one tree has at a path.
struct Side {
    /// Where it lies; empty for the root of a tree without layers.
    place: PathBuf,
    /// `None` for the root of a tree without layers.
    stat: Option<Stat>,
}

impl Side {
    fn of(found: &Found<'_>) -> Result<Option<Self>, PathError> {
        Ok(match found {
            Found::Absent => None,
            Found::Other(place, stat) => Some(Self { place: place.clone(), stat: Some(*stat) }),
            Found::Folder(folder) => Some(match folder.place() {
                Some(place) => Self { stat: Some(lstat(&place).at("look at", &place)?), place },
                None => Self { place: PathBuf::new(), stat: None },
            }),
        })
    }

    fn kind(&self) -> FileType {
        self.stat.map_or(FileType::Directory, |stat| FileType::from_raw_mode(stat.st_mode))
    }

    fn size(&self) -> u64 {
        match (self.kind(), self.stat) {
            (FileType::RegularFile, Some(stat)) => stat.st_size.unsigned_abs(),
            _ => 0,
        }
    }

    fn entry(&self) -> Entry {
        Entry { kind: self.kind(), size: self.size() }
    }

    fn differs_from(&self, other: &Self, times: Times) -> Result<Vec<Aspect>, PathError> {
        let (was, is) = (self.kind(), other.kind());
        if was != is {
            return Ok(vec![Aspect::Kind(was, is)]);
        }
        let mut found = Vec::new();
        match was {
            FileType::RegularFile if self.size() != other.size() || self.hash()? != other.hash()? => {
                found.push(Aspect::Content(self.size(), other.size()));
            }
            FileType::Symlink => {
                let (was, is) = (self.target()?, other.target()?);
                if was != is {
                    found.push(Aspect::Target(was, is));
                }
            }
            FileType::CharacterDevice | FileType::BlockDevice => {
                let [was, is] = [self, other].map(|side| side.stat.map_or(0, |stat| stat.st_rdev));
                if was != is {
                    found.push(Aspect::Device(was, is));
                }
            }
            _ => (),
        }
        let (was, is) = (self.attributes()?, other.attributes()?);
        if was.mode != is.mode && self.kind() != FileType::Symlink {
            found.push(Aspect::Mode(was.mode, is.mode));
        }
        if (was.uid, was.gid) != (is.uid, is.gid) {
            found.push(Aspect::Owner((was.uid, was.gid), (is.uid, is.gid)));
        }
        let names = names_that_differ(&was.xattrs, &is.xattrs);
        if !names.is_empty() {
            found.push(Aspect::Attributes(names));
        }
        if let (Times::Compared, Some(was), Some(is)) = (times, self.stat, other.stat)
            && was.st_mtime != is.st_mtime
        {
            found.push(Aspect::Time(was.st_mtime, is.st_mtime));
        }
        Ok(found)
    }

    fn attributes(&self) -> Result<Attributes, PathError> {
        let Some(stat) = &self.stat else { return Ok(Attributes::folder_default()) };
        match self.kind() {
            FileType::RegularFile | FileType::Directory => {
                Attributes::read(stat, Source::Path(&self.place)).at("read the attributes of", &self.place)
            }
            _ => Ok(Attributes::plain(stat)),
        }
    }

    fn target(&self) -> Result<PathBuf, PathError> {
        fs::read_link(&self.place).at("read the link", &self.place)
    }

    fn hash(&self) -> Result<blake3::Hash, PathError> {
        let name =
            CString::new(self.place.clone().into_os_string().into_vec()).expect("a path that was found has no null");
        let file = open_file(CWD, &name).at("open", &self.place)?;
        Ok(content::hash(file, self.size()).at("read", &self.place)?.0)
    }
}

/// The names of attributes that are new, gone or other.
fn names_that_differ(first: &Xattrs, second: &Xattrs) -> Vec<String> {
    let [first, second] = [first, second].map(|attributes| attributes.iter().collect::<BTreeMap<_, _>>());
    let names: BTreeSet<_> = first.keys().chain(second.keys()).collect();
    let differs = names.into_iter().filter(|name| first.get(*name) != second.get(*name));
    differs.map(|name| name.to_string_lossy().into_owned()).collect()
}
