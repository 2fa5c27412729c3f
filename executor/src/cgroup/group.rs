//! [`Group`]: the control group of one command.

use std::fs;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use layercake_compiler::operation::Security;

use super::devices::{self, Device};
use super::error::Error;
use super::limits::Limits;
use crate::fault::At;
use crate::sandbox::{DeviceGuard, MountKind, Spec};

/// How often, and with what pauses, it is tried to remove a group: its last process may be on its way out.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(5);

/// The control group of one command. Dropping it ends what is left in it, and removes it.
#[derive(Debug)]
pub(crate) struct Group {
    folder: PathBuf,
}

impl Group {
    pub(super) fn make(folder: PathBuf, limits: &Limits) -> Result<Self, Error> {
        fs::create_dir(&folder).at("make the control group", &folder)?;
        let group = Self { folder };
        for (name, value) in limits.files() {
            let path = group.folder.join(name);
            match fs::write(&path, value) {
                // A kernel without swap, or told not to count it, has no such file: there is nothing to be limited.
                Err(error) if name == "memory.swap.max" && error.kind() == std::io::ErrorKind::PermissionDenied => {}
                result => result.at("set the limit", &path)?,
            }
        }
        Ok(group)
    }

    /// Its folder, to which processes are added.
    pub(crate) fn folder(&self) -> &std::path::Path {
        &self.folder
    }

    /// Has a command put into it, and guards devices where the kernel lets it: the command opens the usual ones, and those that
    /// are mounted into its tree.
    pub(crate) fn take(&self, spec: &mut Spec) {
        spec.cgroup = Some(self.folder.clone());
        let given = spec.mounts.iter().filter_map(|mount| match &mount.kind {
            MountKind::Bind { source, .. } => Device::at(source),
            MountKind::Tree { .. } | MountKind::Tmpfs { .. } | MountKind::File { .. } => None,
        });
        // Where nothing is refused, nothing has to be guarded.
        if spec.security == Security::Sandbox && self.guard_devices(&given.collect::<Vec<_>>()) {
            spec.device_guard = DeviceGuard::Group;
        }
    }

    /// Lets its processes open the usual devices and `more`, and no others; whether that worked.
    pub(super) fn guard_devices(&self, more: &[Device]) -> bool {
        devices::guard(&self.folder, more).is_ok()
    }

    /// How many processes of it the kernel has ended for want of memory.
    pub(crate) fn memory_kills(&self) -> u64 {
        kills(&fs::read_to_string(self.folder.join("memory.events")).unwrap_or_default())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Nothing is left of a command that was waited for.
        if fs::remove_dir(&self.folder).is_ok() {
            return;
        }
        let _ = fs::write(self.folder.join("cgroup.kill"), "1");
        for _ in 0..TRIES {
            match fs::remove_dir(&self.folder) {
                Err(error) if error.kind() == std::io::ErrorKind::ResourceBusy => sleep(PAUSE),
                // Only in a hierarchy that is none, whose files have to go first.
                Err(error) if error.kind() == std::io::ErrorKind::DirectoryNotEmpty => {
                    let _ = fs::remove_dir_all(&self.folder);
                    return;
                }
                _ => return,
            }
        }
    }
}

/// The count in the text of a `memory.events`.
fn kills(text: &str) -> u64 {
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kills_are_counted() {
        assert_eq!(kills("low 0\nhigh 0\nmax 7\noom 2\noom_kill 3\noom_group_kill 1\n"), 3);
        assert_eq!(kills(""), 0);
    }
}
