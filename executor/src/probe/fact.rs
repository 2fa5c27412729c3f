//! A fact about the machine.

use std::fmt;

/// A fact about the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What it is about.
    pub subject: Subject,
    /// How it stands.
    pub state: State,
    /// What was found.
    pub detail: String,
    /// What is lost; `None` where nothing is.
    pub consequence: Option<&'static str>,
    /// What to do about it, where something can be done.
    pub help: Option<String>,
}

/// How something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// As it should.
    Ok,
    /// It works in part.
    Limited,
    /// It does not work.
    Missing,
}

/// What a fact is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The kernel's version.
    Kernel,
    /// Namespaces of our own, by being root or by a user namespace.
    Namespaces,
    /// The ids that there are in the user namespace.
    SubordinateIds,
    /// Overlays on the store's file system.
    Overlay,
    /// Overlays of any number of layers.
    Layers,
    /// A command in a sandbox.
    Sandbox,
    /// Filters of system calls.
    Seccomp,
    /// File systems of our own.
    Fuse,
    /// Programs for other processors.
    Platforms,
    /// Groups of processes with limits.
    ControlGroups,
    /// A way out of private networks.
    Pasta,
    /// Git.
    Git,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Kernel => "kernel",
            Self::Namespaces => "namespaces",
            Self::SubordinateIds => "subordinate ids",
            Self::Overlay => "overlay",
            Self::Layers => "overlay layers",
            Self::Sandbox => "sandbox",
            Self::Seccomp => "seccomp",
            Self::Fuse => "fuse",
            Self::Platforms => "platforms",
            Self::ControlGroups => "cgroups",
            Self::Pasta => "pasta",
            Self::Git => "git",
        })
    }
}

impl Fact {
    /// It stands as it should.
    pub(super) fn ok(subject: Subject, detail: impl Into<String>) -> Self {
        Self { subject, state: State::Ok, detail: detail.into(), consequence: None, help: None }
    }

    /// It does not.
    pub(super) fn lacking(
        subject: Subject,
        state: State,
        detail: impl Into<String>,
        consequence: &'static str,
        help: Option<String>,
    ) -> Self {
        Self { subject, state, detail: detail.into(), consequence: Some(consequence), help }
    }
}
