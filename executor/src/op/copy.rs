//! `Copy`: puts files of contexts, other trees and the Dockerfile itself on a tree.

pub mod archive;
mod attributes;
pub mod mode;
pub mod owner;
pub mod source;
pub mod taken;
pub mod write;

use std::cell::OnceCell;
use std::path::Path;

use layercake_cache::ContentKey;
use layercake_compiler::operation::{Below, Copy, CopySource, Unpack};
use rustix::fs::FileType;

use super::input::{self, Input};
use super::taking::{Found, Taking};
use super::way::{Lookout, Times, Way};
use crate::build::error::Error;
use crate::build::key::Ingredients;
use crate::build::product::Product;
use crate::build::site::Site;
use crate::build::tree::Tree;
use crate::build::workspace::Workspace;
use crate::root::Root;
use crate::select::{Owners, Verdict};
use mode::ModeChange;
use source::{Selected, Source};
use taken::Taken;
use write::{Owner, Writer};

/// What a copy takes: looked for once, for its key and, if nobody has made it before, for making it.
pub struct Sources<'a> {
    copy: &'a Copy,
    /// In the order of the instruction.
    takings: Vec<Taking<'a>>,
    /// All that the copy depends on of the tree below, once that is known; `None` if that is the whole tree.
    way: OnceCell<Option<Way>>,
}

impl<'a> Sources<'a> {
    /// What `copy` names. Nothing is looked at yet.
    ///
    /// # Errors
    /// If a pattern is none.
    pub fn new(copy: &'a Copy, inputs: &'a [Product]) -> Result<Self, Error> {
        let taking = |source: &CopySource| Ok(Taking::new(&inputs[source.input], Taken::new(copy, &source.path)?));
        let takings = copy.sources.iter().map(taking).collect::<Result<_, Error>>()?;
        Ok(Self { copy, takings, way: OnceCell::new() })
    }

    /// Whether what it makes does not depend on the tree that it goes on.
    #[must_use]
    pub fn sees_only_sources(&self) -> bool {
        sees_only_sources(self.copy)
    }

    /// Whether it is made apart from the tree that it goes on.
    #[must_use]
    pub fn is_apart(&self) -> bool {
        self.copy.link
    }

    /// Lists what the copy depends on: what it takes, and of the tree that it goes on what it looks at, or all of it.
    ///
    /// # Errors
    /// If a source or the tree cannot be read, or the owner is not known.
    pub fn describe(&self, below: &Tree, site: &Site<'a>, ingredients: &mut Ingredients) -> Result<(), Error> {
        let taken = self.taken(site)?;
        let mut with = |tree: &Ingredients| {
            ingredients.add("operation", "copy").append(tree).append(&taken);
        };
        let mut whole = Ingredients::default();
        if sees_only_sources(self.copy) {
            with(&whole);
            return Ok(());
        }
        whole.add("tree", below.id());
        if self.copy.below == Below::Whole || self.unpacks(site)? {
            with(&whole);
            return Ok(());
        }
        let way = self.find_way(below, &whole.clone().append(&taken).key(), site)?;
        match self.way.get_or_init(|| way) {
            Some(way) => {
                let mut seen = Ingredients::default();
                way.describe(Times::of(site.epoch), &mut seen);
                with(&seen);
            }
            None => with(&whole),
        }
        Ok(())
    }

    /// Lists what the copy says and what it takes.
    fn taken(&self, site: &Site<'a>) -> Result<Ingredients, Error> {
        let (copy, mut ingredients) = (self.copy, Ingredients::default());
        ingredients.add("destination", &copy.destination);
        ingredients.add("unpack", serde_json::to_string(&copy.unpack).expect("a name"));
        ingredients.add("owner", copy.owner.as_deref().unwrap_or_default());
        ingredients.add("mode", copy.mode.as_deref().unwrap_or_default());
        ingredients.add("link", copy.link).add("parents", copy.parents);
        for (source, taking) in copy.sources.iter().zip(&self.takings) {
            let content = taking.content(site)?;
            ingredients.add("source", &source.path);
            for (name, path) in &content.selected {
                ingredients.add("name", Path::new(name).display()).add("path", Path::new(path).display());
            }
            ingredients.add(format!("content {}", source.path), content.id);
            ingredients.add("owners", if taking.owners() == Owners::Counted { "kept" } else { "root" });
        }
        for pattern in &copy.exclude {
            ingredients.add("exclude", pattern);
        }
        Ok(ingredients)
    }

