//! [`Parent`]: the group that those of commands are made in.

use std::ffi::OsStr;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use super::error::Error;
use super::group::Group;
use super::limits::Limits;
use crate::fault::At;

/// `CGROUP2_SUPER_MAGIC` of `linux/magic.h`.
const MAGIC: u32 = 0x6367_7270;

/// Where the hierarchy of version 2 is, alone or beside those of version 1.
const MOUNTS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

/// What the names of groups begin with; the numbers of the process and of the group follow.
const PREFIX: &str = "layercake-";

/// The group that those of commands are made in, and what each of them may have.
#[derive(Debug)]
pub struct Parent {
    folder: PathBuf,
    limits: Limits,
    count: AtomicU32,
    /// One that was made ahead.
    ahead: Mutex<Option<Group>>,
}

impl Parent {
    /// Prepares the group `wanted` (a path from the root of all groups), or else the one that this process is in.
    ///
    /// In the latter case the process moves to a group below it: a group that limits those below it has no processes of
    /// its own.
    ///
    /// # Errors
    /// If there is no such group, or it is not this process's to divide.
    pub fn prepare(wanted: Option<&str>, limits: Limits) -> Result<Self, Error> {
        Self::prepare_below(hierarchy()?, &own_group(), wanted, limits)
    }

    /// The group that this process is in, if groups in it can keep commands from opening devices, as root's can.
    #[must_use]
    pub fn for_devices() -> Option<Self> {
        let folder = below(hierarchy().ok()?, &own_group()).ok()?;
        let parent = Self::new(folder, Limits::default());
        let trial = parent.make().ok()?;
        trial.guard_devices(&[]).then_some(parent)
    }

    fn new(folder: PathBuf, limits: Limits) -> Self {
        sweep(&folder);
        Self { folder, limits, count: AtomicU32::new(0), ahead: Mutex::new(None) }
    }

    fn prepare_below(mount: &Path, own: &str, wanted: Option<&str>, limits: Limits) -> Result<Self, Error> {
        let path = wanted.unwrap_or(own).trim_matches('/');
        let folder = below(mount, path)?;
        let wanted = limits.controllers();
        if wanted.is_empty() {
            fs::create_dir_all(&folder).at("make the control group", &folder)?;
            return Ok(Self::new(folder, limits));
        }
        // Each group has the controllers that the one above it gives to those below it.
        let mut above = mount.to_owned();
        for name in Path::new(path) {
            if !has(&above, "cgroup.subtree_control", &wanted) {
                // Whether that was right shows below.
                let _ = give(&above, &wanted);
            }
            above.push(name);
            if !above.is_dir() {
                fs::create_dir(&above).at("make the control group", &above)?;
            }
        }
        let missing = wanted.iter().find(|name| !has(&folder, "cgroup.controllers", &[name]));
        if let Some(controller) = missing {
            return Err(Error::NoController { controller, folder });
        }
        if !has(&folder, "cgroup.subtree_control", &wanted) {
            // The root of all groups alone may have processes beside groups; that of a container looks like it.
            let is_own = path == own.trim_matches('/');
            if is_own && (!path.is_empty() || give(&folder, &wanted).is_err()) {
                step_aside(&folder)?;
            }
            give(&folder, &wanted)?;
        }
        Ok(Self::new(folder, limits))
    }

    /// A group for one command.
    pub(crate) fn make(&self) -> Result<Group, Error> {
        let ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner).take();
        ahead.map_or_else(|| self.make_new(), Ok)
    }

    /// Makes the group of the next command now, and has that `prepare`d. Until that is done nobody takes the group, so that
    /// nothing is prepared in a group in which a command runs.
    pub(crate) fn make_ahead<R>(&self, prepare: impl FnOnce(&Group) -> R) -> Result<R, Error> {
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        let group = match ahead.take() {
            Some(group) => group,
            None => self.make_new()?,
        };
        Ok(prepare(ahead.insert(group)))
    }

    fn make_new(&self) -> Result<Group, Error> {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let folder = self.folder.join(format!("{PREFIX}{}-{number}", std::process::id()));
        Group::make(folder, &self.limits)
    }
}

/// Removes the groups of builds that were killed. One that has processes cannot be removed.
fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if maker(&entry.file_name()).is_some_and(|process| !Path::new("/proc").join(process.to_string()).exists()) {
            let _ = fs::remove_dir(entry.path());
        }
    }
}

/// The process that made a group of this name for a command; `None` for the groups of others.
fn maker(name: &OsStr) -> Option<u32> {
    let (process, number) = name.to_str()?.strip_prefix(PREFIX)?.split_once('-')?;
    number.parse::<u32>().ok()?;
    process.parse().ok()
}

/// Where the hierarchy is mounted.
fn hierarchy() -> Result<&'static Path, Error> {
    let is_there =
        |mount: &&Path| rustix::fs::statfs(*mount).is_ok_and(|system| u32::try_from(system.f_type) == Ok(MAGIC));
    MOUNTS.map(Path::new).into_iter().find(is_there).ok_or(Error::NoGroups)
}

/// The folder of a group. From within a container the path of one may lead out of what can be seen.
fn below(mount: &Path, path: &str) -> Result<PathBuf, Error> {
    let path = Path::new(path.trim_matches('/'));
    if path.components().all(|part| matches!(part, Component::Normal(_))) {
        Ok(mount.join(path))
    } else {
        Err(Error::Outside(path.to_owned()))
    }
}

