//! [`Workspace`]: a writable tree for one step: an empty folder over the tree below, taken as a change set afterwards.

use std::fs;
use std::path::PathBuf;

use layercake_cache::{Scratch, Store};

use super::error::Error;
use super::tree::Change;
use crate::change::{self, ChangeSet};
use crate::fault::At;
use crate::layer::pack;
use crate::op::way::Way;
use crate::overlay::{Overlay, Upper};

/// A writable tree. Dropped before it is finished, it leaves nothing.
#[derive(Debug)]
pub struct Workspace {
    scratch: Scratch,
    below: Vec<PathBuf>,
}

impl Workspace {
    /// A tree on the folders `below`, topmost first.
    ///
    /// # Errors
    /// If no folder can be made for it.
    pub fn new(store: &Store, below: Vec<PathBuf>) -> Result<Self, Error> {
        Self::on(store.scratch()?, below)
    }

    fn on(scratch: Scratch, below: Vec<PathBuf>) -> Result<Self, Error> {
        let workspace = Self { scratch, below };
        let upper = workspace.upper();
        fs::create_dir(&upper).at("create the folder", &upper)?;
        fs::create_dir(workspace.work()).at("create the folder", &workspace.work())?;
        change::prepare(&upper, &workspace.below)?;
        Ok(workspace)
    }

    /// A tree for a step that looks at no more of the one below than this: a skeleton of that stands in for it.
    ///
    /// # Errors
    /// If the skeleton cannot be made.
    pub fn along(store: &Store, way: &Way) -> Result<Self, Error> {
        let scratch = store.scratch()?;
        let skeleton = scratch.path().join("skeleton");
        fs::create_dir(&skeleton).at("create the folder", &skeleton)?;
        way.write(&skeleton)?;
        Self::on(scratch, vec![skeleton])
    }

    /// What is to be mounted.
    #[must_use]
    pub fn overlay(&self) -> Overlay {
        let upper = Upper { upper: self.upper(), work: self.work() };
        Overlay { lowers: self.below.clone(), upper: Some(upper) }
    }

    /// The folder that is written to, where there is nothing below it.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.upper()
    }

    /// The folders that it lies on, topmost first.
    #[must_use]
    pub fn below(&self) -> &[PathBuf] {
        &self.below
    }

    /// Stores what was written. The overlay is no longer mounted. `known` is the change set where whoever wrote it knows that.
    ///
    /// # Errors
    /// If it cannot be read or stored.
    pub fn finish(self, known: Option<ChangeSet>, store: &Store) -> Result<Change, Error> {
        let found = match known {
            Some(found) => found,
            None => change::capture(&self.upper(), &self.below)?,
        };
        pack::put_folder(store, &found.folder, &self.upper())?;
        Ok(found.into())
    }

    fn upper(&self) -> PathBuf {
        self.scratch.path().join("upper")
    }

    fn work(&self) -> PathBuf {
        self.scratch.path().join("work")
    }
}
