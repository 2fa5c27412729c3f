//! The two ways to mount an overlay: layer by layer since Linux 6.5, and all in one string before.

use std::borrow::Cow;
use std::ffi::CString;
use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
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

/// The longest value of an option that is set on its own (`vfs_fsconfig_locked` copies 256 bytes with the terminator).
const LONGEST: usize = 255;

/// A folder as the kernel is told of it.
enum Folder<'a> {
    /// By its path.
    Named(&'a Path),
    /// Held open: a path of any length becomes a short one without characters that need escaping.
    Open(OwnedFd),
    /// The same, by whoever has it mounted.
    Given(BorrowedFd<'a>),
}

impl Folder<'_> {
    fn name(&self) -> Cow<'_, Path> {
        match self {
            Self::Named(path) => Cow::Borrowed(path),
            Self::Open(folder) => Cow::Owned(mount::path_of(folder)),
            Self::Given(folder) => Cow::Owned(mount::path_of(folder)),
        }
    }
}

/// The folders of an overlay.
struct Folders<'a> {
    lowers: Vec<Folder<'a>>,
    upper: Option<(Folder<'a>, Folder<'a>)>,
}

/// Mounts an overlay of two folders or more, attached nowhere. `top`, where there is one, lies over the lowers and below
/// the upper.
pub(super) fn mount(overlay: &Overlay, top: Option<&OwnedFd>, way: Way) -> Result<OwnedFd, Error> {
    let count = overlay.lowers.len() + usize::from(top.is_some());
    if count > MAX_LOWERS {
        return Err(Error::TooManyLowers { count, limit: MAX_LOWERS });
    }
    if let Some(upper) = &overlay.upper {
        clear_work(&upper.work)?;
    }
    match way {
        Way::Classic => classic(overlay, top),
        Way::Newest => match layered(overlay, top) {
            // Kernels before 6.5 do not know the option: some say so when it is set, others when all is put together.
            Err(Error::Mount { source, detail, .. }) if source.raw_os_error() == Some(libc::EINVAL) => {
                classic(overlay, top).map_err(|error| error.or_detail(detail))
            }
            result => result,
        },
    }
}

/// Whether the kernel takes the layers of an overlay of two folders or more one by one.
pub(super) fn takes_layers_one_by_one(overlay: &Overlay) -> Result<bool, Error> {
    match layered(overlay, None) {
        Ok(_) => Ok(true),
        Err(Error::Mount { source, .. }) if source.raw_os_error() == Some(libc::EINVAL) => Ok(false),
        Err(error) => Err(error),
    }
}

impl<'a> Folders<'a> {
    fn of(
        overlay: &'a Overlay,
        top: Option<&'a OwnedFd>,
        folder: fn(&'a Path) -> Result<Folder<'a>, PathError>,
    ) -> Result<Self, Error> {
        let mut lowers = Vec::with_capacity(overlay.lowers.len() + 1);
        lowers.extend(top.map(|top| Folder::Given(top.as_fd())));
        for lower in &overlay.lowers {
            lowers.push(folder(lower)?);
        }
        let upper = match &overlay.upper {
            Some(Upper { upper, work }) => Some((folder(upper)?, folder(work)?)),
            None => None,
        };
        Ok(Self { lowers, upper })
    }
}

/// Opened only where it has to be: to look its descriptor up takes the kernel longer than its path.
fn named(path: &Path) -> Result<Folder<'_>, PathError> {
    let bytes = path.as_os_str().as_bytes();
    let is_plain = path.is_absolute() && bytes.len() <= LONGEST && !bytes.contains(&b'\\');
    if is_plain { Ok(Folder::Named(path)) } else { opened(path) }
}

fn opened(path: &Path) -> Result<Folder<'_>, PathError> {
    open_folder(path).map(Folder::Open)
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
fn layered(overlay: &Overlay, top: Option<&OwnedFd>) -> Result<OwnedFd, Error> {
    let folders = Folders::of(overlay, top, named)?;
    let count = folders.lowers.len();
    let description = mount::describe(c"overlay").map_err(|error| Error::mount(count, String::new(), error))?;
    let mounted = configure(&description, &folders).and_then(|()| mount::create(&description, MountAttrFlags::empty()));
    mounted.map_err(|error| match Folders::of(overlay, top, opened) {
        Ok(_) => Error::mount(count, mount::complaint(description), error),
        // One of the folders is the reason.
        Err(error) => error,
    })
}

fn configure(description: &OwnedFd, folders: &Folders<'_>) -> Result<(), Errno> {
    fsconfig_set_string(description, "source", "layercake")?;
    for lower in &folders.lowers {
        fsconfig_set_string(description, "lowerdir+", &*lower.name())?;
    }
    if let Some((upper, work)) = &folders.upper {
        fsconfig_set_string(description, "upperdir", &*upper.name())?;
        fsconfig_set_string(description, "workdir", &*work.name())?;
        fsconfig_set_flag(description, "volatile")?;
    }
    fsconfig_set_flag(description, "userxattr")?;
    OPTIONS.iter().try_for_each(|(key, value)| fsconfig_set_string(description, *key, *value))
}

/// All in one string, at a mount point that is ours for the moment: the mount moves off it into a descriptor.
fn classic(overlay: &Overlay, top: Option<&OwnedFd>) -> Result<OwnedFd, Error> {
    static MOUNT_POINT_IN_USE: Mutex<()> = Mutex::new(());
    let folders = Folders::of(overlay, top, opened)?;
    let count = folders.lowers.len();
    let options = options(&folders);
    if options.as_bytes_with_nul().len() > PAGE {
        let spare = options.as_bytes_with_nul().len() - lowerdir(&folders).len();
        let longest = folders.lowers.iter().map(|lower| lower.name().as_os_str().len() + 1).max();
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

fn options(folders: &Folders<'_>) -> CString {
    let mut words = vec!["userxattr".to_owned(), format!("lowerdir={}", lowerdir(folders))];
    if let Some((upper, work)) = &folders.upper {
        let (upper, work) = (upper.name(), work.name());
        words.push(format!("volatile,upperdir={},workdir={}", upper.display(), work.display()));
    }
    words.extend(OPTIONS.map(|(key, value)| format!("{key}={value}")));
    let text = words.join(",");
    CString::new(text).expect("numbers and option names have no zero bytes")
}

fn lowerdir(folders: &Folders<'_>) -> String {
    folders.lowers.iter().map(|lower| lower.name().display().to_string()).collect::<Vec<_>>().join(":")
}
