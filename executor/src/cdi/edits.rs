//! What a device changes in a container, as a file says it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

/// A file of `/etc/cdi` or `/var/run/cdi`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct File {
    pub(super) kind: String,
    pub(super) annotations: BTreeMap<String, String>,
    pub(super) devices: Vec<Device>,
    /// For each of its devices.
    pub(super) container_edits: Edits,
}

/// One of its devices.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Device {
    pub(super) name: String,
    pub(super) annotations: BTreeMap<String, String>,
    pub(super) container_edits: Edits,
}

/// What a device changes in a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Edits {
    /// Variables, `NAME=VALUE`.
    pub env: Vec<String>,
    /// Devices of the machine's.
    pub device_nodes: Vec<DeviceNode>,
    /// Files and folders of the machine's.
    pub mounts: Vec<Mount>,
    /// Programs of the machine's that are to be run around the container.
    pub hooks: Vec<serde_json::Value>,
    /// Groups of the container's processes.
    #[serde(rename = "additionalGids")]
    pub additional_gids: Vec<u32>,
}

/// A device of the machine's.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceNode {
    /// Where the container has it.
    pub path: String,
    /// Where the machine has it, if elsewhere.
    pub host_path: Option<PathBuf>,
}

/// A file or folder of the machine's.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mount {
    /// Where the machine has it.
    pub host_path: PathBuf,
    /// Where the container has it.
    pub container_path: String,
    /// As those of `mount`.
    #[serde(default)]
    pub options: Vec<String>,
}
