//! Selecting what is copied: paths and wildcards below a source, links that were named followed, and what an ignore
//! file hides left out.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use layercake_compiler::wildcard::{Wildcard, has_wildcards};

use rustix::fs::{FileType, Stat};

use crate::fault::reason;
use crate::root::{LastLink, Root, kind};
use crate::select::Verdict;
use crate::tree::list;

/// What is to be done with a path below a source's root.
pub type Filter<'a> = dyn Fn(&Path, FileType) -> Verdict + Sync + 'a;

/// Where a copy takes from.
pub struct Source<'a> {
    /// Its files.
    pub root: &'a Root,
    /// What of them is to be seen, by path below the root.
    pub filter: &'a Filter<'a>,
}

/// One thing to copy, found.
#[derive(Clone, Debug)]
pub struct Selected {
    /// Below the source's root, free of links.
    pub path: PathBuf,
    /// The name it has in a folder: that of the link, if a link was named.
    pub name: OsString,
    /// What it is.
    pub stat: Stat,
}

/// Why nothing could be selected.
#[derive(Debug, thiserror::Error)]
pub enum SelectError {
    /// The pattern is none.
    #[error("`{0}` is not a pattern: a bracket is not closed, or nothing stands behind a backslash")]
    BadPattern(String),
    /// There is nothing of that name. In BuildKit's words, which name the path from the source's root.
    #[error("{}: not found", from_root(.0))]
    NotFound(String),
    /// It is there, and an ignore file hides it.
    #[error("{}: not found, for the ignore file excludes it", from_root(.0))]
    Ignored(String),
    /// The system refused.
    #[error("cannot read `{}`: {}", path.display(), reason(source))]
    System {
        /// Where in the source.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Source<'_> {
    /// Whether `path` is to be seen.
    #[must_use]
    pub fn verdict(&self, path: &Path, stat: &Stat) -> Verdict {
        (self.filter)(path, kind(stat))
    }

    /// What `pattern` names, in the order of the names. A wildcard may match nothing; a plain path may not.
    ///
    /// # Errors
    /// If a plain path names nothing, or a folder cannot be read.
    pub fn select(&self, pattern: &str) -> Result<Vec<Selected>, SelectError> {
        let parts = clean(pattern);
        let plain = parts.iter().position(|part| has_wildcards(part)).unwrap_or(parts.len());
        let base: PathBuf = parts[..plain].iter().collect();
        if plain == parts.len() {
            return self.follow(&base, pattern).map(|selected| vec![selected]);
        }
        let base = self.resolve(&base)?;
        let mut found = Vec::new();
        self.matches(&base, &parts[plain..], &mut found)?;
        found.iter().map(|path| self.follow(path, pattern)).collect()
    }

    /// The paths below the folder `base` that the pattern's parts match, one part a level.
    fn matches(&self, base: &Path, parts: &[String], found: &mut Vec<PathBuf>) -> Result<(), SelectError> {
        let failed = |error| SelectError::System { path: base.to_owned(), source: error };
        let Some((part, rest)) = parts.split_first() else { return Ok(()) };
        let wildcard = Wildcard::parse(part).map_err(|_| SelectError::BadPattern(part.clone()))?;
        let folder = match self.root.open_folder(base) {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(());
            }
            result => result.map_err(failed)?,
        };
        for name in list::names(&folder).map_err(|error| failed(error.into()))? {
            let name = OsStr::from_bytes(name.to_bytes());
            if !wildcard.matches(&name.to_string_lossy()) {
                continue;
            }
            let path = base.join(name);
            let Some(stat) = self.stat(&path)? else { continue };
            let verdict = self.verdict(&path, &stat);
            if verdict == Verdict::Skip {
                continue;
            }
            if !rest.is_empty() {
                if kind(&stat) == FileType::Directory {
                    self.matches(&path, rest, found)?;
                }
            } else if verdict == Verdict::Take || kind(&stat) == FileType::Directory {
                found.push(path);
            }
        }
        Ok(())
    }

    /// What a path that was named leads to.
    fn follow(&self, named: &Path, pattern: &str) -> Result<Selected, SelectError> {
        let path = self.resolve(named)?;
        let stat = self.stat(&path)?.ok_or_else(|| SelectError::NotFound(pattern.to_owned()))?;
        if self.is_hidden(&path, &stat)? {
            return Err(SelectError::Ignored(pattern.to_owned()));
        }
        Ok(Selected { name: super::write::base_name(named), path, stat })
    }

    /// Whether the path, or a folder that it lies in, is hidden.
    fn is_hidden(&self, path: &Path, stat: &Stat) -> Result<bool, SelectError> {
        let mut ancestors: Vec<&Path> = path.ancestors().skip(1).filter(|path| !path.as_os_str().is_empty()).collect();
        ancestors.reverse();
        for ancestor in ancestors {
            if let Some(stat) = self.stat(ancestor)?
                && self.verdict(ancestor, &stat) == Verdict::Skip
            {
                return Ok(true);
            }
        }
        Ok(!path.as_os_str().is_empty()
            && match self.verdict(path, stat) {
                Verdict::Take => false,
                Verdict::Skip => true,
                Verdict::Enter => kind(stat) != FileType::Directory,
            })
    }

    fn resolve(&self, path: &Path) -> Result<PathBuf, SelectError> {
        self.root
            .resolve(path, LastLink::Follow)
            .map_err(|source| SelectError::System { path: path.to_owned(), source })
    }

    fn stat(&self, path: &Path) -> Result<Option<Stat>, SelectError> {
        self.root.stat(path).map_err(|source| SelectError::System { path: path.to_owned(), source })
    }
}

/// A path as messages have it: in quotation marks, and from the source's root however it is written.
fn from_root(path: &str) -> String {
    format!("\"/{}\"", clean(path).join("/"))
}

/// The names in a path as it is written; `.` is nothing and `..` leads up, but never out.
fn clean(path: &str) -> Vec<String> {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => (),
            ".." => drop(parts.pop()),
            part => parts.push(part.to_owned()),
        }
    }
    parts
}
