//! `/dev`: what Docker has there, and nothing else of the machine's devices.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dev, FileType, Mode, OFlags, chmodat, makedev, mknodat};
use rustix::io::Errno;
use rustix::mount::MountAttrFlags;

use super::failure::{Doing, Failure};
use super::place::{self, Missing};
use super::skeleton::{make_file, make_folder};
use super::spec::DeviceGuard;
use crate::mount::{self, Depth};

/// The devices, with their major and minor numbers.
///
/// Source: the kernel's `Documentation/admin-guide/devices.txt`.
const DEVICES: [(&str, u32, u32); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];

/// Links, and where they lead.
const LINKS: [(&str, &str); 6] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
    ("core", "/proc/kcore"),
];

/// The file systems of `/dev`, attached nowhere.
pub(super) struct Devices {
    folder: OwnedFd,
    below: Vec<(String, OwnedFd)>,
}

/// Makes them, but for the file systems that are `taken`, by name.
pub(super) fn make(shm_size: u64, taken: &[String], guard: Option<DeviceGuard>) -> Result<Devices, Failure> {
    let folder = mount::new(c"tmpfs", &[("mode", "755"), ("size", "64m")], MountAttrFlags::MOUNT_ATTR_NOSUID)
        .doing("mount `/dev`")?;
    // Where the folder is closed to devices, each is a mount of its own, which stays open.
    let apart = match guard {
        Some(DeviceGuard::Mounts) => Some(
            mount::new(c"tmpfs", &[("mode", "755"), ("size", "64k")], MountAttrFlags::MOUNT_ATTR_NOSUID)
                .doing("mount devices")?,
        ),
        Some(DeviceGuard::Group) | None => None,
    };
    let made = apart.as_ref().unwrap_or(&folder).as_fd();
    let mut below = Vec::new();
    for (name, major, minor) in DEVICES {
        let device = match make_device(made, name, makedev(major, minor)) {
            // Nobody makes devices in a user namespace: the machine's are taken along.
            Err(Errno::PERM) => mount::clone(CWD, &Path::new("/dev").join(name), Depth::Single),
            result => {
                result.doing("make `/dev`")?;
                if apart.is_none() {
                    continue;
                }
                mount::clone(made, Path::new(name), Depth::Single)
            }
        };
        match device {
            Ok(device) => {
                make_file(folder.as_fd(), Path::new(name)).doing("make `/dev`")?;
                below.push((name.to_owned(), device));
            }
            // A container that this runs in need not have all of them.
            Err(Errno::NOENT) => {}
            Err(error) => return Err(Failure::system(format!("take along `/dev/{name}`"), error)),
        }
    }
    apart.iter().for_each(mount::park);
    for (name, system) in [("pts", Some(terminals()?)), ("shm", Some(shared_memory(shm_size)?)), ("mqueue", queues()?)]
    {
        if let Some(system) = system.filter(|_| !taken.iter().any(|taken| taken == name)) {
            make_folder(folder.as_fd(), Path::new(name)).doing("make `/dev`")?;
            below.push((name.to_owned(), system));
        }
    }
    for (name, target) in LINKS {
        rustix::fs::symlinkat(target, &folder, name).doing("make `/dev`")?;
    }
    Ok(Devices { folder, below })
}

impl Devices {
    /// Attaches the folder below `root`, or moves it there with all that is in it.
    pub(super) fn move_to(&self, root: BorrowedFd<'_>) -> Result<(), Failure> {
        place::attach(root, Path::new("/dev"), &self.folder, Missing::Make)
    }

    /// Attaches them below `root`.
    pub(super) fn attach(&self, root: BorrowedFd<'_>) -> Result<(), Failure> {
        self.move_to(root)?;
        for (name, mount) in &self.below {
            place::attach(self.folder.as_fd(), Path::new(name), mount, Missing::Make)?;
        }
        Ok(())
    }

    /// The folder itself.
    pub(super) fn folder(&self) -> BorrowedFd<'_> {
        self.folder.as_fd()
    }

    /// Opens the controlling side of a new terminal.
    pub(super) fn open_terminal(&self) -> Result<OwnedFd, Errno> {
        let (_, terminals) = self.below.iter().find(|(name, _)| name == "pts").ok_or(Errno::NOENT)?;
        rustix::fs::openat(terminals, "ptmx", OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())
    }
}

/// A device that everybody may read and write, whatever the machine's own is like.
fn make_device(folder: BorrowedFd<'_>, name: &str, device: Dev) -> Result<(), Errno> {
    let mode = Mode::from_raw_mode(0o666);
    mknodat(folder, name, FileType::CharacterDevice, mode, device)?;
    // The mask of the process does not count here.
    chmodat(folder, name, mode, AtFlags::empty())
}

fn terminals() -> Result<OwnedFd, Failure> {
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let options = [("newinstance", ""), ("ptmxmode", "0666"), ("mode", "0620"), ("gid", "5")];
    match mount::new(c"devpts", &options, attributes) {
        // The group `tty` has no counterpart where few ids are mapped.
        Err(Errno::INVAL) => mount::new(c"devpts", options.get(..3).unwrap_or_default(), attributes),
        result => result,
    }
    .doing("mount `/dev/pts`")
}

fn shared_memory(size: u64) -> Result<OwnedFd, Failure> {
    mount::new(c"tmpfs", &[("mode", "1777"), ("size", &size.to_string())], quiet()).doing("mount `/dev/shm`")
}

/// Kernels can be built without message queues.
fn queues() -> Result<Option<OwnedFd>, Failure> {
    match mount::new(c"mqueue", &[], quiet()) {
        Ok(queues) => Ok(Some(queues)),
        Err(Errno::NODEV) => Ok(None),
        Err(error) => Err(Failure::system("mount `/dev/mqueue`", error)),
    }
}

fn quiet() -> MountAttrFlags {
    MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_NOEXEC
}
