//! [`Registry`]: the devices that this machine describes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::edits::{Edits, File};
use super::error::Error;
use super::name::{Name, Which};
use crate::fault::At;

/// Where machines describe their devices. A later folder goes before an earlier one.
pub const FOLDERS: [&str; 2] = ["/etc/cdi", "/var/run/cdi"];

/// The annotation that names a class of devices within a kind, which can be asked for by its name.
const CLASS: &str = "org.mobyproject.buildkit.device.class";

/// The annotation of devices that nobody has to allow.
const AUTO_ALLOW: &str = "org.mobyproject.buildkit.device.autoallow";

/// The devices that this machine describes.
#[derive(Debug, Default)]
pub struct Registry {
    /// By their full names.
    devices: BTreeMap<String, Described>,
    /// Files that are YAML.
    ignored: Vec<PathBuf>,
}

/// A device, as a file describes it.
#[derive(Debug)]
struct Described {
    path: PathBuf,
    annotations: BTreeMap<String, String>,
    /// Those of the file, and its own.
    edits: [Edits; 2],
}

/// A device that was asked for.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// Its full name.
    pub name: &'a str,
    /// Whether it may be used although nobody has allowed it.
    pub is_open: bool,
    /// What it changes.
    pub edits: &'a [Edits; 2],
}

impl Registry {
    /// Reads the JSON files in these folders. One that is not there describes nothing.
    ///
    /// # Errors
    /// If a file cannot be read or is none, or two of a folder describe the same device.
    pub fn read(folders: &[PathBuf]) -> Result<Self, Error> {
        let mut registry = Self::default();
        for folder in folders {
            let Ok(entries) = fs::read_dir(folder) else { continue };
            let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
            paths.sort();
            for path in paths {
                match path.extension().and_then(|ending| ending.to_str()) {
                    Some("json") => registry.add(folder, &path)?,
                    Some("yaml" | "yml") => registry.ignored.push(path),
                    _ => {}
                }
            }
        }
        Ok(registry)
    }

    fn add(&mut self, folder: &Path, path: &Path) -> Result<(), Error> {
        let text = fs::read(path).at("read", path)?;
        let wrong = |message: String| Error::File { path: path.to_owned(), message };
        let file: File = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
        if Name::parse(&file.kind).is_err() || file.kind.contains('=') {
            return Err(wrong(format!("its kind is `{}`", file.kind)));
        }
        for device in file.devices {
            let name = format!("{}={}", file.kind, device.name);
            if let Some(other) = self.devices.get(&name).filter(|other| other.path.starts_with(folder)) {
                return Err(Error::Ambiguous { name, one: other.path.clone(), other: path.to_owned() });
            }
            let mut annotations = file.annotations.clone();
            annotations.extend(device.annotations);
            let edits = [file.container_edits.clone(), device.container_edits];
            self.devices.insert(name, Described { path: path.to_owned(), annotations, edits });
        }
        Ok(())
    }

    /// The devices that a name means; there may be none.
    ///
    /// # Errors
    /// If it is no name.
    pub fn find(&self, name: &str) -> Result<Vec<Found<'_>>, Error> {
        let wanted = Name::parse(name)?;
        let prefix = format!("{}=", wanted.kind);
        let of_kind = self.devices.iter().filter(|(name, _)| name.starts_with(&prefix));
        let found = of_kind.map(|(name, device)| {
            (
                name,
                device,
                Found {
                    name,
                    is_open: device.annotations.get(AUTO_ALLOW).is_some_and(|value| value == "true"),
                    edits: &device.edits,
                },
            )
        });
        Ok(match wanted.which {
            Which::First => found.take(1).map(|(.., found)| found).collect(),
            Which::All => found.map(|(.., found)| found).collect(),
            Which::Named(wanted) => {
                let (exact, others): (Vec<_>, Vec<_>) = found.partition(|(known, ..)| *known == name);
                let is_of_class = |device: &Described| device.annotations.get(CLASS) == Some(&wanted);
                let chosen: Vec<_> = if exact.is_empty() {
                    others.into_iter().filter(|(_, device, _)| is_of_class(device)).collect()
                } else {
                    exact
                };
                chosen.into_iter().map(|(.., found)| found).collect()
            }
        })
    }

    /// Files that are not read, since they are YAML.
    #[must_use]
    pub fn ignored(&self) -> &[PathBuf] {
        &self.ignored
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    const GPUS: &str = r#"{"cdiVersion": "0.6.0", "kind": "acme.example/gpu", "containerEdits": {"env": ["A=1"]},
        "annotations": {"org.mobyproject.buildkit.device.class": "small"},
        "devices": [
            {"name": "1", "containerEdits": {"deviceNodes": [{"path": "/dev/one", "hostPath": "/dev/null"}]}},
            {"name": "0", "annotations": {"org.mobyproject.buildkit.device.class": "big"}}]}"#;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        files.iter().for_each(|(name, text)| fs::write(folder.path().join(name), text).unwrap());
        folder
    }

    fn read(folders: &[&tempfile::TempDir]) -> Result<Registry, Error> {
        let folders: Vec<_> = folders.iter().map(|folder| folder.path().to_owned()).collect();
        Registry::read(&folders)
    }

    #[test]
    fn names_mean_devices_as_for_buildkit() {
        let folder = folder(&[("gpus.json", GPUS), ("other.yaml", "kind: x"), ("readme", "")]);
        let registry = read(&[&folder]).unwrap();
        let names = |name: &str| -> Vec<&str> { registry.find(name).unwrap().iter().map(|found| found.name).collect() };
        assert_eq!(names("acme.example/gpu"), ["acme.example/gpu=0"]);
        assert_eq!(names("acme.example/gpu=*"), ["acme.example/gpu=0", "acme.example/gpu=1"]);
        assert_eq!(names("acme.example/gpu=1"), ["acme.example/gpu=1"]);
        assert_eq!(names("acme.example/gpu=small"), ["acme.example/gpu=1"]);
        assert_eq!(names("acme.example/gpu=big"), ["acme.example/gpu=0"]);
        assert_eq!(names("acme.example/gpu=7"), [""; 0]);
        assert_eq!(names("acme.example/nic"), [""; 0]);
        assert_eq!(registry.ignored(), [folder.path().join("other.yaml")]);
        let found = registry.find("acme.example/gpu=1").unwrap();
        assert_eq!(found[0].edits[0].env, ["A=1"]);
        assert_eq!(found[0].edits[1].device_nodes[0].host_path, Some(PathBuf::from("/dev/null")));
    }

    #[test]
    fn later_folders_go_first_and_one_folder_agrees_with_itself() {
        let (one, other) = (folder(&[("a.json", GPUS)]), folder(&[("b.json", &GPUS.replace("A=1", "A=2"))]));
        let registry = read(&[&one, &other]).unwrap();
        assert_eq!(registry.find("acme.example/gpu").unwrap()[0].edits[0].env, ["A=2"]);
        let twice = folder(&[("a.json", GPUS), ("b.json", GPUS)]);
        assert!(matches!(read(&[&twice]), Err(Error::Ambiguous { .. })));
        assert!(matches!(read(&[&folder(&[("a.json", "{")])]), Err(Error::File { .. })));
        assert!(matches!(read(&[&folder(&[("a.json", "{\"kind\": \"gpu\"}")])]), Err(Error::File { .. })));
    }
}
