//! `Copy`: puts files of contexts, other trees and the Dockerfile itself on a tree.

pub mod archive;
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
use crate::build::site::{Form, Site};
use crate::build::tree::Tree;
use crate::build::workspace::Workspace;
use crate::change::ChangeSet;
use crate::draft::{Archived, Draft};
use crate::layer::blob::LayerBlob;
use crate::layer::compress::Compression;
use crate::layer::pack;
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

/// What became of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copied {
    /// It lies in the workspace, and is this; `None` if it has to be looked for.
    Folder(Option<ChangeSet>),
    /// The store has the pack.
    Pack(ChangeSet),
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
            let Found { input, selected, .. } = taking.open(site)?;
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
                let Found { input, selected, .. } = taking.open(site)?;
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

    /// Copies into a workspace on `below`, or makes a pack of what would come to lie there.
    ///
    /// # Errors
    /// If a source cannot be read, the owner is not known, or the tree cannot be written.
    pub fn apply(&self, workspace: &Workspace, below: &Product, form: Form, site: &Site<'a>) -> Result<Copied, Error> {
        let mode = self.copy.mode.as_deref().map(ModeChange::parse).transpose()?;
        let owner = self.owner(below, site)?;
        if self.unpacks(site)? {
            return self.unpack(workspace, owner, mode.as_ref(), site).map(|()| Copied::Folder(None));
        }
        let mut draft = Draft::on(workspace.below())?;
        for taking in &self.takings {
            let Found { input, selected, since } = taking.open(site)?;
            let mut writer = Writer::new(&mut draft, written_by(taking, owner), mode.as_ref()).watching(*since);
            for selected in selected {
                self.one(taking, &input.source(), selected, &mut writer)?;
            }
        }
        if form == Form::Pack
            && let Some(packed) = self.pack(&draft, site)?
        {
            return Ok(Copied::Pack(packed));
        }
        let known = draft.write_upper(&workspace.folder())?;
        self.check(draft.touched(), site)?;
        Ok(Copied::Folder(known))
    }

    /// Makes a pack of a draft; `None` if it has to be a folder.
    fn pack(&self, draft: &Draft<'_>, site: &Site<'a>) -> Result<Option<ChangeSet>, Error> {
        let store = site.store;
        let mut out = store.blob_writer()?;
        let place = out.path().to_owned();
        let Some(Archived { change_set, nanoseconds }) = draft.write_archive(&mut out, &place)? else {
            return Ok(None);
        };
        self.check(draft.touched(), site)?;
        // The same files with other times stay what they are, as a folder does.
        if !pack::is_here(store, &change_set.folder) {
            let (digest, size) = out.finish()?;
            let blob = LayerBlob { diff_id: digest, digest, size, compression: Compression::None };
            pack::keep(store, &change_set.folder, &blob, &nanoseconds)?;
        }
        Ok(Some(change_set))
    }

    /// Holds the sources to what the key says, if one was touched meanwhile: under the key of what they were, what they have
    /// become must not be found.
    fn check(&self, touched: Option<&Path>, site: &Site<'a>) -> Result<(), Error> {
        let Some(touched) = touched else { return Ok(()) };
        for taking in &self.takings {
            if !taking.is_unchanged(site)? {
                return Err(Error::Changed(touched.to_owned()));
            }
        }
        Ok(())
    }

    /// The same where archives are among the sources. How they are unpacked depends on what is in the tree, so it is mounted,
    /// and everything is written to it in the order of the instruction.
    fn unpack(
        &self,
        workspace: &Workspace,
        owner: Option<(u32, u32)>,
        mode: Option<&ModeChange>,
        site: &Site<'a>,
    ) -> Result<(), Error> {
        let mounted = workspace.overlay().mount()?;
        let tree = Root::of(&mounted)?;
        let layers = [mounted.path()];
        for taking in &self.takings {
            let Found { input, selected, since } = taking.open(site)?;
            let source = input.source();
            let is_archive = |one: &Selected| may_unpack(self.copy, taking) && archive::is_archive(&source, one);
            let mut rest = selected.as_slice();
            while !rest.is_empty() {
                let mut draft = Draft::on(&layers)?;
                let mut writer = Writer::new(&mut draft, written_by(taking, owner), mode).watching(*since);
                if is_archive(&rest[0]) {
                    let folder = writer.folder_at(&self.copy.destination)?;
                    draft.write_onto(&tree)?;
                    archive::unpack(&source, &rest[0], &tree, &folder, owner)?;
                    rest = &rest[1..];
                    continue;
                }
                let files = rest.iter().position(is_archive).unwrap_or(rest.len());
                for selected in &rest[..files] {
                    self.one(taking, &source, selected, &mut writer)?;
                }
                draft.write_onto(&tree)?;
                self.check(draft.touched(), site)?;
                rest = &rest[files..];
            }
        }
        Ok(())
    }

    /// Copies one selected path.
    fn one<'s>(
        &self,
        taking: &Taking<'_>,
        all: &Source<'s>,
        selected: &Selected,
        writer: &mut Writer<'_, 's>,
    ) -> Result<(), Error> {
        taking.taken().check(all)?;
        let filter = filter(all, taking.taken(), selected);
        Ok(writer.copy(all.root, &filter, selected, &self.copy.destination)?)
    }

    /// Whom `--chown` says that everything belongs to.
    fn owner(&self, below: &Product, site: &Site<'a>) -> Result<Option<(u32, u32)>, Error> {
        let Some(owner) = self.copy.owner.as_deref() else { return Ok(None) };
        if let Some(numbers) = owner::numbers(owner) {
            return Ok(Some(numbers));
        }
        if let Some(way) = self.way() {
            return Ok(way.owner);
        }
        // What is copied apart from the tree is still owned by the tree's users.
        Ok(Some(owner::resolve(owner, &Input::open(below, site)?.into_root())?))
    }
}

/// Who owns what is copied of a source.
fn written_by(taking: &Taking<'_>, owner: Option<(u32, u32)>) -> Owner {
    match (owner, taking.owners()) {
        (Some((uid, gid)), _) => Owner::Set { uid, gid },
        (None, Owners::Counted) => Owner::Kept,
        (None, Owners::Ignored) => Owner::Set { uid: 0, gid: 0 },
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
