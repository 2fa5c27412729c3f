//! `/proc` and `/sys`, with what a container may not see or change taken out.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use layercake_compiler::operation::Security;
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::MountAttrFlags;

use super::failure::{Doing, Failure};
use super::place::Node;
use crate::mount::{self, Depth};

/// What is hidden: moby's `DefaultMaskedPaths` (`daemon/pkg/oci/defaults.go`).
const MASKED: [&str; 12] = [
    "proc/acpi",
    "proc/asound",
    "proc/interrupts",
    "proc/kcore",
    "proc/keys",
    "proc/latency_stats",
    "proc/sched_debug",
    "proc/scsi",
    "proc/timer_list",
    "proc/timer_stats",
    "sys/devices/virtual/powercap",
    "sys/firmware",
];

/// What can only be read: moby's `DefaultReadonlyPaths`.
const READ_ONLY: [&str; 5] = ["proc/bus", "proc/fs", "proc/irq", "proc/sys", "proc/sysrq-trigger"];

const QUIET: MountAttrFlags =
    MountAttrFlags::MOUNT_ATTR_NOSUID.union(MountAttrFlags::MOUNT_ATTR_NODEV).union(MountAttrFlags::MOUNT_ATTR_NOEXEC);

/// The processes of this namespace; the machine's, where a user namespace may not mount its own: a container that hides
/// parts of its `/proc` does not let that be undone.
pub(super) fn processes() -> Result<OwnedFd, Failure> {
    match mount::new(c"proc", &[], QUIET) {
        Err(Errno::PERM) => mount::clone(CWD, Path::new("/proc"), Depth::Recursive),
        result => result,
    }
    .doing("mount `/proc`")
}

/// The machine's devices and modules. A user namespace may mount it with a network namespace of its own only.
pub(super) fn devices(security: Security) -> Result<OwnedFd, Failure> {
    let mut attributes = QUIET;
    if security == Security::Sandbox {
        attributes |= MountAttrFlags::MOUNT_ATTR_RDONLY;
    }
    let own = match mount::new(c"sysfs", &[], attributes) {
        Err(Errno::PERM) => None,
        result => Some(result.doing("mount `/sys`")?),
    };
    if let Some(own) = own {
        return Ok(own);
    }
    let sys = mount::clone(CWD, Path::new("/sys"), Depth::Recursive).doing("mount `/sys`")?;
    mount::set_attributes(sys.as_fd(), attributes, Depth::Recursive).doing("make `/sys` read-only")?;
    Ok(sys)
}

/// Hides and protects what the command may not see or change.
pub(super) fn protect(root: BorrowedFd<'_>) -> Result<(), Failure> {
    let nothing = mount::new(c"tmpfs", &[("mode", "755"), ("size", "4k")], QUIET | MountAttrFlags::MOUNT_ATTR_RDONLY)
        .doing("mount an empty folder")?;
    let null = mount::open_place(Path::new("/dev/null")).doing("open `/dev/null`")?;
    for path in MASKED.map(str::to_owned).into_iter().chain(throttles()) {
        let Some(place) = find(root, &path)? else { continue };
        let node = Node::of(&place).doing("look into `/proc`")?;
        let over = if node == Node::Folder { nothing.as_fd() } else { null.as_fd() };
        let over = mount::clone(over, Path::new(""), Depth::Single).doing("take along `/dev/null`")?;
        mount::attach(&over, place.as_fd()).map_err(|error| Failure::system(format!("hide `/{path}`"), error))?;
    }
    for path in READ_ONLY {
        let Some(place) = find(root, path)? else { continue };
        let refused = |error| Failure::system(format!("protect `/{path}`"), error);
        let same = mount::clone(place.as_fd(), Path::new(""), Depth::Recursive).map_err(refused)?;
        mount::set_attributes(same.as_fd(), MountAttrFlags::MOUNT_ATTR_RDONLY, Depth::Recursive).map_err(refused)?;
        mount::attach(&same, place.as_fd()).map_err(refused)?;
    }
    Ok(())
}

/// How hot each processor is, which tells what others compute: moby hides it since GHSA-6fw5-f8r9-fgfm.
fn throttles() -> impl Iterator<Item = String> {
    let entries = std::fs::read_dir("/sys/devices/system/cpu").into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let is_processor = |name: &String| {
        name.strip_prefix("cpu")
            .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    names.filter(is_processor).map(|name| format!("sys/devices/system/cpu/{name}/thermal_throttle"))
}

/// A path of `/proc` or `/sys`, which kernels have or do not have.
fn find(root: BorrowedFd<'_>, path: &str) -> Result<Option<OwnedFd>, Failure> {
    match mount::open_inside(root, Path::new(path), OFlags::PATH, Mode::empty()) {
        Ok(place) => Ok(Some(place)),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS) => Ok(None),
        Err(error) => Err(Failure::system(format!("look up `/{path}`"), error)),
    }
}
