//! Why commands cannot be put into control groups.

use std::io;
use std::path::PathBuf;

use crate::fault::{Fault, PathError};

/// Why commands cannot be put into control groups.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The machine has none of version 2.
    #[error("this machine has no control groups of version 2, so commands cannot be limited")]
    NoGroups,
    /// A controller is missing where the groups would be.
    #[error("the control group `{}` has no `{controller}` controller, so commands cannot be limited", folder.display())]
    NoController {
        /// Which.
        controller: &'static str,
        /// The group.
        folder: PathBuf,
    },
    /// A path that leads out of the groups that can be seen here.
    #[error("the control group `{}` is not among those that can be seen here", .0.display())]
    Outside(PathBuf),
    /// The system refused an operation.
    #[error(transparent)]
    Path(#[from] PathError),
}

impl Error {
    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        Fault::Environment
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::NoGroups => Some(
                "leave out the limits, or start the machine with version 2 alone: `systemd.unified_cgroup_hierarchy=1`",
            ),
            Self::NoController { .. } | Self::Outside(_) => Some(DELEGATE),
            Self::Path(error) => match error.source.kind() {
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Some(DELEGATE),
                io::ErrorKind::ResourceBusy => Some(
                    "start it in a group with no other process in it: `systemd-run --user --scope -p Delegate=yes \
                     layercake …`",
                ),
                _ => None,
            },
        }
    }
}

const DELEGATE: &str = "leave out the limits, or start it with a group of its own: `systemd-run --user --scope -p Delegate=yes layercake …`";
