//! Mounts as file descriptors: the kernel's mount interface of Linux 5.2, in the few forms that the executor needs.
//! It does not know what is mounted, or why.

use std::ffi::CStr;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create, fsconfig_set_flag,
    fsconfig_set_string, fsmount, fsopen,
};

/// A folder that every Linux has and that nothing here reads: `proc_root_init` makes it. What needs a mount point for a
/// moment, or until a pivot, takes it; always inside a private mount namespace.
pub(crate) const MOUNT_POINT: &str = "/proc/fs";

/// Whether a bind takes along what is mounted below its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// The mount at the path alone.
    Single,
    /// And all below it. A user namespace may not take a mount without those that its parent locked over it.
    Recursive,
}

/// Starts describing a file system of `kind` that is to be mounted.
pub(crate) fn describe(kind: &CStr) -> Result<OwnedFd, Errno> {
    fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)
}

/// Creates the described file system and mounts it, attached nowhere; it is gone with its last descriptor.
pub(crate) fn create(description: &OwnedFd, attributes: MountAttrFlags) -> Result<OwnedFd, Errno> {
    fsconfig_create(description)?;
    fsmount(description, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

/// A new file system of `kind` with `options` (an empty value stands for a flag), attached nowhere.
pub(crate) fn new(kind: &CStr, options: &[(&str, &str)], attributes: MountAttrFlags) -> Result<OwnedFd, Errno> {
    let description = describe(kind)?;
    // What `mount` shows as the device: `tmpfs on /tmp`, as everywhere.
    fsconfig_set_string(&description, "source", kind)?;
    for (key, value) in options {
        if value.is_empty() {
            fsconfig_set_flag(&description, *key)?;
        } else {
            fsconfig_set_string(&description, *key, *value)?;
        }
    }
    create(&description, attributes)
}

/// What the kernel says about the last failure of a description; empty where it says nothing.
pub(crate) fn complaint(description: OwnedFd) -> String {
    let mut log = std::fs::File::from(description);
    let mut text = Vec::new();
    let mut line = [0; 1024];
    while let Ok(length @ 1..) = log.read(&mut line) {
        text.extend_from_slice(line.get(..length).unwrap_or_default());
        text.push(b'\n');
    }
    String::from_utf8_lossy(&text).trim().replace('\n', "; ")
}

/// A second mount of what lies at `path` below `folder` (the folder itself where `path` is empty), attached nowhere.
pub(crate) fn clone(folder: BorrowedFd<'_>, path: &Path, depth: Depth) -> Result<OwnedFd, Errno> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    if depth == Depth::Recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    rustix::mount::open_tree(folder, path, flags)
}

/// Attaches a mount at what `place` is open on.
pub(crate) fn attach(mount: &OwnedFd, place: BorrowedFd<'_>) -> Result<(), Errno> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    rustix::mount::move_mount(mount, c"", place, c"", flags)
}

/// Leaves a mount of a directory where it goes with the machine's root, as a command enters its tree. Closed unattached it
/// would be gone at once, for which the kernel waits until every processor has taken notice; so it waits once for all. Where
/// this cannot be done it is just closed.
pub(crate) fn park(mount: &OwnedFd) {
    let _ = open_place(Path::new(MOUNT_POINT)).and_then(|place| attach(mount, place.as_fd()));
}

/// Sets attributes of a mount, and with [`Depth::Recursive`] of all below it.
pub(crate) fn set_attributes(mount: BorrowedFd<'_>, attributes: MountAttrFlags, depth: Depth) -> Result<(), Errno> {
    // `struct mount_attr` of `linux/mount.h`.
    #[repr(C)]
    struct MountAttributes {
        set: u64,
        clear: u64,
        propagation: u64,
        user_namespace: u64,
    }
    let wanted = MountAttributes { set: attributes.bits().into(), clear: 0, propagation: 0, user_namespace: 0 };
    let mut flags = libc::AT_EMPTY_PATH;
    if depth == Depth::Recursive {
        flags |= libc::AT_RECURSIVE;
    }
    // SAFETY: the path is a terminated string, and the structure outlives the call, which reads just its size.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const wanted,
            size_of::<MountAttributes>(),
        )
    };
    if result == 0 { Ok(()) } else { Err(last_error()) }
}

/// Opens `path` as a root directory would show it: links never lead out of `root`.
pub(crate) fn open_inside(root: BorrowedFd<'_>, path: &Path, flags: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    loop {
        match rustix::fs::openat2(root, path, flags | OFlags::CLOEXEC, mode, resolve) {
            // The kernel could not rule out that a rename elsewhere led the walk astray, and asks for another try.
            Err(Errno::AGAIN | Errno::INTR) => {}
            result => return result,
        }
    }
}

/// Opens a path of our own only as a place.
pub(crate) fn open_place(path: &Path) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
}

/// Opens a path of our own for reading.
pub(crate) fn open(path: &Path) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}

/// The path under which the kernel lets this process (and this one only) name an open file.
pub(crate) fn path_of(file: impl AsFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", file.as_fd().as_raw_fd()))
}

/// What the last failed call of this thread left behind.
pub(crate) fn last_error() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}
