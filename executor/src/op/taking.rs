//! [`Taking`]: what is taken of an input: found once, for the key of a step and for doing it.
//!
//! What is found in a tree is found there for ever. So where it is remembered, the tree is not looked at, and need not be here.

use std::cell::OnceCell;
use std::ffi::OsString;

use layercake_cache::{ContentId, ContentKey, KeyHasher};
use rustix::time::{ClockId, Timespec, clock_gettime};
use serde::{Deserialize, Serialize};

use super::copy::source::Selected;
use super::copy::taken::Taken;
use super::input::Input;
use crate::build::error::Error;
use crate::build::product::Product;
use crate::build::site::Site;
use crate::build::tree::TreeId;
use crate::select::Owners;

/// What is taken of an input.
pub struct Taking<'a> {
    product: &'a Product,
    taken: Taken,
    /// Once somebody has looked.
    found: OnceCell<Found<'a>>,
    /// The identity of what was found.
    identity: OnceCell<ContentId>,
}

/// An input, and what was selected of it.
pub struct Found<'a> {
    /// The input, open for as long as this lives.
    pub input: Input<'a>,
    /// In the order of the names.
    pub selected: Vec<Selected>,
    /// When it was looked at first, where it may change meanwhile: it is a context.
    pub since: Option<Timespec>,
}

/// What is taken, as far as it matters to a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// Of everything that was selected the name that it has in a folder, and its path in the input.
    pub selected: Vec<(OsString, OsString)>,
    /// The identity of all that is taken of it.
    pub id: ContentId,
}

impl<'a> Taking<'a> {
    /// Of `product`. Nothing is looked at yet.
    #[must_use]
    pub fn new(product: &'a Product, taken: Taken) -> Self {
        Self { product, taken, found: OnceCell::new(), identity: OnceCell::new() }
    }

    /// What of each selected thing is taken.
    #[must_use]
    pub fn taken(&self) -> &Taken {
        &self.taken
    }

    /// Whether the files are those of another step.
    #[must_use]
    pub fn is_tree(&self) -> bool {
        matches!(self.product, Product::Tree(..))
    }

    /// Whose the files are: those of a tree belong to whom they belong there, all others to root.
    #[must_use]
    pub fn owners(&self) -> Owners {
        if self.is_tree() { Owners::Counted } else { Owners::Ignored }
    }

    /// Opens the input, and selects what is named. The second time that is done already.
    ///
    /// # Errors
    /// If a tree cannot be had or mounted, or what is named is not there.
    pub fn open(&self, site: &Site<'a>) -> Result<&Found<'a>, Error> {
        if let Some(found) = self.found.get() {
            return Ok(found);
        }
        // By the clock that file systems stamp with.
        let now = || clock_gettime(ClockId::RealtimeCoarse);
        let since = matches!(self.product, Product::Context(_)).then(now);
        let input = Input::open(self.product, site)?;
        let selected = input.source().select(&self.taken.path)?;
        Ok(self.found.get_or_init(|| Found { input, selected, since }))
    }

    /// What is taken: what is remembered of a tree, or else what is found.
    ///
    /// # Errors
    /// If it has to be looked at, and cannot be.
    pub fn content(&self, site: &Site<'a>) -> Result<Content, Error> {
        let Product::Tree(tree, _) = self.product else { return self.look(site) };
        let key = self.key(tree.id());
        if let Some(content) = site.recall(&key)? {
            return Ok(content);
        }
        let content = self.look(site)?;
        site.remember(&key, &content)?;
        Ok(content)
    }

    fn look(&self, site: &Site<'a>) -> Result<Content, Error> {
        let Found { input, selected, .. } = self.open(site)?;
        let id = input.identity(selected, &self.taken, site)?;
        let id = *self.identity.get_or_init(|| id);
        let names = |selected: &Selected| (selected.name.clone(), selected.path.clone().into_os_string());
        Ok(Content { selected: selected.iter().map(names).collect(), id })
    }

    /// Whether what is taken is still what it was when it was looked at for the key.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn is_unchanged(&self, site: &Site<'a>) -> Result<bool, Error> {
        let Some(identity) = self.identity.get() else { return Ok(true) };
        let Found { input, selected, .. } = self.open(site)?;
        Ok(input.identity(selected, &self.taken, site)? == *identity)
    }

    fn key(&self, tree: TreeId) -> ContentKey {
        let mut hasher = KeyHasher::new("layercake selection from a tree 3");
        hasher.field(tree.to_string().as_bytes()).field(self.taken.path.as_bytes());
        for pattern in self.taken.patterns() {
            hasher.field(pattern.as_bytes());
        }
        hasher.finish()
    }
}
