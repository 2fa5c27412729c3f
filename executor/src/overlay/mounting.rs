//! The two ways to mount an overlay: layer by layer since Linux 6.5, and all in one string before.

use std::ffi::CString;
use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{MountAttrFlags, MountFlags, UnmountFlags, fsconfig_set_flag, fsconfig_set_string};

use super::error::Error;
use super::{MAX_LOWERS, Overlay, Upper};
use crate::fault::{At, PathError};
use crate::mount::{self, Depth};

/// How an overlay gets mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The newest that the kernel knows.
    Newest,
    /// The one of kernels before 6.5, which every kernel knows.
    Classic,
}

/// What every overlay is mounted with, besides its folders. Nothing of a layer may depend on another layer's inode, so
/// that each can be moved and merged on its own: no index, no redirects, no metadata without its content. `nofollow` rather
/// than `off`, which some kernels are configured to read as `follow`, and `userxattr` forbids.
const OPTIONS: [(&str, &str); 4] =
    [("index", "off"), ("xino", "off"), ("metacopy", "off"), ("redirect_dir", "nofollow")];

/// The option string of a classic mount has to fit in a page, its terminator included.
const PAGE: usize = 4096;

/// A layer's folders, held open: a path of any length becomes a short one without characters that need escaping.
struct Opened {
    lowers: Vec<OwnedFd>,
    upper: Option<(OwnedFd, OwnedFd)>,
}

/// Mounts an overlay of two folders or more, attached nowhere. `top`, where there is one, lies over the lowers and below
/// the upper.
pub(super) fn mount(overlay: &Overlay, top: Option<OwnedFd>, way: Way) -> Result<OwnedFd, Error> {
    let count = overlay.lowers.len() + usize::from(top.is_some());
    if count > MAX_LOWERS {
        return Err(Error::TooManyLowers { count, limit: MAX_LOWERS });
    }
    if let Some(upper) = &overlay.upper {
        clear_work(&upper.work)?;
    }
    let opened = open(overlay, top)?;
    match way {
        Way::Classic => classic(&opened),
        Way::Newest => match layered(&opened) {
            // Kernels before 6.5 do not know the option: some say so when it is set, others when all is put together.
            Err(Error::Mount { source, detail, .. }) if source.raw_os_error() == Some(libc::EINVAL) => {
                classic(&opened).map_err(|error| error.or_detail(detail))
            }
            result => result,
        },
    }
}

/// Whether the kernel takes the layers of an overlay of two folders or more one by one.
pub(super) fn takes_layers_one_by_one(overlay: &Overlay) -> Result<bool, Error> {
    match layered(&open(overlay, None)?) {
        Ok(_) => Ok(true),
        Err(Error::Mount { source, .. }) if source.raw_os_error() == Some(libc::EINVAL) => Ok(false),
        Err(error) => Err(error),
    }
}

fn open(overlay: &Overlay, top: Option<OwnedFd>) -> Result<Opened, Error> {
    let mut lowers = Vec::from_iter(top);
    for lower in &overlay.lowers {
        lowers.push(open_folder(lower)?);
    }
    let upper = match &overlay.upper {
        Some(Upper { upper, work }) => Some((open_folder(upper)?, open_folder(work)?)),
        None => None,
    };
    Ok(Opened { lowers, upper })
}

fn open_folder(path: &Path) -> Result<OwnedFd, PathError> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).at("open the layer", path)
}

/// Removes what an earlier mount left in the work folder: overlayfs gives its own folders there mode 0.
fn clear_work(work: &Path) -> Result<(), PathError> {
    for name in ["work", "index"] {
        let path = work.join(name);
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).at("clear the work folder", &path);
            }
            _ => {}
        }
    }
    Ok(())
}

/// Layer by layer.
fn layered(opened: &Opened) -> Result<OwnedFd, Error> {
    let count = opened.lowers.len();
    let description = mount::describe(c"overlay").map_err(|error| Error::mount(count, String::new(), error))?;
    let mounted = configure(&description, opened).and_then(|()| mount::create(&description, MountAttrFlags::empty()));
    mounted.map_err(|error| Error::mount(count, mount::complaint(description), error))
}

fn configure(description: &OwnedFd, opened: &Opened) -> Result<(), Errno> {
    fsconfig_set_string(description, "source", "layercake")?;
    for lower in &opened.lowers {
        fsconfig_set_string(description, "lowerdir+", mount::path_of(lower))?;
    }
    if let Some((upper, work)) = &opened.upper {
        fsconfig_set_string(description, "upperdir", mount::path_of(upper))?;
        fsconfig_set_string(description, "workdir", mount::path_of(work))?;
        fsconfig_set_flag(description, "volatile")?;
    }
    fsconfig_set_flag(description, "userxattr")?;
    OPTIONS.iter().try_for_each(|(key, value)| fsconfig_set_string(description, *key, *value))
}

/// All in one string, at a mount point that is ours for the moment: the mount moves off it into a descriptor.
fn classic(opened: &Opened) -> Result<OwnedFd, Error> {
    static MOUNT_POINT_IN_USE: Mutex<()> = Mutex::new(());
    let count = opened.lowers.len();
    let options = options(opened);
    if options.as_bytes_with_nul().len() > PAGE {
        let spare = options.as_bytes_with_nul().len() - lowerdir(opened).len();
        let longest = opened.lowers.iter().map(|lower| mount::path_of(lower).as_os_str().len() + 1).max();
        return Err(Error::TooManyLowers { count, limit: PAGE.saturating_sub(spare) / longest.unwrap_or(1) });
    }
    let refused = |error| Error::mount(count, String::new(), error);
    let _alone = MOUNT_POINT_IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
    rustix::mount::mount(c"layercake", mount::MOUNT_POINT, c"overlay", MountFlags::empty(), Some(options.as_c_str()))
        .map_err(refused)?;
    let mounted = mount::clone(CWD, Path::new(mount::MOUNT_POINT), Depth::Single);
    rustix::mount::unmount(mount::MOUNT_POINT, UnmountFlags::DETACH).map_err(refused)?;
    mounted.map_err(refused)
}

fn options(opened: &Opened) -> CString {
    let mut words = vec!["userxattr".to_owned(), format!("lowerdir={}", lowerdir(opened))];
    if let Some((upper, work)) = &opened.upper {
        let (upper, work) = (mount::path_of(upper), mount::path_of(work));
        words.push(format!("volatile,upperdir={},workdir={}", upper.display(), work.display()));
    }
    words.extend(OPTIONS.map(|(key, value)| format!("{key}={value}")));
    let text = words.join(",");
    CString::new(text).expect("numbers and option names have no zero bytes")
}

fn lowerdir(opened: &Opened) -> String {
    opened.lowers.iter().map(|lower| mount::path_of(lower).display().to_string()).collect::<Vec<_>>().join(":")
}
