//! [`Way`]: everything that a copy without `--link` looks at in the tree that it goes on.
//!
//! What a copy changes there is decided by what it takes, and by:
//! - what stands at each name on the way to its destination: a folder, a link and where it leads, something else, or nothing;
//! - the mode, owner and extended attributes of each folder on that way. The change set carries them along, and what is made in
//!   a folder inherits setgid and access lists;
//! - the same of each folder in which it puts a folder's files: it keeps the attributes that the source does not have;
//! - whether a folder stands where a file is to be, or something else where a folder is: then the copy fails;
//! - the numbers of the users that `--chown` names.
//!
//! A file that is in a file's place says nothing: it is replaced, whatever it was. Nothing else is read, and nothing is removed
//! but what is replaced. Archives are unpacked by other rules, so a copy that has one depends on the whole tree. So does one of
//! several files whose way leads through the very folder that they go to (`/w/up -> /w`): the first may put something else there.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use layercake_cache::{ContentKey, KeyHasher};
use rustix::fs::{AtFlags, FileType, Stat, statat};
use serde::{Deserialize, Serialize};

use super::source::{Selected, Source};
use super::write::WriteError;
use crate::build::error::Error;
use crate::build::site::Site;
use crate::root::{LastLink, Root, kind};
use crate::select::Verdict;
use crate::tree::attributes::Attributes;
use crate::tree::{list, xattr};

/// What was looked at, by path from the tree's root, and whose `--chown` is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Way {
    /// In words, since people are told when it has changed.
    pub seen: BTreeMap<String, String>,
    /// User and group.
    pub owner: Option<(u32, u32)>,
}

/// Whether times of folders count. They are part of a layer and of no key; but an image that is to be the same everywhere
/// must not have those of another tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// They do not.
    Ignored,
    /// Those before this one do, in seconds since 1970. Later ones become this one.
    Before(i64),
}

impl Way {
    /// What was seen in the same tree before, or else what is found. What is found in a tree is found there for ever.
    ///
    /// # Errors
    /// If the store cannot be read or written, and what `find` fails with.
    pub fn remembered(
        site: &Site<'_>,
        key: &ContentKey,
        find: impl FnOnce() -> Result<Option<Self>, Error>,
    ) -> Result<Option<Self>, Error> {
        if let Some(way) = site.recall(key)? {
            return Ok(way);
        }
        let way = find()?;
        site.remember(key, &way)?;
        Ok(way)
    }

    /// What it is remembered under: `whole` is the key of the copy that has the whole tree in it.
    #[must_use]
    pub fn key(whole: &ContentKey, times: Times) -> ContentKey {
        let times = match times {
            Times::Ignored => String::new(),
            Times::Before(epoch) => epoch.to_string(),
        };
        KeyHasher::new("layercake way of a copy 1").field(whole.to_string().as_bytes()).field(times.as_bytes()).finish()
    }
}

/// Looks where a copy will look.
pub struct Lookout<'a> {
    tree: &'a Root,
    times: Times,
    seen: BTreeMap<String, String>,
    certainty: Certainty,
}

/// Whether the way stays what it is while the copy goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Certainty {
    /// It does.
    Fixed,
    /// It leads through the folder that is written to.
    Shifting,
}

impl<'a> Lookout<'a> {
    /// One in the tree below a copy.
    #[must_use]
    pub fn new(tree: &'a Root, times: Times) -> Self {
        Self { tree, times, seen: BTreeMap::new(), certainty: Certainty::Fixed }
    }

    /// What has been seen, for a copy of as many things as were looked at. `None` if that is not all that it depends on.
    #[must_use]
    pub fn finish(self, owner: Option<(u32, u32)>, copied: usize) -> Option<Way> {
        (copied < 2 || self.certainty == Certainty::Fixed).then_some(Way { seen: self.seen, owner })
    }

    /// Looks at what copying one selected path to `destination` looks at, in the same order as
    /// [`Writer::copy`](super::write::Writer::copy).
    ///
    /// # Errors
    /// If the source or the tree cannot be read.
    pub fn copy(&mut self, source: &Source<'_>, selected: &Selected, destination: &str) -> Result<(), WriteError> {
        let root = self.stat(Path::new(""))?;
        self.note(Path::new(""), root.as_ref())?;
        // The folder that a destination of a file is in lies on the way to it.
        let mut target = self.resolve(Path::new(destination))?;
        let found = self.stat(&target)?;
        let is_in_folder = found.is_some_and(|stat| kind(&stat) == FileType::Directory);
        if kind(&selected.stat) == FileType::Directory {
            return if is_in_folder { self.folder(source, &selected.path, &target) } else { Ok(()) };
        }
        if is_in_folder {
            target.push(&selected.name);
            return self.leaf(&target);
        }
        Ok(())
    }

