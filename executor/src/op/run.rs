//! `Run`: a command in a tree.

mod cause;
mod devices;
mod error;
mod mounts;

pub use cause::Cause;
pub use error::Error;
pub use mounts::shared_name;

use std::io::{self, Read};

use layercake_compiler::operation::{Network, Run, Security};
use layercake_compiler::plan::StepId;

use crate::build::cancel::Cancel;
use crate::build::error::Error as BuildError;
use crate::build::event::Event;
use crate::build::key::Ingredients;
use crate::build::product::Product;
use crate::build::site::{Site, Surroundings};
use crate::build::workspace::Workspace;
use crate::cgroup::{Kills, Parent};
use crate::overlay::Overlay;
use crate::sandbox::{self, End, Spec, Standard};
use devices::Devices;

/// How much of a command's last output an error repeats, in bytes.
const TAIL: usize = 4 << 10;

/// Lists what the command depends on.
///
/// # Errors
/// If what it mounts cannot be read.
pub fn describe(
    run: &Run,
    inputs: &[Product],
    site: &Site<'_>,
    ingredients: &mut Ingredients,
) -> Result<(), BuildError> {
    let surroundings = site.surroundings;
    // A step that the cache has is not allowed more than one that it does not have.
    check_allowed(run, surroundings)?;
    ingredients.add("operation", "run");
    ingredients.add("tree", inputs[0].tree().expect("input 0 is a tree").id());
    for (index, argument) in run.arguments.iter().enumerate() {
        ingredients.add(format!("argument {index}"), argument);
    }
    for (name, value) in run.env.iter() {
        ingredients.add_variable(name, value);
    }
    ingredients.add("user", &run.user).add("workdir", &run.workdir);
    for mount in &run.mounts {
        mounts::describe(mount, inputs, site, ingredients)?;
    }
    for device in Devices::find(&run.devices, site)?.names() {
        ingredients.add("device", device);
    }
    ingredients.add("network", if network(run, surroundings) == sandbox::Network::None { "none" } else { "host" });
    ingredients.add("security", if run.security == Security::Insecure { "insecure" } else { "sandbox" });
    for host in &surroundings.hosts {
        ingredients.add(format!("host {}", host.name), host.address);
    }
    ingredients.add("hostname", &surroundings.hostname).add("shm size", surroundings.shm_size);
    for limit in &surroundings.limits {
        ingredients.add("limit", serde_json::to_string(limit).expect("a limit is a name and numbers"));
    }
    Ok(())
}

/// Runs the command in a workspace, and tells what it writes. Meanwhile the sandbox of the `next` command is made ready, if it is
/// known which that is.
///
/// # Errors
/// If it cannot be run, or fails.
pub fn apply(
    run: &Run,
    next: Option<&Run>,
    step: StepId,
    workspace: &Workspace,
    inputs: &[Product],
    site: &Site<'_>,
    cancel: &Cancel,
) -> Result<(), BuildError> {
    let mut opened = mounts::Opened::default();
    let mut mounts = site.surroundings.files.clone();
    let mut env = run.env.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    for mount in &run.mounts {
        mounts::open(mount, inputs, site, &mut opened, &mut mounts, &mut env)?;
    }
    let devices = Devices::find(&run.devices, site)?.changes(site.listener);
    mounts.extend(devices.mounts);
    env.extend(devices.env);
    let group = site.surroundings.groups.as_ref().map(Parent::make).transpose().map_err(Error::from)?;
    let mut spec = Spec {
        mounts,
        env: environment(env, site.surroundings),
        extra_groups: devices.groups,
        ..spec(run, workspace.overlay(), site.surroundings)
    };
    if let Some(group) = &group {
        group.take(&mut spec);
    }
    let kills = Kills::now();
    let (end, tail) = follow(&spec, step, site, cancel, next)?;
    drop(opened);
    if end.is_success() {
        return Ok(());
    }
    // A command that was killed because another step failed has not failed itself.
    cancel.check()?;
    let command = run.arguments.clone();
    let tail = String::from_utf8_lossy(&tail).into_owned();
    if group.is_some_and(|group| group.memory_kills() > 0) {
        return Err(Error::Failed { command, end: End::OutOfMemory, tail, cause: None }.into());
    }
    let cause = Cause::find(end, &tail, site.store.root(), Kills::now().since(kills));
    Err(Error::Failed { command, end, tail, cause }.into())
}

