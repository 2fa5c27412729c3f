//! How a command ended, and what it used.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How a command ended, and what it used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// How it ended.
    pub end: End,
    /// The most memory that one process of it had resident, in bytes.
    pub peak_memory: u64,
    /// Processor time outside of the kernel, of it and all that it waited for.
    pub user_time: Duration,
    /// Processor time within the kernel.
    pub system_time: Duration,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// By itself, with this status.
    Exited(i32),
    /// By a signal.
    Signalled(i32),
    /// By the kernel, for want of memory.
    OutOfMemory,
}

impl End {
    /// Whether it went well.
    #[must_use]
    pub fn is_success(self) -> bool {
        self == Self::Exited(0)
    }

    /// The status by which a shell, and `docker run`, would tell it: 128 and the signal's number for a signal.
    #[must_use]
    pub fn status(self) -> i32 {
        match self {
            Self::Exited(status) => status,
            Self::Signalled(signal) => 128 + signal,
            Self::OutOfMemory => 128 + libc::SIGKILL,
        }
    }
}
