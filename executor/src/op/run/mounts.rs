//! The mounts of a `Run`: what they are for a key, and what they are for the sandbox.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use layercake_cache::{SharedFolder, Sharing as Lock};
use layercake_compiler::operation::{Mount, MountKind, Sharing};

use super::error::Error;
use crate::agent::{Forwarding, Permissions};
use crate::build::error::Error as BuildError;
use crate::build::key::Ingredients;
use crate::build::product::Product;
use crate::build::site::Site;
use crate::build::workspace::Workspace;
use crate::draft::Draft;
use crate::fault::At;
use crate::op::copy::source::Source;
use crate::op::copy::taken::Taken;
use crate::op::copy::write::{Owner, Writer};
use crate::op::input::Input;
use crate::overlay::Overlay;
use crate::remote::mounts as remote;
use crate::root::Root;
use crate::sandbox::{self, Access};

/// What has to stay while the command runs.
#[derive(Debug, Default)]
pub(super) struct Opened {
    workspaces: Vec<Workspace>,
    shared: Vec<SharedFolder>,
    agents: Vec<Forwarding>,
}

/// Lists what the command depends on through a mount. What lies in a cache or a secret is no part of it.
pub(super) fn describe(
    mount: &Mount,
    inputs: &[Product],
    site: &Site<'_>,
    ingredients: &mut Ingredients,
) -> Result<(), BuildError> {
    let target = mount.target.as_deref().unwrap_or_default();
    let kind = serde_json::to_string(&mount.kind).expect("a mount is names and numbers");
    ingredients.add(format!("mount {target}"), kind);
    if let Some((input, path)) = mount.kind.reads() {
        ingredients.add(format!("mounted {target}"), identity(&inputs[input], path, site)?);
    }
    Ok(())
}

/// What a product is, as far as a path of it is mounted: the whole of a tree, since a command may follow links in it.
fn identity(product: &Product, path: &str, site: &Site<'_>) -> Result<String, BuildError> {
    if let Product::Tree(tree, _) = product {
        return Ok(tree.id().to_string());
    }
    let input = Input::open(product, site)?;
    let selected = input.source().select(path)?;
    Ok(input.identity(&selected, &Taken::everything(path), site)?.to_string())
}

/// What the folder of a cache mount is called in the store; `None` for other mounts.
///
/// # Errors
/// If what it begins with cannot be read.
pub fn shared_name(mount: &Mount, inputs: &[Product], site: &Site<'_>) -> Result<Option<String>, BuildError> {
    let MountKind::Cache { id, from, uid, gid, mode, .. } = &mount.kind else { return Ok(None) };
    // As for BuildKit, caches that begin differently are different ones.
    let filled = match from {
        Some((input, source)) => format!("{} {source}", identity(&inputs[*input], source, site)?),
        None => String::new(),
    };
    Ok(Some(format!("mount {id} {uid}:{gid} {mode:o} {filled}")))
}