/// Runs a command to its end, and tells what it says as it says it; gives the last of that.
fn follow(
    spec: &Spec,
    step: StepId,
    site: &Site<'_>,
    cancel: &Cancel,
    next: Option<&Run>,
) -> Result<(End, Vec<u8>), BuildError> {
    let (reader, writer) = io::pipe().map_err(Error::Output)?;
    let stdout = writer.try_clone().map_err(Error::Output)?;
    let standard = Standard { stdin: None, stdout: Some(stdout.into()), stderr: Some(writer.into()) };
    let running = sandbox::start(spec, standard).map_err(Error::from)?;
    cancel.register(running.killer().map_err(Error::Output)?);
    if let Some(next) = next {
        prepare(next, spec, site.surroundings);
    }
    let tail = listen(reader, |bytes| (site.listener)(Event::Output { step, bytes })).map_err(Error::Output)?;
    Ok((running.wait().map_err(Error::from)?.end, tail))
}

/// Has the sandbox of the next command made ready; `before` is the one before.
fn prepare(next: &Run, before: &Spec, surroundings: &Surroundings) {
    let expected = Spec {
        mounts: surroundings.files.clone(),
        device_guard: before.device_guard,
        ..spec(next, Overlay::default(), surroundings)
    };
    // What cannot be made ready, or has no group, the command asks for again, and hears why not.
    let prepare = |cgroup| drop(sandbox::prepare(&Spec { cgroup, ..expected }));
    match &*surroundings.groups {
        None => prepare(None),
        Some(groups) => drop(groups.make_ahead(|group| prepare(Some(group.folder().to_owned())))),
    }
}

/// Passes on what comes until there is nobody left who could say more: the kernel ends whatever the command left running
/// when the command is done. Gives the last of it.
fn listen(mut reader: io::PipeReader, said: impl Fn(&[u8])) -> io::Result<Vec<u8>> {
    let mut tail = Vec::new();
    let mut buffer = [0; 8 << 10];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(tail),
            Ok(length) => {
                let bytes = &buffer[..length];
                said(bytes);
                tail.extend_from_slice(bytes);
                let excess = tail.len().saturating_sub(TAIL);
                tail.drain(..excess);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
            Err(error) => return Err(error),
        }
    }
}

/// Whether the command wants more than it is allowed. For devices that is found out with them.
fn check_allowed(run: &Run, surroundings: &Surroundings) -> Result<(), Error> {
    if run.security == Security::Insecure && !surroundings.allowed.insecure {
        return Err(Error::NotAllowed("security.insecure".to_owned()));
    }
    if run.network == Network::Host && surroundings.network == Network::None && !surroundings.allowed.host_network {
        return Err(Error::NotAllowed("network.host".to_owned()));
    }
    Ok(())
}

fn spec(run: &Run, root: Overlay, surroundings: &Surroundings) -> Spec {
    Spec {
        workdir: run.workdir.clone(),
        user: run.user.clone(),
        hostname: surroundings.hostname.clone(),
        network: network(run, surroundings),
        hosts: surroundings.hosts.clone(),
        limits: surroundings.limits.clone(),
        shm_size: surroundings.shm_size,
        security: run.security,
        emulators: surroundings.emulators.clone(),
        ..Spec::new(root, run.arguments.clone())
    }
}

fn network(run: &Run, surroundings: &Surroundings) -> sandbox::Network {
    let network = if run.network == Network::Default { surroundings.network } else { run.network };
    match network {
        Network::None => sandbox::Network::None,
        Network::Default | Network::Host => sandbox::Network::Host,
    }
}

/// The command's own variables, and those of the surroundings that it has no value for.
fn environment(mut env: Vec<(String, String)>, surroundings: &Surroundings) -> Vec<(String, String)> {
    for (name, value) in &surroundings.env {
        if !env.iter().any(|(known, _)| known == name) {
            env.push((name.clone(), value.clone()));
        }
    }
    env
}
