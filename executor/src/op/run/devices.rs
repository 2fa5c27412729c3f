//! The devices of a `Run`: what CDI says of them, added to what the sandbox mounts and sets.

use layercake_compiler::operation::Device;

use super::error::Error;
use crate::build::event::{Event, Listener};
use crate::build::site::Site;
use crate::cdi::{self, Edits, Registry};
use crate::sandbox::{Access, Mount, MountKind};

/// The devices that a command has.
#[derive(Debug, Default)]
pub(super) struct Devices {
    /// By their full names.
    found: Vec<(String, [Edits; 2])>,
    /// Those that it does not have, since nobody has allowed them.
    forbidden: Vec<String>,
}

/// What devices change.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) mounts: Vec<Mount>,
    pub(super) env: Vec<(String, String)>,
    pub(super) groups: Vec<u32>,
}

impl Devices {
    /// Finds those that are asked for. One that is not required is left out where it is not here, or not allowed.
    pub(super) fn find(wanted: &[Device], site: &Site<'_>) -> Result<Self, Error> {
        let mut devices = Self::default();
        if wanted.is_empty() {
            return Ok(devices);
        }
        let registry = Registry::read(&site.surroundings.cdi_folders)?;
        for device in wanted {
            let found = registry.find(&device.name)?;
            if found.is_empty() && device.required {
                let ignored = registry.ignored().to_owned();
                return Err(cdi::Error::Missing { name: device.name.clone(), ignored }.into());
            }
            for found in found {
                if found.is_open || site.surroundings.allowed.devices.allow(found.name) {
                    devices.add(found.name, found.edits);
                } else if device.required {
                    return Err(Error::NotAllowed(format!("device={}", found.name)));
                } else {
                    devices.forbidden.push(found.name.to_owned());
                }
            }
        }
        Ok(devices)
    }

    fn add(&mut self, name: &str, edits: &[Edits; 2]) {
        if !self.found.iter().any(|(known, _)| known == name) {
            self.found.push((name.to_owned(), edits.clone()));
        }
    }

    /// Their full names. They are part of a key, and what their files say is not: a driver's new version makes nothing new.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.found.iter().map(|(name, _)| name.as_str())
    }

    /// What they change. What is left out is told.
    pub(super) fn changes(&self, listener: Listener<'_>) -> Changes {
        let mut changes = Changes::default();
        for name in &self.forbidden {
            let text = format!("the device `{name}` is not used: allow it with `--allow device={name}`");
            listener(Event::Note { text: &text });
        }
        for (name, edits) in &self.found {
            edits.iter().for_each(|edits| changes.add(edits));
            if edits.iter().any(|edits| !edits.hooks.is_empty()) {
                let text = format!(
                    "the hooks of the device `{name}` are not run: programs may not find its libraries by themselves"
                );
                listener(Event::Note { text: &text });
            }
        }
        changes
    }
}

impl Changes {
    fn add(&mut self, edits: &Edits) {
        let nodes = edits.device_nodes.iter().map(|node| {
            let source = node.host_path.clone().unwrap_or_else(|| node.path.clone().into());
            let kind = MountKind::Bind { source, access: Access::ReadWrite };
            Mount { target: node.path.clone(), kind }
        });
        let mounts = edits.mounts.iter().map(|mount| {
            let is_read_only = mount.options.iter().any(|option| option == "ro");
            let access = if is_read_only { Access::ReadOnly } else { Access::ReadWrite };
            let kind = MountKind::Bind { source: mount.host_path.clone(), access };
            Mount { target: mount.container_path.clone(), kind }
        });
        for mount in nodes.chain(mounts) {
            // What a file says of all its devices comes once for each of them.
            if !self.mounts.contains(&mount) {
                self.mounts.push(mount);
            }
        }
        let pairs = edits.env.iter().filter_map(|text| text.split_once('='));
        self.env.extend(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
        self.groups.extend(&edits.additional_gids);
    }
}
