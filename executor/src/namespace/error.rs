//! Why the namespaces cannot be had, and what to do.

use std::fmt;
use std::io;

use rustix::io::Errno;

use super::switch;
use crate::fault::{Fault, reason};

/// Why the namespaces cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Called too late.
    #[error("the program has {threads} threads already: namespaces are entered before the first one starts")]
    Threads {
        /// How many it has.
        threads: usize,
    },
    /// The machine's configuration forbids it.
    #[error("cannot {operation}: {restriction}")]
    Forbidden {
        /// What was tried.
        operation: &'static str,
        /// What forbids it, as far as can be told.
        restriction: Restriction,
        /// What the system said.
        source: io::Error,
    },
    /// The user has no ids of their own besides the one.
    #[error("`{file}` gives the user `{user}` no subordinate ids")]
    NoSubordinateIds {
        /// `/etc/subuid` or `/etc/subgid`.
        file: &'static str,
        /// The user's name, or number where it has no name.
        user: String,
    },
    /// A program is not installed.
    #[error("`{program}` is not installed")]
    MissingProgram {
        /// `newuidmap` or `newgidmap`.
        program: String,
    },
    /// The ids were refused.
    #[error("`{program}` cannot map the subordinate ids: {message}")]
    Mapping {
        /// The program or file that refused.
        program: String,
        /// What it said.
        message: String,
    },
    /// The system refused something that it is not known to refuse.
    #[error("cannot {operation}: {}", reason(source))]
    System {
        /// What was tried.
        operation: &'static str,
        /// What it said.
        source: io::Error,
    },
}

/// What keeps an ordinary user from making namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restriction {
    /// `kernel.unprivileged_userns_clone` is 0 (a switch of Debian's and Arch's kernels).
    UnprivilegedClone,
    /// `user.max_user_namespaces` is 0, or that many are in use.
    MaxUserNamespaces,
    /// `kernel.apparmor_restrict_unprivileged_userns` is 1 (Ubuntu since 23.10).
    AppArmor,
    /// Something that does not say what it is; mostly the seccomp filter of a container.
    Unknown,
}

impl fmt::Display for Restriction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnprivilegedClone => {
                "the kernel allows user namespaces to root alone (`kernel.unprivileged_userns_clone` is 0)"
            }
            Self::MaxUserNamespaces => "`user.max_user_namespaces` allows no more user namespaces",
            Self::AppArmor => "AppArmor keeps programs without a profile from using user namespaces",
            Self::Unknown => "the system does not permit it (a container's seccomp profile, or a security module)",
        })
    }
}

impl Error {
    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        if matches!(self, Self::Threads { .. }) { Fault::Bug } else { Fault::Environment }
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Forbidden { restriction, .. } => Some(restriction.help().to_owned()),
            Self::NoSubordinateIds { file, user } => {
                let option = if *file == "/etc/subuid" { "--add-subuids" } else { "--add-subgids" };
                Some(format!(
                    "run `sudo usermod {option} 100000-165535 {user}` (a range that no other user of `{file}` has)"
                ))
            }
            Self::MissingProgram { .. } => Some(
                "install the package `uidmap` (Debian, Ubuntu), `shadow-utils` (Fedora) or `shadow-uidmap` (Alpine)"
                    .to_owned(),
            ),
            Self::Mapping { .. } => Some(
                "check that `newuidmap` and `newgidmap` are setuid root or have their file capabilities, and that \
                 `/etc/subuid` and `/etc/subgid` name this user"
                    .to_owned(),
            ),
            Self::Threads { .. } | Self::System { .. } => None,
        }
    }
}

impl Restriction {
    /// What the administrator of the machine can do about it.
    #[must_use]
    pub fn help(self) -> &'static str {
        match self {
            Self::UnprivilegedClone => "run `sudo sysctl -w kernel.unprivileged_userns_clone=1`, or run as root",
            Self::MaxUserNamespaces => "run `sudo sysctl -w user.max_user_namespaces=15000`, or run as root",
            Self::AppArmor => {
                "run `sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`, or give this program an AppArmor \
                 profile with `userns,`, or run as root"
            }
            Self::Unknown => {
                "run as root; inside a container, start that with `--privileged`, or with `--security-opt \
                 seccomp=unconfined --security-opt apparmor=unconfined`"
            }
        }
    }
}

/// The error of `operation`, with the restriction that most likely is behind it.
pub(super) fn explain(operation: &'static str, error: Errno) -> Error {
    let restriction = match error {
        Errno::NOSPC | Errno::USERS => Restriction::MaxUserNamespaces,
        Errno::PERM | Errno::ACCESS => restriction(switch),
        error => return Error::System { operation, source: error.into() },
    };
    Error::Forbidden { operation, restriction, source: error.into() }
}

/// The first switch that stands on no.
pub(crate) fn restriction(switch: impl Fn(&str) -> Option<u64>) -> Restriction {
    if switch("user/max_user_namespaces") == Some(0) {
        Restriction::MaxUserNamespaces
    } else if switch("kernel/unprivileged_userns_clone") == Some(0) {
        Restriction::UnprivilegedClone
    } else if switch("kernel/apparmor_restrict_unprivileged_userns") == Some(1) {
        Restriction::AppArmor
    } else {
        Restriction::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_switch_that_stands_on_no() {
        let only = |wanted: &'static str, value| move |name: &str| (name == wanted).then_some(value);
        assert_eq!(restriction(only("user/max_user_namespaces", 0)), Restriction::MaxUserNamespaces);
        assert_eq!(restriction(only("kernel/unprivileged_userns_clone", 0)), Restriction::UnprivilegedClone);
        assert_eq!(restriction(only("kernel/apparmor_restrict_unprivileged_userns", 1)), Restriction::AppArmor);
        assert_eq!(restriction(only("kernel/apparmor_restrict_unprivileged_userns", 0)), Restriction::Unknown);
    }
}