    /// Whether an archive is among the sources that will be unpacked.
    fn unpacks(&self, site: &Site<'a>) -> Result<bool, Error> {
        for taking in self.takings.iter().filter(|taking| may_unpack(self.copy, taking)) {
            let Found { input, selected } = taking.open(site)?;
            if selected.iter().any(|one| archive::is_archive(&input.source(), one)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What the copy looks at in the tree below; `None` if it depends on more. `whole` is the key that it has with all of that
    /// tree.
    fn find_way(&self, below: &Tree, whole: &ContentKey, site: &Site<'a>) -> Result<Option<Way>, Error> {
        Way::find(below, whole, site, |tree| {
            let copy = self.copy;
            let owner = copy.owner.as_deref().filter(|owner| owner::is_named(owner));
            let owner = owner.map(|owner| owner::resolve(owner, tree)).transpose()?;
            let mut lookout = Lookout::new(tree, Times::of(site.epoch));
            let mut copied = 0;
            // Linked, it is made apart.
            for taking in self.takings.iter().filter(|_| !copy.link) {
                let Found { input, selected } = taking.open(site)?;
                for selected in selected {
                    let source = input.source();
                    let filter = filter(&source, taking.taken(), selected);
                    lookout.copy(&Source { root: source.root, filter: &filter }, selected, &copy.destination)?;
                }
                copied += selected.len();
            }
            Ok(lookout.finish(owner, copied))
        })
    }

    /// All that the copy depends on of the tree below, if that is known and is not the whole tree.
    #[must_use]
    pub fn way(&self) -> Option<&Way> {
        self.way.get()?.as_ref()
    }

    /// Copies into a workspace on `below`.
    ///
    /// # Errors
    /// If a source cannot be read, the owner is not known, or the tree cannot be written.
    pub fn apply(&self, workspace: &Workspace, below: &Product, site: &Site<'a>) -> Result<(), Error> {
        let copy = self.copy;
        let mode = copy.mode.as_deref().map(ModeChange::parse).transpose()?;
        let mounted = workspace.overlay().mount()?;
        let tree = Root::of(&mounted)?;
        let owner = match copy.owner.as_deref() {
            Some(owner)
                if owner::is_named(owner)
                    && let Some(way) = self.way() =>
            {
                way.owner
            }
            // What is copied apart from the tree is still owned by the tree's users.
            Some(owner) if copy.link && owner::is_named(owner) => {
                Some(owner::resolve(owner, &Input::open(below, site)?.into_root())?)
            }
            Some(owner) => Some(owner::resolve(owner, &tree)?),
            None => None,
        };
        for taking in &self.takings {
            let owner_here = match (owner, taking.owners()) {
                (Some((uid, gid)), _) => Owner::Set { uid, gid },
                (None, Owners::Counted) => Owner::Kept,
                (None, Owners::Ignored) => Owner::Set { uid: 0, gid: 0 },
            };
            let mut writer = Writer::new(&tree, owner_here, mode.as_ref());
            let Found { input, selected } = taking.open(site)?;
            for selected in selected {
                one(copy, taking, &input.source(), selected, owner, &mut writer)?;
            }
        }
        Ok(())
    }
}

/// Whether what a copy makes does not depend on the tree that it goes on: a linked one sees nothing of it but the names of its
/// users.
#[must_use]
pub fn sees_only_sources(copy: &Copy) -> bool {
    copy.link && !copy.owner.as_deref().is_some_and(owner::is_named)
}

/// What of a source is seen and taken.
fn filter<'s>(
    all: &'s Source<'_>,
    taken: &'s Taken,
    selected: &'s Selected,
) -> impl Fn(&Path, FileType) -> Verdict + Sync + 's {
    move |path, kind| input::both((all.filter)(path, kind), || taken.verdict(selected, path, kind))
}

/// Whether archives of this input are unpacked.
fn may_unpack(copy: &Copy, taking: &Taking<'_>) -> bool {
    match copy.unpack {
        Unpack::Never => false,
        // What an `ADD` takes from a tree was fetched.
        Unpack::Local => !taking.is_tree(),
        Unpack::Always => true,
    }
}

/// Copies one selected path, or unpacks it.
fn one(
    copy: &Copy,
    taking: &Taking<'_>,
    all: &Source<'_>,
    selected: &Selected,
    owner: Option<(u32, u32)>,
    writer: &mut Writer<'_>,
) -> Result<(), Error> {
    if may_unpack(copy, taking) && archive::is_archive(all, selected) {
        return archive::unpack(all, selected, &copy.destination, owner, writer);
    }
    taking.taken().check(all)?;
    let filter = filter(all, taking.taken(), selected);
    Ok(writer.copy(&Source { root: all.root, filter: &filter }, selected, &copy.destination)?)
}
