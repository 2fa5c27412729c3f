//! `MakeDir`: a folder and its parents, where they do not exist.

use std::path::Path;

use layercake_compiler::operation::MakeDir;

use super::copy::owner::{self, OwnerError};
use super::copy::write::{Owner, Writer};
use crate::build::error::Error;
use crate::build::key::Ingredients;
use crate::build::product::Product;
use crate::build::workspace::Workspace;
use crate::fault::At;
use crate::root::{LastLink, Root};

/// Lists what it depends on.
pub fn describe(operation: &MakeDir, inputs: &[Product], ingredients: &mut Ingredients) {
    ingredients.add("operation", "make-dir").add("tree", inputs[0].tree().expect("input 0 is a tree").id());
    ingredients.add("path", &operation.path).add("owner", operation.owner.as_deref().unwrap_or("0:0"));
}

/// Makes the folder.
///
/// # Errors
/// If something else is in its place, or its owner is not known.
pub fn apply(operation: &MakeDir, workspace: &Workspace) -> Result<(), Error> {
    let mounted = workspace.overlay().mount()?;
    let tree = Root::of(&mounted)?;
    let (uid, gid) = match &operation.owner {
        // A user that is still to be made is no reason to fail: as for BuildKit, the folder is root's then.
        Some(owner) => match owner::resolve(owner, &tree) {
            Err(OwnerError::Unknown { .. }) => (0, 0),
            result => result?,
        },
        None => (0, 0),
    };
    let path = Path::new(&operation.path);
    let resolved = tree.resolve(path, LastLink::Follow).at("find", path)?;
    Ok(Writer::new(&tree, Owner::Set { uid, gid }, None).make_folders(&resolved)?)
}
