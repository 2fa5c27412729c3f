//! What is to be run, and in what surroundings: a pure value, complete, that is handed to the supervisor.

use std::net::IpAddr;
use std::path::PathBuf;

use layercake_compiler::operation::Security;
use serde::{Deserialize, Serialize};

use crate::emulation::Emulator;
use crate::overlay::Overlay;

/// A command and its surroundings. Nothing of the caller's own environment, folder, user or files reaches the command
/// unless it is named here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// The tree that is its root.
    pub root: Overlay,
    /// The argument vector; the first is looked up in `PATH` where it has no slash. Never empty.
    pub arguments: Vec<String>,
    /// The environment, in order; of two variables of one name the later counts. `HOME` is added where it is missing.
    pub env: Vec<(String, String)>,
    /// The folder it starts in: absolute, and there already.
    pub workdir: String,
    /// `user[:group]` as `USER` has it, by name or number; empty is root.
    pub user: String,
    /// Groups that it has besides those of its user.
    pub extra_groups: Vec<u32>,
    /// The name that the machine has for it.
    pub hostname: String,
    /// What it sees of the network.
    pub network: Network,
    /// What `/etc/hosts` says besides the usual.
    pub hosts: Vec<Host>,
    /// What is mounted into the tree; a mount below another one's target comes after that, in whatever order they are named.
    pub mounts: Vec<Mount>,
    /// Resource limits, lowered to what this process may give.
    pub limits: Vec<Limit>,
    /// The folder of the control group that it is put into; `None`: that of the caller. The caller made it, and removes it
    /// afterwards.
    pub cgroup: Option<PathBuf>,
    /// What keeps it from opening devices that it was not given.
    pub device_guard: DeviceGuard,
    /// The size of `/dev/shm`, in bytes.
    pub shm_size: u64,
    /// How much it may do.
    pub security: Security,
    /// What may run programs for other processors, where the machine does not see to that itself.
    pub emulators: Vec<Emulator>,
    /// A terminal of this size for its standard streams; without it they are what [`super::start`] is given.
    pub terminal: Option<TerminalSize>,
}

impl Spec {
    /// The size of `/dev/shm` that Docker gives, in bytes.
    pub const SHM_SIZE: u64 = 64 << 20;

    /// Root runs `arguments` in `root`, without a network or an environment.
    #[must_use]
    pub fn new(root: Overlay, arguments: Vec<String>) -> Self {
        Self {
            root,
            arguments,
            env: Vec::new(),
            workdir: "/".to_owned(),
            user: String::new(),
            extra_groups: Vec::new(),
            hostname: "layercake".to_owned(),
            network: Network::None,
            hosts: Vec::new(),
            mounts: Vec::new(),
            limits: Vec::new(),
            cgroup: None,
            device_guard: DeviceGuard::Mounts,
            shm_size: Self::SHM_SIZE,
            security: Security::Sandbox,
            emulators: Vec::new(),
            terminal: None,
        }
    }
}

/// What keeps a command from opening devices that it was not given. (In a user namespace, the kernel does, and nobody else has
/// to.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceGuard {
    /// Its control group.
    Group,
    /// Its mounts: no device can be opened in its tree.
    Mounts,
}

/// What a command sees of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Network {
    /// All that the machine sees.
    Host,
    /// Nothing but a loopback device of its own.
    None,
    /// The same, and what the parent connects to it before the command starts ([`super::start_connected`]).
    Private,
}

/// A line of `/etc/hosts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// The name.
    pub name: String,
    /// What it stands for.
    pub address: IpAddr,
}

/// Something mounted into the tree while the command runs. The mount point is there for the command only: the upper
/// folder of the tree never sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Where: absolute, and resolved within the tree. It need not exist.
    pub target: String,
    /// What.
    #[serde(flatten)]
    pub kind: MountKind,
}

/// What a [`Mount`] shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum MountKind {
    /// A file, folder or socket of the machine's.
    Bind {
        /// Its path there.
        source: PathBuf,
        /// Whether it can be written to.
        access: Access,
    },
    /// A part of another tree.
    Tree {
        /// The tree. What is written goes to its upper, which the caller throws away.
        tree: Overlay,
        /// The path below its root, resolved within it; empty for all of it.
        source: String,
        /// Whether it can be written to.
        access: Access,
    },
    /// A file system in memory.
    Tmpfs {
        /// Its limit in bytes; `None`: the kernel's, half the memory.
        size: Option<u64>,
    },
    /// A file with this content, which is never written to a disk, and never swapped out.
    File {
        /// The content.
        #[serde(with = "bytes")]
        content: Vec<u8>,
        /// Its owner.
        uid: u32,
        /// Its group.
        gid: u32,
        /// Its permissions.
        mode: u32,
        /// Whether it can be written to; what is written is lost.
        access: Access,
    },
}

/// Whether something can be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// It can only be read.
    ReadOnly,
    /// Permissions decide.
    ReadWrite,
}

/// A resource limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// Of what.
    pub resource: Resource,
    /// The limit that counts; `None` is no limit.
    pub soft: Option<u64>,
    /// How far the command may raise it; `None` is without limit.
    pub hard: Option<u64>,
}

/// What a [`Limit`] is about: the names of `docker build --ulimit`, with the units of `getrlimit(2)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "`getrlimit(2)` documents them, under the same names")]
pub enum Resource {
    Core,
    Cpu,
    Data,
    Fsize,
    Locks,
    Memlock,
    Msgqueue,
    Nice,
    Nofile,
    Nproc,
    Rss,
    Rtprio,
    Rttime,
    Sigpending,
    Stack,
}

/// The size of a terminal, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct TerminalSize {
    pub rows: u16,
    pub columns: u16,
}

/// Bytes as base64 text: as an array of numbers they would be four times as long.
mod bytes {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64_STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        BASE64_STANDARD.decode(String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}
