//! The frame of a sandbox: what is around a command whatever the command is. It can stand before there is a command.

use std::fs::{self, File};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use layercake_compiler::operation::Security;
use rustix::fs::{FileType, Mode};
use rustix::mount::{MountAttrFlags, MountPropagationFlags};
use rustix::process::Signal;
use rustix::thread::UnshareFlags;
use serde::{Deserialize, Serialize};

use super::device::{self, Devices};
use super::failure::{Doing, Failure};
use super::file::Shelf;
use super::place::{self, Missing};
use super::process::{self, Side};
use super::spec::{DeviceGuard, Network, Spec};
use super::{network, system};
use crate::fault::At;
use crate::mount::{self, Depth};

/// What a frame is made by. Commands for which it is the same can have each other's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FrameSpec {
    network: Network,
    /// The folder of the control group.
    cgroup: Option<PathBuf>,
    security: Security,
    device_guard: DeviceGuard,
    /// The size of `/dev/shm`, in bytes.
    shm_size: u64,
    /// What the command has other mounts for, by their names in `/dev`.
    taken: Vec<String>,
}

impl From<&Spec> for FrameSpec {
    fn from(spec: &Spec) -> Self {
        let name = |target: &str| Path::new(target).strip_prefix("/dev").ok()?.to_str().map(str::to_owned);
        Self {
            network: spec.network,
            cgroup: spec.cgroup.clone(),
            security: spec.security,
            device_guard: spec.device_guard,
            shm_size: spec.shm_size,
            taken: spec.mounts.iter().filter_map(|mount| name(&mount.target)).collect(),
        }
    }
}

impl FrameSpec {
    /// Forks this process into the namespaces of the frame, and into its control group: gives the side of the fork, and the group
    /// that process 1 is still to join.
    pub(super) fn fork(&self) -> Result<(Side, Option<&Path>), Failure> {
        let mut namespaces = UnshareFlags::NEWNS | UnshareFlags::NEWPID | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS;
        if self.network != Network::Host {
            namespaces |= UnshareFlags::NEWNET;
        }
        let born = self.cgroup.as_ref().and_then(|group| File::open(group).ok());
        let born = born.and_then(|group| process::fork(namespaces, Some(group.as_fd())).ok());
        if let Some(side) = born {
            return Ok((side, None));
        }
        // Kernels before 5.7, and filters of containers, do not let a process be born in another group. Why it may not be in that
        // group at all shows when it tries.
        let side = process::fork(namespaces, None).doing("make the namespaces of the sandbox")?;
        Ok((side, self.cgroup.as_deref()))
    }
}

/// What process 1 has made of its namespaces.
pub(super) struct Frame {
    /// What keeps the command from opening devices that it was not given, as far as that has to be done by mounts.
    pub(super) guard: Option<DeviceGuard>,
    /// `/dev`.
    pub(super) devices: Devices,
    /// `/proc`.
    pub(super) processes: OwnedFd,
    /// `/sys`.
    pub(super) machine: OwnedFd,
    /// Where files for the command are written to.
    pub(super) shelf: Shelf,
}

impl Frame {
    /// Makes it, in the namespaces that this process was born into. `group` is the control group that it is still to join.
    pub(super) fn make(spec: &FrameSpec, group: Option<&Path>) -> Result<Self, Failure> {
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).doing("follow the supervisor's end")?;
        rustix::process::umask(Mode::empty());
        settle(spec, group)?;
        let guard = guard(spec);
        let devices = device::make(spec.shm_size, &spec.taken, guard)?;
        close_to_devices(guard, devices.folder())?;
        let (processes, machine) = (system::processes()?, system::devices(spec.security)?);
        let frame = Self { guard, devices, processes, machine, shelf: Shelf::new()? };
        frame.join(spec.security)?;
        Ok(frame)
    }

    /// Joins the file systems where only this namespace sees them. From there they move into the command's tree.
    fn join(&self, security: Security) -> Result<(), Failure> {
        let folder = mount::new(c"tmpfs", &[("mode", "755"), ("size", "4k")], MountAttrFlags::empty())
            .doing("mount a place for the frame")?;
        mount::park(&folder);
        self.devices.attach(folder.as_fd())?;
        for (name, mount) in [("proc", &self.processes), ("sys", &self.machine)] {
            place::attach(folder.as_fd(), Path::new(name), mount, Missing::Make)?;
        }
        if security == Security::Sandbox { system::protect(folder.as_fd()) } else { Ok(()) }
    }
}

/// Makes the namespaces this process's own.
fn settle(spec: &FrameSpec, group: Option<&Path>) -> Result<(), Failure> {
    if let Some(group) = group {
        let processes = group.join("cgroup.procs");
        fs::write(&processes, "0").at("join the control group", &processes)?;
    }
    // Kernels can be built without; the command then sees where in the machine's groups it is, which does no harm.
    // SAFETY: the flags do not include `FILES`, and there is no other thread.
    let _ = unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWCGROUP) };
    if spec.network != Network::Host {
        network::raise_loopback().doing("switch the loopback device on")?;
    }
    rustix::mount::mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .doing("make the mounts private")
}

/// What keeps the command from opening devices that it was not given, as far as this has to be done here: the kernel lets
/// nobody make devices in a user namespace, nor open those of its file systems.
fn guard(spec: &FrameSpec) -> Option<DeviceGuard> {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let is_whole = map.is_empty() || map.split_whitespace().eq(["0", "0", "4294967295"]);
    (spec.security == Security::Sandbox && is_whole).then_some(spec.device_guard)
}

/// No device can be opened below a mount, where it is up to the mounts. One that is a device itself was given on purpose.
pub(super) fn close_to_devices(guard: Option<DeviceGuard>, mount: BorrowedFd<'_>) -> Result<(), Failure> {
    if guard != Some(DeviceGuard::Mounts) {
        return Ok(());
    }
    let kind = FileType::from_raw_mode(rustix::fs::fstat(mount).doing("look at a mount")?.st_mode);
    if matches!(kind, FileType::CharacterDevice | FileType::BlockDevice) {
        return Ok(());
    }
    mount::set_attributes(mount, MountAttrFlags::MOUNT_ATTR_NODEV, Depth::Recursive).doing("close a mount to devices")
}