/// Adds what the sandbox has to mount, and the variables that hold secrets.
pub(super) fn open(
    mount: &Mount,
    inputs: &[Product],
    site: &Site<'_>,
    opened: &mut Opened,
    mounts: &mut Vec<sandbox::Mount>,
    env: &mut Vec<(String, String)>,
) -> Result<(), BuildError> {
    let kind = match &mount.kind {
        MountKind::Bind { input, source, writable } => {
            let (lowers, source) = lowers(&inputs[*input], source, site, opened)?;
            let access = if *writable { Access::ReadWrite } else { Access::ReadOnly };
            let tree = if *writable {
                let workspace = Workspace::new(site.store, lowers)?;
                let overlay = workspace.overlay();
                opened.workspaces.push(workspace);
                overlay
            } else {
                Overlay { lowers, upper: None }
            };
            sandbox::MountKind::Tree { tree, source, access }
        }
        MountKind::Cache { sharing, from, uid, gid, mode: permissions, read_only, .. } => {
            let sharing = match sharing {
                Sharing::Shared => Lock::Shared,
                Sharing::Private => Lock::Private,
                Sharing::Locked => Lock::Locked,
            };
            let name = shared_name(mount, inputs, site)?.expect("it is a cache mount");
            let folder = site.store.shared_folder(&name, sharing, |path| {
                if !remote::restore(&name, path, site)?
                    && let Some((input, source)) = from
                {
                    fill(path, &inputs[*input], source, site)?;
                }
                own(path, *uid, *gid, *permissions)
            })?;
            let source = folder.path().to_owned();
            opened.shared.push(folder);
            let access = if *read_only { Access::ReadOnly } else { Access::ReadWrite };
            sandbox::MountKind::Bind { source, access }
        }
        MountKind::Tmpfs { size } => sandbox::MountKind::Tmpfs { size: *size },
        MountKind::Secret { id, env: variable, required, uid, gid, mode } => {
            let Some(content) = site.surroundings.secrets.get(id) else {
                return if *required { Err(Error::MissingSecret(id.clone()).into()) } else { Ok(()) };
            };
            if let Some(variable) = variable {
                env.push((variable.clone(), String::from_utf8_lossy(content).into_owned()));
            }
            let (uid, gid, mode) = (*uid, *gid, *mode);
            sandbox::MountKind::File { content: content.clone(), uid, gid, mode, access: Access::ReadOnly }
        }
        MountKind::Ssh { id, required, uid, gid, mode } => {
            let Some(agent) = site.surroundings.agents.get(id) else {
                return if *required { Err(Error::MissingAgent(id.clone()).into()) } else { Ok(()) };
            };
            let permissions = Permissions { uid: *uid, gid: *gid, mode: *mode };
            let forwarding = Forwarding::start(agent, site.store.scratch()?, permissions).map_err(Error::from)?;
            let source = forwarding.socket();
            opened.agents.push(forwarding);
            sandbox::MountKind::Bind { source, access: Access::ReadWrite }
        }
    };
    if let Some(target) = &mount.target {
        mounts.push(sandbox::Mount { target: target.clone(), kind });
    }
    Ok(())
}

/// The folders, topmost first, that have what a mount shows, and the path in them. What a context hides must not be seen
/// and whoever owns it on this machine does not matter, so files of a context are copied.
fn lowers(
    product: &Product,
    source: &str,
    site: &Site<'_>,
    opened: &mut Opened,
) -> Result<(Vec<PathBuf>, String), BuildError> {
    if let Product::Tree(tree, _) = product {
        return Ok((site.folders(tree)?, source.to_owned()));
    }
    let workspace = Workspace::new(site.store, Vec::new())?;
    let folder = workspace.folder();
    let input = Input::open(product, site)?;
    let selected = input.source().select(source).map_err(|_| Error::MissingSource(source.to_owned()))?;
    let mut draft = Draft::on(&[])?;
    let Source { root, filter } = input.source();
    for selected in &selected {
        Writer::new(&mut draft, Owner::Set { uid: 0, gid: 0 }, None).copy(root, filter, selected, "/mounted")?;
    }
    draft.write_onto(&Root::open(&folder)?)?;
    opened.workspaces.push(workspace);
    Ok((vec![folder], "/mounted".to_owned()))
}

fn fill(path: &Path, product: &Product, source: &str, site: &Site<'_>) -> Result<(), BuildError> {
    let input = Input::open(product, site)?;
    let mut draft = Draft::on(&[])?;
    let Source { root, filter } = input.source();
    for selected in &input.source().select(source)? {
        Writer::new(&mut draft, Owner::Kept, None).copy(root, filter, selected, "/")?;
    }
    Ok(draft.write_onto(&Root::open(path)?)?)
}

fn own(path: &Path, uid: u32, gid: u32, mode: u32) -> Result<(), BuildError> {
    chown(path, Some(uid), Some(gid)).at("set the owner of", path)?;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(mode)).at("set the mode of", path)?)
}