/// The path of this process's group, from the root of all groups.
fn own_group() -> String {
    own_path(&fs::read_to_string("/proc/self/cgroup").unwrap_or_default()).to_owned()
}

/// The path of this process's group, in the text of its `/proc/self/cgroup`.
fn own_path(text: &str) -> &str {
    text.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or_default()
}

/// Whether a file of a group lists these controllers.
fn has(folder: &Path, file: &str, wanted: &[&str]) -> bool {
    let text = fs::read_to_string(folder.join(file)).unwrap_or_default();
    wanted.iter().all(|name| text.split_whitespace().any(|known| known == *name))
}

/// Gives controllers to the groups below one.
fn give(folder: &Path, controllers: &[&str]) -> Result<(), Error> {
    let path = folder.join("cgroup.subtree_control");
    let text: Vec<_> = controllers.iter().map(|name| format!("+{name}")).collect();
    Ok(fs::write(&path, text.join(" ")).at("pass controllers on in", &path)?)
}

/// Moves this process to a group below its own.
fn step_aside(folder: &Path) -> Result<(), Error> {
    let aside = folder.join("layercake");
    if !aside.is_dir() {
        fs::create_dir(&aside).at("make the control group", &aside)?;
    }
    let processes = aside.join("cgroup.procs");
    Ok(fs::write(&processes, "0").at("move to the control group", &aside)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    fn limits() -> Limits {
        Limits { memory: Some(8 << 20), ..Limits::default() }
    }

    fn read(path: impl AsRef<Path>) -> String {
        let path = path.as_ref();
        fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    #[test]
    fn own_groups_are_those_of_version_2() {
        assert_eq!(own_path("8:pids:/x\n0::/user.slice/me\n"), "/user.slice/me");
        assert_eq!(own_path("8:pids:/x\n"), "");
    }

    // The kernel's files look like files, as far as writing to them goes.
    #[test]
    fn a_delegated_group_is_divided() {
        let mount = tempfile::tempdir().unwrap();
        let own = mount.path().join("user/scope");
        fs::create_dir_all(&own).unwrap();
        fs::create_dir(own.join("layercake-4194305-0")).unwrap();
        fs::write(own.join("cgroup.controllers"), "cpu memory\n").unwrap();
        let parent = Parent::prepare_below(mount.path(), "/user/scope", None, limits()).unwrap();
        assert_eq!(read(own.join("layercake/cgroup.procs")), "0");
        assert_eq!(read(own.join("cgroup.subtree_control")), "+memory");
        assert_eq!(read(mount.path().join("user/cgroup.subtree_control")), "+memory");
        // What a build that is no more has left is gone. No process has this number.
        assert!(!own.join("layercake-4194305-0").exists());
        let (one, other) = (parent.make().unwrap(), parent.make().unwrap());
        assert_ne!(one.folder(), other.folder());
        assert_eq!(read(one.folder().join("memory.max")), "8388608");
    }

    #[test]
    fn groups_of_others_are_not_ours() {
        assert_eq!(maker(OsStr::new("layercake-12-0")), Some(12));
        for name in ["layercake", "layercake-12", "layercake-test-12", "layercake-12-x", "other-12-0"] {
            assert_eq!(maker(OsStr::new(name)), None, "{name}");
        }
    }

    #[test]
    fn a_missing_controller_is_named() {
        let mount = tempfile::tempdir().unwrap();
        fs::write(mount.path().join("cgroup.controllers"), "cpu\n").unwrap();
        let error = Parent::prepare_below(mount.path(), "/", None, limits()).unwrap_err();
        assert!(matches!(error, Error::NoController { controller: "memory", .. }), "{error}");
    }

    #[test]
    fn groups_are_not_made_outside() {
        let mount = tempfile::tempdir().unwrap();
        for (own, wanted) in [("/../../x", None), ("/", Some("../x")), ("/", Some("a/../../x"))] {
            let error = Parent::prepare_below(mount.path(), own, wanted, limits()).unwrap_err();
            assert!(matches!(error, Error::Outside(_)), "{error}");
        }
    }

    #[test]
    fn a_wanted_group_is_made() {
        let mount = tempfile::tempdir().unwrap();
        let parent = Parent::prepare_below(mount.path(), "/me", Some("/a/b"), Limits::default()).unwrap();
        assert!(mount.path().join("a/b").is_dir());
        let folder = parent.make().unwrap().folder().to_owned();
        assert!(folder.starts_with(mount.path().join("a/b")));
        assert!(!folder.exists(), "it goes when it is dropped");
    }

    #[test]
    fn a_group_that_is_made_ahead_is_the_next_command_s() {
        let mount = tempfile::tempdir().unwrap();
        let parent = Parent::prepare_below(mount.path(), "/me", None, Limits::default()).unwrap();
        let ahead = parent.make_ahead(|group| group.folder().to_owned()).unwrap();
        assert_eq!(parent.make_ahead(|group| group.folder().to_owned()).unwrap(), ahead, "one is enough");
        let (next, after) = (parent.make().unwrap(), parent.make().unwrap());
        assert_eq!(next.folder(), ahead);
        assert_ne!(after.folder(), ahead);
        let unused = parent.make_ahead(|group| group.folder().to_owned()).unwrap();
        drop(parent);
        assert!(!unused.exists(), "it goes with the parent");
    }
}
