//! [`Input`]: what a step has become, opened for reading, and the identity of what is taken from it.

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use layercake_cache::{ContentId, Scratch};
use layercake_compiler::ignore::Ignore;
use layercake_compiler::operation::Inline;
use rustix::fs::FileType;

use super::copy::source::{Filter, Selected, Source};
use super::copy::taken::Taken;
use crate::build::error::Error;
use crate::build::product::Product;
use crate::build::site::{ContextFolder, Site};
use crate::explain::listing;
use crate::fault::{At, PathError};
use crate::overlay::Overlay;
use crate::root::Root;
use crate::select::{self, Memo, Owners, Verdict};

/// A product, open for reading for as long as this lives.
pub struct Input<'a> {
    root: Root,
    files: Files<'a>,
    hidden: Box<Filter<'a>>,
}

/// Where the files of an input are.
enum Files<'a> {
    /// In a context.
    Context(&'a ContextFolder),
    /// In a tree, mounted for as long as its root is open.
    Tree,
    /// In a folder that is written for this purpose.
    Inline {
        /// Deleted when it is dropped.
        _folder: Scratch,
    },
}

impl<'a> Input<'a> {
    /// Opens a product.
    ///
    /// # Errors
    /// If a tree cannot be fetched or mounted, or the files of the plan cannot be written.
    pub fn open(product: &'a Product, site: &Site<'a>) -> Result<Self, Error> {
        let everything = |_: &Path, _: FileType| Verdict::Take;
        Ok(match product {
            Product::Tree(tree, _) => {
                let mounted = Overlay { lowers: site.folders(tree)?, upper: None }.mount()?;
                Self { root: Root::of(&mounted)?, files: Files::Tree, hidden: Box::new(everything) }
            }
            Product::Context(name) => {
                let context = site.contexts.get(name).ok_or_else(|| Error::UnknownContext(name.clone()))?;
                let hidden = |path: &Path, kind: FileType| verdict(&context.ignore, path, kind);
                Self { root: context.root.again()?, files: Files::Context(context), hidden: Box::new(hidden) }
            }
            Product::Inline(inline) => {
                let scratch = site.store.scratch()?;
                write(inline, scratch.path())?;
                let root = Root::open(scratch.path())?;
                Self { root, files: Files::Inline { _folder: scratch }, hidden: Box::new(everything) }
            }
        })
    }

    /// Its files alone.
    #[must_use]
    pub fn into_root(self) -> Root {
        self.root
    }

    /// As the source of a copy.
    #[must_use]
    pub fn source(&self) -> Source<'_> {
        Source { root: &self.root, filter: &*self.hidden }
    }

    /// The identity of what `selected` names, as far as it is taken.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn identity(&self, selected: &[Selected], taken: &Taken, site: &Site<'_>) -> Result<ContentId, Error> {
        let paths: Vec<PathBuf> = selected.iter().map(|selected| selected.path.clone()).collect();
        let place = match &self.files {
            Files::Context(context) => context.path.clone(),
            Files::Tree | Files::Inline { .. } => PathBuf::from("/"),
        };
        let root = select::Root::from_fd(self.root.as_fd().try_clone_to_owned().at("open", &place)?, place.clone());
        let source = self.source();
        let is_everything = taken.is_everything();
        let filter = |path: &Path, kind: FileType| {
            if is_everything {
                return (source.filter)(path, kind);
            }
            let of = selected.iter().find(|selected| path.starts_with(&selected.path));
            of.map_or(Verdict::Take, |of| both((source.filter)(path, kind), || taken.verdict(of, path, kind)))
        };
        // Those of a tree belong to whom they belong there, all others to root.
        let owners = if let Files::Tree = self.files { Owners::Counted } else { Owners::Ignored };
        let find = |memo: Option<&Memo<'_>>| -> Result<ContentId, Error> {
            let (found, entries) = select::select_listed(&root, &paths, owners, &filter, memo)?;
            listing::keep(site.store, &found.id, &entries)?;
            Ok(found.id)
        };
        match &self.files {
            Files::Inline { .. } | Files::Tree => find(None),
            Files::Context(_) => {
                let memo = Memo::load(site.store, &place)?;
                let found = find(Some(&memo))?;
                memo.save()?;
                Ok(found)
            }
        }
    }
}

/// What an ignore file says of a path.
pub(super) fn verdict(ignore: &Ignore, path: &Path, kind: FileType) -> Verdict {
    if ignore.is_empty() || path.as_os_str().is_empty() {
        return Verdict::Take;
    }
    let path = path.to_string_lossy();
    if !ignore.excludes(&path) {
        Verdict::Take
    } else if kind == FileType::Directory && ignore.has_exceptions() {
        Verdict::Enter
    } else {
        Verdict::Skip
    }
}

/// What is left of two opinions.
pub(super) fn both(first: Verdict, second: impl FnOnce() -> Verdict) -> Verdict {
    match first {
        Verdict::Skip => Verdict::Skip,
        Verdict::Take => second(),
        Verdict::Enter => match second() {
            Verdict::Skip => Verdict::Skip,
            Verdict::Take | Verdict::Enter => Verdict::Enter,
        },
    }
}

/// Writes the files of the plan into a folder.
fn write(inline: &Inline, folder: &Path) -> Result<(), PathError> {
    for file in &inline.files {
        let path = folder.join(&file.name);
        fs::write(&path, &file.content).at("write", &path)?;
        let mode = if file.executable { 0o755 } else { 0o644 };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).at("set the mode of", &path)?;
    }
    Ok(())
}
