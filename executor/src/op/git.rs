//! `Git`: the files of a repository, as a tree of their own.

use layercake_compiler::operation::{Git, Mtime};

use crate::build::cancel::Cancel;
use crate::build::error::Error;
use crate::build::event::Event;
use crate::build::key::Ingredients;
use crate::build::site::Site;
use crate::build::workspace::Workspace;

/// Lists what the tree depends on: the commit, which says everything of the files, and what is taken of it.
///
/// # Errors
/// If the commit cannot be found out.
pub fn describe(git: &Git, site: &Site<'_>, cancel: &Cancel, ingredients: &mut Ingredients) -> Result<(), Error> {
    let pin = site.git.pin(git, cancel)?;
    let subdir = git.subdir.as_deref().unwrap_or_default();
    ingredients.add("operation", "git").add("commit", &pin.commit).add("subdir", subdir);
    ingredients.add("submodules", git.submodules);
    for path in &git.paths {
        ingredients.add("path", path);
    }
    if git.mtime == Mtime::Commit {
        ingredients.add("times", "commit");
    }
    // The repository that is kept has names in it, and one of a folder is not kept.
    let is_kept = git.keep_git_dir && subdir.is_empty();
    ingredients.add("keep .git", is_kept);
    if is_kept {
        ingredients.add("remote", &git.remote).add("object", &pin.object);
        ingredients.add("reference", pin.reference.as_deref().unwrap_or_default());
    }
    Ok(())
}

/// Puts the files into a workspace on nothing.
///
/// # Errors
/// If they cannot be fetched.
pub fn apply(git: &Git, workspace: &Workspace, site: &Site<'_>, cancel: &Cancel) -> Result<(), Error> {
    (site.listener)(Event::Transfer { action: "fetch", what: &git.remote, size: None });
    let pin = site.git.pin(git, cancel)?;
    Ok(site.git.checkout(git, &pin, &workspace.folder(), cancel)?)
}
