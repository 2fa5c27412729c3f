//! `Copy`: puts files of contexts, other trees and the Dockerfile itself on a tree.

pub mod archive;
mod attributes;
pub mod mode;
pub mod owner;
pub mod source;
pub mod write;

use std::path::Path;

use layercake_compiler::ignore::Ignore;
use layercake_compiler::operation::{Copy, Unpack};

use super::input::{self, Input};
use crate::build::error::Error;
use crate::build::key::Ingredients;
use crate::build::product::Product;
use crate::build::site::Site;
use crate::build::workspace::Workspace;
use crate::root::Root;
use crate::select::Owners;
use mode::ModeChange;
use source::{Selected, Source};
use write::{Owner, Writer};

/// Lists what the copy depends on: what it takes, and the tree that it goes on.
///
/// # Errors
/// If a source is not there or cannot be read.
pub fn describe(copy: &Copy, inputs: &[Product], site: &Site<'_>, ingredients: &mut Ingredients) -> Result<(), Error> {
    ingredients.add("operation", "copy");
    ingredients.add("tree", inputs[0].tree().expect("input 0 is a tree").id());
    ingredients.add("destination", &copy.destination);
    ingredients.add("unpack", serde_json::to_string(&copy.unpack).expect("a name"));
    ingredients.add("owner", copy.owner.as_deref().unwrap_or_default());
    ingredients.add("mode", copy.mode.as_deref().unwrap_or_default());
    for source in &copy.sources {
        let input = Input::open(&inputs[source.input], site)?;
        let selected = input.source().select(&source.path)?;
        for selected in &selected {
            ingredients.add("source", selected.name.display()).add("path", selected.path.display());
        }
        ingredients.add("content", input.identity(&selected, &copy.exclude, site)?);
        // What a link was named for, a file or a folder, decides what the copy is called.
        ingredients.add("owners", if input.owners() == Owners::Counted { "kept" } else { "root" });
    }
    Ok(())
}

/// Copies into a workspace.
///
/// # Errors
/// If a source is not there, the owner is not known, or the tree cannot be written.
pub fn apply(copy: &Copy, workspace: &Workspace, inputs: &[Product], site: &Site<'_>) -> Result<(), Error> {
    if copy.parents {
        return Err(Error::NotBuilt("`COPY --parents`"));
    }
    let excluded = Ignore::new(&copy.exclude)?;
    let mode = copy.mode.as_deref().map(ModeChange::parse).transpose()?;
    let mounted = workspace.overlay().mount()?;
    let tree = Root::of(&mounted)?;
    let owner = copy.owner.as_deref().map(|owner| owner::resolve(owner, &tree)).transpose()?;
    for source in &copy.sources {
        let input = Input::open(&inputs[source.input], site)?;
        let owner_here = match (owner, input.owners()) {
            (Some((uid, gid)), _) => Owner::Set { uid, gid },
            (None, Owners::Counted) => Owner::Kept,
            (None, Owners::Ignored) => Owner::Set { uid: 0, gid: 0 },
        };
        let mut writer = Writer::new(&tree, owner_here, mode.as_ref());
        for selected in input.source().select(&source.path)? {
            one(copy, &input, &selected, &excluded, owner, &mut writer)?;
        }
    }
    Ok(())
}

/// Copies one selected path, or unpacks it.
fn one(
    copy: &Copy,
    input: &Input<'_>,
    selected: &Selected,
    excluded: &Ignore,
    owner: Option<(u32, u32)>,
    writer: &mut Writer<'_>,
) -> Result<(), Error> {
    let all = input.source();
    if copy.unpack != Unpack::Never && archive::is_archive(&all, selected) {
        return archive::unpack(&all, selected, &copy.destination, owner, writer);
    }
    let filter =
        |path: &Path, kind| input::both((all.filter)(path, kind), || input::excluded(excluded, selected, path, kind));
    Ok(writer.copy(&Source { root: all.root, filter: &filter }, selected, &copy.destination)?)
}