    /// Looks at a folder that a folder's content is put into.
    fn folder(&mut self, source: &Source<'_>, from: &Path, to: &Path) -> Result<(), WriteError> {
        let unreadable = |path: &Path, error: io::Error| WriteError::Source { path: path.to_owned(), source: error };
        let folder = source.root.open_folder(from).map_err(|error| unreadable(from, error))?;
        for name in list::names(&folder).map_err(|error| unreadable(from, error.into()))? {
            let name = OsStr::from_bytes(name.to_bytes());
            let path = from.join(name);
            let stat = statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW);
            let stat = stat.map_err(|error| unreadable(&path, error.into()))?;
            let is_folder = kind(&stat) == FileType::Directory;
            match source.verdict(&path, &stat) {
                Verdict::Skip => continue,
                Verdict::Enter if !is_folder => continue,
                Verdict::Enter | Verdict::Take => (),
            }
            let target = to.join(name);
            if !is_folder {
                self.leaf(&target)?;
            } else if let Some(found) = self.stat(&target)? {
                self.note(&target, Some(&found))?;
                if kind(&found) == FileType::Directory {
                    self.folder(source, &path, &target)?;
                }
            }
        }
        Ok(())
    }

    /// Looks at what a thing that is no folder meets. What it replaces is nothing to it.
    fn leaf(&mut self, target: &Path) -> Result<(), WriteError> {
        let found = self.stat(target)?;
        let is_folder = |found: &Stat| kind(found) == FileType::Directory;
        found.filter(is_folder).map_or(Ok(()), |found| self.note(target, Some(&found)))
    }

    fn resolve(&mut self, path: &Path) -> Result<PathBuf, WriteError> {
        let mut looked = Vec::new();
        let resolved = self.tree.resolve_noting(path, LastLink::Follow, |path, stat| {
            looked.push((path.to_owned(), stat.copied()));
            Ok(())
        });
        let resolved = resolved.map_err(|error| failed(path, error))?;
        if looked.iter().any(|(path, _)| *path != resolved && path.starts_with(&resolved)) {
            self.certainty = Certainty::Shifting;
        }
        looked.iter().try_for_each(|(path, stat)| self.note(path, stat.as_ref()))?;
        Ok(resolved)
    }

    fn stat(&self, resolved: &Path) -> Result<Option<Stat>, WriteError> {
        self.tree.stat(resolved).map_err(|error| failed(resolved, error))
    }

    fn note(&mut self, path: &Path, stat: Option<&Stat>) -> Result<(), WriteError> {
        let state = self.state(path, stat).map_err(|error| failed(path, error))?;
        self.seen.insert(shown(&Path::new("/").join(path)), state);
        Ok(())
    }

    /// What stands at a path, in words that are equal only for equal things.
    fn state(&self, path: &Path, stat: Option<&Stat>) -> io::Result<String> {
        let Some(stat) = stat else { return Ok("nothing".to_owned()) };
        Ok(match kind(stat) {
            FileType::Symlink => format!("a link to {}", shown(&self.tree.link_target(path)?)),
            FileType::Directory => {
                let folder = self.tree.open_folder(path)?;
                let Attributes { mode, uid, gid, xattrs } =
                    Attributes::read(stat, xattr::Source::Open(folder.as_fd()))?;
                let mut state = format!("a folder {mode:04o} {uid}:{gid}");
                if !xattrs.is_empty() {
                    let mut hasher = KeyHasher::new("layercake attributes of a folder 1");
                    for (name, value) in xattrs.iter() {
                        hasher.field(name.to_bytes()).field(value);
                    }
                    state.extend([" with attributes ", &hasher.finish().to_string()]);
                }
                match self.times {
                    // The root is made anew for each step.
                    Times::Before(epoch) if stat.st_mtime < epoch && !path.as_os_str().is_empty() => {
                        state.extend([" of ", &stat.st_mtime.to_string()]);
                    }
                    Times::Before(_) | Times::Ignored => {}
                }
                state
            }
            _ => "neither a folder nor a link".to_owned(),
        })
    }
}

/// A path so that no two look alike: in quotes where it is not plain.
fn shown(path: &Path) -> String {
    match path.to_str() {
        Some(text) if !text.contains(['"', '\\']) && !text.contains(char::is_control) => text.to_owned(),
        _ => format!("{path:?}"),
    }
}

fn failed(path: &Path, error: io::Error) -> WriteError {
    WriteError::System { path: path.strip_prefix("/").unwrap_or(path).to_owned(), source: error }
}
