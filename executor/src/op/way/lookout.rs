//! [`Lookout`]: looks where a step will look, before it is done, in the same order.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Stat, statat};

use super::seen::Seen;
use super::text::Text;
use super::{Times, Way};
use crate::draft::WriteError;
use crate::op::copy::source::{Selected, Source};
use crate::root::{LastLink, Root, kind};
use crate::select::Verdict;
use crate::tree::list;

/// Looks where a step will look.
pub struct Lookout<'a> {
    tree: &'a Root,
    times: Times,
    seen: BTreeMap<PathBuf, Seen>,
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
    /// One in the tree below a step.
    #[must_use]
    pub fn new(tree: &'a Root, times: Times) -> Self {
        Self { tree, times, seen: BTreeMap::new(), certainty: Certainty::Fixed }
    }

    /// What has been seen, for a copy of as many things as were looked at. `None` if that is not all that it depends on.
    #[must_use]
    pub fn finish(self, owner: Option<(u32, u32)>, copied: usize) -> Option<Way> {
        let seen = self.seen.into_iter().map(|(path, seen)| (Text::of(path.as_os_str().as_bytes()), seen)).collect();
        (copied < 2 || self.certainty == Certainty::Fixed).then_some(Way { seen, owner })
    }

    /// Looks at what making the folder at `path`, with its parents, looks at.
    ///
    /// # Errors
    /// If the tree cannot be read.
    pub fn make_dir(&mut self, path: &Path) -> Result<(), WriteError> {
        let root = self.stat(Path::new(""))?;
        self.note(Path::new(""), root.as_ref())?;
        self.resolve(path).map(|_| ())
    }

    /// Looks at what copying one selected path to `destination` looks at, in the same order as
    /// [`Writer::copy`](crate::op::copy::write::Writer::copy).
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
        let seen = Seen::at(self.tree, path, stat, self.times).map_err(|error| failed(path, error))?;
        self.seen.insert(path.to_owned(), seen);
        Ok(())
    }
}

fn failed(path: &Path, error: io::Error) -> WriteError {
    WriteError::System { path: path.strip_prefix("/").unwrap_or(path).to_owned(), source: error }
}
