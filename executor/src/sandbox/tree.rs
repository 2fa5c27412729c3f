//! The root of the command: the tree, with mount points for all that will be mounted into it.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::CWD;
use rustix::mount::MountAttrFlags;

use super::failure::{Doing, Failure};
use super::skeleton::{self, Wanted};
use crate::fault::At;
use crate::mount::{self, Depth};
use crate::overlay::{Overlay, Upper, Way};

/// Mounts the tree, attached nowhere.
pub(super) fn mount(tree: &Overlay, wanted: &[Wanted<'_>]) -> Result<OwnedFd, Failure> {
    let view = view(tree);
    let mounted: OwnedFd = view.mount()?.into();
    let skeleton = skeleton::build(mounted.as_fd(), wanted)?;
    // A single folder is not mounted anew.
    if view.lowers.len() > 1 {
        mount::park(&mounted);
    }
    drop(mounted);
    match skeleton {
        None => plain(tree),
        Some(skeleton) => over_skeleton(tree, &skeleton),
    }
}

/// The tree as it is now, only to look at.
fn view(tree: &Overlay) -> Overlay {
    let upper = tree.upper.iter().map(|upper| upper.upper.clone());
    Overlay { lowers: upper.chain(tree.lowers.iter().cloned()).collect(), upper: None }
}

/// The tree alone.
pub(super) fn plain(tree: &Overlay) -> Result<OwnedFd, Failure> {
    match (tree.lowers.as_slice(), &tree.upper) {
        ([folder], None) => {
            let mount = clone_folder(folder)?;
            mount::set_attributes(mount.as_fd(), MountAttrFlags::MOUNT_ATTR_RDONLY, Depth::Recursive)
                .doing("make the tree read-only")?;
            Ok(mount)
        }
        ([], Some(Upper { upper, .. })) => clone_folder(upper),
        ([], None) => {
            mount::new(c"tmpfs", &[("mode", "755")], MountAttrFlags::MOUNT_ATTR_RDONLY).doing("mount an empty tree")
        }
        _ => Ok(tree.mount_by(Way::Newest)?.into()),
    }
}

fn clone_folder(folder: &Path) -> Result<OwnedFd, Failure> {
    Ok(mount::clone(CWD, folder, Depth::Recursive).at("mount", folder)?)
}

/// The tree with a layer of mount points over its lowers. Between 5.14 and 6.14 kernels take for a layer only what is
/// mounted somewhere in this namespace.
fn over_skeleton(tree: &Overlay, skeleton: &OwnedFd) -> Result<OwnedFd, Failure> {
    let place = mount::open_place(Path::new(mount::MOUNT_POINT)).at("open", Path::new(mount::MOUNT_POINT))?;
    mount::attach(skeleton, place.as_fd()).doing("mount the layer of mount points")?;
    if tree.lowers.is_empty() && tree.upper.is_none() {
        let root = mount::clone(skeleton.as_fd(), Path::new(""), Depth::Single).doing("mount an empty tree")?;
        mount::set_attributes(root.as_fd(), MountAttrFlags::MOUNT_ATTR_RDONLY, Depth::Single)
            .doing("make the tree read-only")?;
        return Ok(root);
    }
    Ok(tree.mount_with(skeleton, Way::Newest)?)
}
