//! The config of the image that a stage makes, while it is being made.

use std::sync::Arc;

use serde_json::{Map as Object, Value};

use super::scope::{DEFAULT_PATH, Scope};
use crate::oci::{ContainerConfig, Empty, Healthcheck};
use crate::persistent::Map;
use crate::platform::Platform;

/// Everything that a stage hands on to those that start from it, but for its tree. Cloning it is cheap.
#[derive(Clone, Debug)]
pub(super) struct ImageState {
    pub(super) scope: Scope,
    pub(super) platform: Platform,
    pub(super) author: Option<String>,
    pub(super) workdir: String,
    /// Whether this file has set the folder: a relative one is fine then.
    pub(super) workdir_is_set: bool,
    pub(super) user: String,
    pub(super) entrypoint: Vec<String>,
    pub(super) cmd: Vec<String>,
    pub(super) shell: Vec<String>,
    pub(super) args_escaped: bool,
    pub(super) labels: Map<String>,
    pub(super) ports: Map<()>,
    pub(super) volumes: Map<()>,
    pub(super) stop_signal: String,
    pub(super) healthcheck: Option<Healthcheck>,
    pub(super) on_build: Vec<String>,
    other: Arc<Object<String, Value>>,
}

impl ImageState {
    /// The image that is nothing yet.
    pub(super) fn empty(platform: &Platform) -> Self {
        let mut image = Self::from_config(ContainerConfig::default(), None, platform);
        image.workdir = "/".to_owned();
        image
    }

    /// A base image.
    pub(super) fn from_config(config: ContainerConfig, author: Option<String>, platform: &Platform) -> Self {
        let mut scope = Scope::default();
        for variable in &config.env {
            let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
            scope.set(name, value);
        }
        // Where nothing says where commands are, they are in the usual places; Windows knows that by itself.
        if scope.get("PATH").is_none() && platform.os != "windows" {
            scope.set("PATH", DEFAULT_PATH);
        }
        Self {
            scope: scope.inherited(),
            platform: platform.clone(),
            author,
            workdir: config.working_dir,
            workdir_is_set: false,
            user: config.user,
            entrypoint: config.entrypoint,
            cmd: config.cmd,
            shell: config.shell,
            args_escaped: config.args_escaped,
            labels: collect(config.labels),
            ports: collect(config.exposed_ports.into_keys().map(|port| (port, ()))),
            volumes: collect(config.volumes.into_keys().map(|folder| (folder, ()))),
            stop_signal: config.stop_signal,
            healthcheck: config.healthcheck,
            on_build: Vec::new(),
            other: Arc::new(config.other),
        }
    }

    /// What a stage that starts from this one begins with. Triggers are not handed on: they run there.
    pub(super) fn inherited(&self) -> Self {
        Self { scope: self.scope.clone().inherited(), on_build: Vec::new(), ..self.clone() }
    }

    /// How many bytes of it each stage that starts from it has of its own.
    pub(super) fn weight(&self) -> usize {
        let lists = [&self.entrypoint, &self.cmd, &self.shell];
        let texts = [&self.workdir, &self.user, &self.stop_signal];
        lists.into_iter().flatten().chain(texts).map(String::len).sum()
    }

    /// The shell of shell-form commands.
    pub(super) fn shell(&self) -> Vec<String> {
        match (self.shell.is_empty(), self.platform.os.as_str()) {
            (false, _) => self.shell.clone(),
            (true, "windows") => ["cmd", "/S", "/C"].map(str::to_owned).to_vec(),
            (true, _) => ["/bin/sh", "-c"].map(str::to_owned).to_vec(),
        }
    }

    /// The config as images keep it, with more labels.
    pub(super) fn config(&self, labels: &[(String, String)]) -> ContainerConfig {
        let set = |map: &Map<()>| map.iter().map(|(name, ())| (name.to_string(), Empty {})).collect();
        let own = self.labels.iter().map(|(name, value)| (name.to_string(), value.clone()));
        ContainerConfig {
            user: self.user.clone(),
            exposed_ports: set(&self.ports),
            env: self.scope.of_image(),
            entrypoint: self.entrypoint.clone(),
            cmd: self.cmd.clone(),
            volumes: set(&self.volumes),
            working_dir: self.workdir.clone(),
            labels: own.chain(labels.iter().cloned()).collect(),
            stop_signal: self.stop_signal.clone(),
            args_escaped: self.args_escaped,
            healthcheck: self.healthcheck.clone(),
            on_build: self.on_build.clone(),
            shell: self.shell.clone(),
            other: Object::clone(&self.other),
        }
    }
}

fn collect<V: Clone>(items: impl IntoIterator<Item = (String, V)>) -> Map<V> {
    let mut map = Map::default();
    for (name, value) in items {
        map.insert(&name, value);
    }
    map
}
