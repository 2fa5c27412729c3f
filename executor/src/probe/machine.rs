//! The kernel and its control groups.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::Access;

use super::fact::{Fact, State, Subject};

/// The first kernel that has all that is needed: overlays in user namespaces came last.
const OLDEST: (u32, u32) = (5, 11);

/// `CGROUP2_SUPER_MAGIC` of `linux/magic.h`.
const CGROUP2: u32 = 0x6367_7270;

pub(super) fn kernel() -> Fact {
    let name = rustix::system::uname();
    let release = name.release().to_string_lossy().into_owned();
    if version(&release).is_some_and(|version| version < OLDEST) {
        let consequence = "commands cannot run, nor can layers be stacked without being root";
        let help = "use Linux 5.11 or newer".to_owned();
        return Fact::lacking(Subject::Kernel, State::Missing, format!("Linux {release}"), consequence, Some(help));
    }
    Fact::ok(Subject::Kernel, format!("Linux {release}"))
}

/// The two numbers that a release begins with.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|character: char| !character.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

pub(super) fn groups() -> Fact {
    let consequence =
        "a command's memory and processes are not limited, and its end for want of memory looks like any kill";
    let lacking = |state, detail: &str, help: Option<&str>| {
        Fact::lacking(Subject::ControlGroups, state, detail, consequence, help.map(str::to_owned))
    };
    let root = Path::new("/sys/fs/cgroup");
    let Ok(system) = rustix::fs::statfs(root) else {
        return lacking(State::Missing, "not mounted", None);
    };
    if u32::try_from(system.f_type) != Ok(CGROUP2) {
        return match (root.join("memory").is_dir(), root.join("unified").is_dir()) {
            (true, true) => lacking(State::Limited, "version 1, and 2 beside it without controllers", None),
            (true, false) => lacking(State::Limited, "version 1", None),
            (false, _) => lacking(State::Missing, "not mounted", None),
        };
    }
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let folder = own_folder(root, &own);
    let controllers = fs::read_to_string(folder.join("cgroup.controllers")).unwrap_or_default();
    if rustix::fs::access(&folder, Access::WRITE_OK).is_err() {
        let help = "start it with `systemd-run --user --scope -p Delegate=yes`";
        return lacking(State::Limited, "version 2, not delegated to this user", Some(help));
    }
    if !controllers.split_whitespace().any(|controller| controller == "memory") {
        return lacking(State::Limited, "version 2, without the memory controller", None);
    }
    Fact::ok(Subject::ControlGroups, "version 2, delegated")
}

/// The folder of the group that `own`, a `/proc/self/cgroup`, names.
fn own_folder(root: &Path, own: &str) -> PathBuf {
    let path = own.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
    root.join(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_begin_with_two_numbers() {
        assert_eq!(version("6.18.44-fc"), Some((6, 18)));
        assert_eq!(version("5.4-rc1"), Some((5, 4)));
        assert_eq!(version("5"), None);
        assert!(version("4.18.0-553.el8") < Some(OLDEST));
    }

    #[test]
    fn own_groups_are_those_of_version_2() {
        let root = Path::new("/sys/fs/cgroup");
        assert_eq!(own_folder(root, "8:pids:/x\n0::/user.slice/me\n"), root.join("user.slice/me"));
        assert_eq!(own_folder(root, "8:pids:/x\n"), root);
    }
}
