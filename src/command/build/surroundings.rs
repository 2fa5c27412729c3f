//! The surroundings of every `RUN`, from the arguments and the settings.

use std::collections::BTreeMap;

use layercake_cache::Store;
use layercake_compiler::operation::Network;
use layercake_executor::agent::Agent;
use layercake_executor::build::site::{Allowed, AllowedDevices, Later, Surroundings};
use layercake_executor::cgroup::Parent;
use layercake_executor::emulation;
use layercake_executor::sandbox::{Access, Mount, MountKind, Spec};

use super::super::inputs::{bytes, host_line, limit, limits, secret, ssh};
use crate::arguments::build::Build;
use crate::arguments::inputs::Inputs;
use crate::arguments::resources::Allow;
use crate::failure::Failure;
use crate::settings::{self, Settings};

/// The build argument that names the host, as BuildKit has it.
const HOSTNAME: &str = "BUILDKIT_SANDBOX_HOSTNAME";

/// What every command gets that the plan does not say.
///
/// # Errors
/// If an argument means nothing, or a secret, file or agent is not there.
pub(super) fn read(arguments: &Build, settings: &Settings, store: &Store) -> Result<Surroundings, Failure> {
    let (agents, groups) = (agents(&arguments.inputs, store)?, groups(&arguments.inputs)?);
    Ok(Surroundings { agents, groups, ..unprepared(&arguments.inputs, settings)? })
}

/// The same as far as keys depend on it: no agent is reached, and no control group made.
///
/// # Errors
/// If an argument means nothing, or a secret or file is not there.
pub(in super::super) fn unprepared(inputs: &Inputs, settings: &Settings) -> Result<Surroundings, Failure> {
    let build_args: Vec<_> = inputs.build_arg.iter().filter_map(|text| settings::assignment(text)).collect();
    let hostname = build_args.iter().rev().find(|(name, _)| name == HOSTNAME).map(|(_, value)| value.clone());
    let own = inputs.host_file.iter().map(|text| settings::host_file(text)).collect::<Result<Vec<_>, _>>()?;
    let mut files = Vec::new();
    for (source, target) in settings.host.files.iter().chain(&own) {
        if !source.exists() {
            return Err(Failure::input(format!("there is no `{}` to show to every RUN", source.display()))
                .help("correct `--host-file`, or the section `[host]` of your `config.toml`"));
        }
        // The later one of a target counts.
        files.retain(|mount: &Mount| mount.target != *target);
        let kind = MountKind::Bind { source: source.clone(), access: Access::ReadOnly };
        files.push(Mount { target: target.clone(), kind });
    }
    Ok(Surroundings {
        hostname: hostname.unwrap_or_else(|| "layercake".to_owned()),
        network: match inputs.network.as_deref() {
            Some("none") => Network::None,
            _ => Network::Host,
        },
        hosts: inputs.add_host.iter().map(|text| host_line(text)).collect::<Result<_, _>>()?,
        limits: inputs.ulimit.iter().map(|text| limit(text)).collect::<Result<_, _>>()?,
        shm_size: inputs.shm_size.as_deref().map_or(Ok(Spec::SHM_SIZE), bytes)?,
        files,
        env: variables(&build_args, inputs, settings),
        secrets: inputs.secret.iter().map(|text| secret(text)).collect::<Result<_, _>>()?,
        agents: BTreeMap::new(),
        groups: Later::new(Box::new(|| None)),
        cdi_folders: settings.host.cdi_folders.clone(),
        emulators: Later::new(Box::new(|| emulation::installed(&settings::program_folders()))),
        allowed: allowed(&inputs.allow),
    })
}

/// The control group of the commands, where they are to be limited or to have a place of their own, or where that can guard
/// devices.
fn groups(inputs: &Inputs) -> Result<Later<Option<Parent>>, Failure> {
    let resources = &inputs.resources;
    let limits = limits(resources)?;
    let parent = resources.cgroup_parent.as_deref().filter(|parent| !parent.is_empty());
    if limits.is_empty() && parent.is_none() {
        return Ok(Later::new(Box::new(Parent::for_devices)));
    }
    let prepared = Parent::prepare(parent, limits);
    let prepared = prepared.map_err(|error| Failure::new(error.fault(), &error).perhaps_help(error.help()))?;
    Ok(Later::new(Box::new(|| Some(prepared))))
}

fn allowed(allow: &[Allow]) -> Allowed {
    let named: Vec<String> =
        allow.iter().filter_map(|allow| if let Allow::Device(name) = allow { name.clone() } else { None }).collect();
    Allowed {
        host_network: allow.contains(&Allow::HostNetwork),
        insecure: allow.contains(&Allow::Insecure),
        devices: match () {
            () if allow.contains(&Allow::Device(None)) => AllowedDevices::All,
            () if named.is_empty() => AllowedDevices::None,
            () => AllowedDevices::Named(named),
        },
    }
}

/// The SSH agents that are given, by id.
fn agents(inputs: &Inputs, store: &Store) -> Result<BTreeMap<String, Agent>, Failure> {
    let mut agents = BTreeMap::new();
    for text in &inputs.ssh {
        let (id, paths) = ssh(text)?;
        if agents.contains_key(&id) {
            return Err(Failure::input(format!("`--ssh` gives the agent `{id}` twice"))
                .help("give each an id of its own, or all keys at once: `--ssh ID=KEY,KEY`"));
        }
        let agent = Agent::open(&paths, store.scratch()?);
        let agent = agent.map_err(|error| Failure::new(error.fault(), &error).perhaps_help(error.help()))?;
        agents.insert(id, agent);
    }
    Ok(agents)
}

/// Variables that are no part of any key: proxies and what the user lends. Those of the arguments go first.
fn variables(build_args: &[(String, String)], inputs: &Inputs, settings: &Settings) -> Vec<(String, String)> {
    let is_proxy = |name: &str| settings::PROXIES.iter().any(|proxy| proxy.eq_ignore_ascii_case(name));
    let given = build_args.iter().filter(|(name, _)| is_proxy(name));
    // Programs read one spelling or the other.
    let spellings = given.flat_map(|(name, value)| {
        [name.clone(), name.to_ascii_uppercase(), name.to_ascii_lowercase()].map(|name| (name, value.clone()))
    });
    let mut all: Vec<(String, String)> = spellings.collect();
    all.extend(inputs.host_env.iter().filter_map(|text| settings::assignment(text)));
    all.extend(settings.host.env.iter().cloned());
    all.extend(settings::proxies());
    let mut seen = std::collections::HashSet::new();
    all.retain(|(name, _)| seen.insert(name.clone()));
    all
}
