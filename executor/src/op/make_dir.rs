//! `MakeDir`: a folder and its parents, where they do not exist.

use std::path::Path;

use layercake_compiler::operation::{Below, MakeDir};

use super::copy::owner::{self, OwnerError};
use super::copy::write::{Owner, Writer};
use super::input::Input;
use super::way::{Lookout, Times, Way};
use crate::build::error::Error;
use crate::build::key::Ingredients;
use crate::build::product::Product;
use crate::build::site::Site;
use crate::build::tree::Tree;
use crate::build::workspace::Workspace;
use crate::change::ChangeSet;
use crate::draft::Draft;
use crate::root::Root;

/// Lists what it depends on, and gives what it looks at in the tree below; `None`: it is done on the whole tree.
///
/// # Errors
/// If the tree below cannot be read.
pub fn describe(
    operation: &MakeDir,
    below: &Tree,
    site: &Site<'_>,
    ingredients: &mut Ingredients,
) -> Result<Option<Way>, Error> {
    let mut said = Ingredients::default();
    said.add("path", &operation.path).add("owner", operation.owner.as_deref().unwrap_or("0:0"));
    let mut whole = Ingredients::default();
    whole.add("operation", "make-dir").add("tree", below.id()).append(&said);
    let way = match operation.below {
        Below::Whole => None,
        Below::Way => Way::find(below, &whole.key(), site, |tree| {
            let mut lookout = Lookout::new(tree, Times::of(site.epoch));
            lookout.make_dir(Path::new(&operation.path))?;
            let named = operation.owner.as_deref().filter(|owner| owner::is_named(owner));
            let owner = named.map(|_| owner_in(operation, tree)).transpose()?;
            Ok(lookout.finish(owner, 1))
        })?,
    };
    if let Some(way) = &way {
        ingredients.add("operation", "make-dir");
        way.describe(Times::of(site.epoch), ingredients);
        ingredients.append(&said);
    } else {
        ingredients.append(&whole);
    }
    Ok(way)
}

/// Makes the folder, and gives the change set; `None` if that has to be looked for. `way` is what [`describe`] gave.
///
/// # Errors
/// If something else is in its place, or its owner is not known.
pub fn apply<'a>(
    operation: &MakeDir,
    way: Option<&Way>,
    workspace: &Workspace,
    below: &'a Product,
    site: &Site<'a>,
) -> Result<Option<ChangeSet>, Error> {
    let known = operation.owner.as_deref().map_or(Some((0, 0)), owner::numbers);
    let (uid, gid) = match known.or_else(|| way.and_then(|way| way.owner)) {
        Some(owner) => owner,
        None => owner_in(operation, &Input::open(below, site)?.into_root())?,
    };
    let mut draft = Draft::on(workspace.below())?;
    Writer::new(&mut draft, Owner::Set { uid, gid }, None).folder_at(&operation.path)?;
    Ok(draft.write_upper(&workspace.folder())?)
}

/// Whose the folder is to be.
fn owner_in(operation: &MakeDir, tree: &Root) -> Result<(u32, u32), OwnerError> {
    match operation.owner.as_deref().map(|owner| owner::resolve(owner, tree)) {
        None => Ok((0, 0)),
        // A user that is still to be made is no reason to fail: as for BuildKit, the folder is root's then.
        Some(Err(OwnerError::Unknown { .. })) => Ok((0, 0)),
        Some(owner) => owner,
    }
}
