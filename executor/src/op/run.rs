//! `Run`: a command in a tree.

mod mounts;

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
use crate::fault::Fault;
use crate::overlay::Overlay;
use crate::sandbox::{self, End, Spec, Standard};

/// How much of a command's last output an error repeats, in bytes.
const TAIL: usize = 4 << 10;

/// How much of a command an error repeats, in characters.
const LONGEST_COMMAND: usize = 120;

/// Why a command did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It ran and failed. In BuildKit's words.
    #[error("process {} did not complete successfully: {}", quoted(command), how(*end))]
    Failed {
        /// Its program and arguments.
        command: Vec<String>,
        /// How it ended.
        end: End,
        /// Its last output.
        tail: String,
    },
    /// It could not be run.
    #[error(transparent)]
    Sandbox(#[from] sandbox::Error),
    /// Its output could not be read.
    #[error("cannot read the output of the command: {0}")]
    Output(io::Error),
    /// A secret that it needs and that was not given.
    #[error("secret {0}: not found")]
    MissingSecret(String),
    /// It wants more than it is allowed.
    #[error("the command wants `{0}`, which has to be allowed")]
    NotAllowed(&'static str),
    /// A mount that names nothing.
    #[error("cannot mount \"{0}\": not found")]
    MissingSource(String),
    /// A line of input for a command.
    #[error("`{0}` is not built yet")]
    NotBuilt(&'static str),
}

impl Error {
    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Failed { .. } => Fault::Command,
            Self::Sandbox(error) => error.fault(),
            Self::Output(_) => Fault::Environment,
            Self::MissingSecret(_) | Self::NotAllowed(_) | Self::MissingSource(_) | Self::NotBuilt(_) => Fault::Input,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Sandbox(error) => error.help(),
            Self::MissingSecret(id) => Some(format!("give it, for it is required: `--secret id={id},src=FILE`")),
            Self::NotAllowed(what) => Some(format!("allow it with `--allow {what}`, if you trust the Dockerfile")),
            Self::Failed { end: End::Exited(127), .. } => {
                Some("install the program in an earlier step, or check its spelling and `PATH`".to_owned())
            }
            _ => None,
        }
    }
}

fn how(end: End) -> String {
    match end {
        End::Exited(status) => format!("exit code: {status}"),
        End::Signalled(signal) => format!("it was ended by signal {signal}"),
        End::OutOfMemory => "cannot allocate memory: the kernel has ended it, for the memory is used up".to_owned(),
    }
}

/// A command on one line, of which only the beginning is shown if it is long: it may be a whole script.
fn quoted(command: &[String]) -> String {
    let text = command.join(" ");
    match text.char_indices().nth(LONGEST_COMMAND) {
        Some((end, _)) => format!("{:?}", format!("{}…", &text[..end])),
        None => format!("{text:?}"),
    }
}

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
    ingredients.add("operation", "run");
    ingredients.add("tree", inputs[0].tree().expect("input 0 is a tree").id());
    for (index, argument) in run.arguments.iter().enumerate() {
        ingredients.add(format!("argument {index}"), argument);
    }
    for (name, value) in run.env.iter() {
        ingredients.add(format!("variable {name}"), &**value);
    }
    ingredients.add("user", &run.user).add("workdir", &run.workdir);
    for mount in &run.mounts {
        mounts::describe(mount, inputs, site, ingredients)?;
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

/// Runs the command in a workspace, and tells what it writes.
///
/// # Errors
/// If it cannot be run, or fails.
pub fn apply(
    run: &Run,
    step: StepId,
    workspace: &Workspace,
    inputs: &[Product],
    site: &Site<'_>,
    cancel: &Cancel,
) -> Result<(), BuildError> {
    if run.devices.iter().any(|device| device.required) {
        return Err(Error::NotBuilt("`RUN --device`").into());
    }
    let mut opened = mounts::Opened::default();
    let mut mounts = site.surroundings.files.clone();
    let mut env = run.env.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    for mount in &run.mounts {
        mounts::open(mount, inputs, site, &mut opened, &mut mounts, &mut env)?;
    }
    let spec = Spec { mounts, env: environment(env, site.surroundings), ..spec(run, workspace.overlay(), site)? };
    let (mut reader, writer) = io::pipe().map_err(Error::Output)?;
    let standard =
        Standard { stdin: None, stdout: writer.try_clone().map_err(Error::Output)?.into(), stderr: writer.into() };
    let running = sandbox::start(&spec, standard).map_err(Error::from)?;
    cancel.register(running.killer().map_err(Error::Output)?);
    // The kernel ends whatever the command left running, so the pipe closes when the command is done.
    let mut tail = Vec::new();
    let mut buffer = [0; 8 << 10];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => {
                let bytes = &buffer[..length];
                (site.listener)(Event::Output { step, bytes });
                tail.extend_from_slice(bytes);
                let excess = tail.len().saturating_sub(TAIL);
                tail.drain(..excess);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
            Err(error) => return Err(Error::Output(error).into()),
        }
    }
    let end = running.wait().map_err(Error::from)?.end;
    drop(opened);
    if end.is_success() {
        return Ok(());
    }
    // A command that was killed because another step failed has not failed itself.
    cancel.check()?;
    let command = run.arguments.clone();
    Err(Error::Failed { command, end, tail: String::from_utf8_lossy(&tail).into_owned() }.into())
}

fn spec(run: &Run, root: Overlay, site: &Site<'_>) -> Result<Spec, Error> {
    let surroundings = site.surroundings;
    if run.security == Security::Insecure && !surroundings.allowed.insecure {
        return Err(Error::NotAllowed("security.insecure"));
    }
    if run.network == Network::Host && surroundings.network == Network::None && !surroundings.allowed.host_network {
        return Err(Error::NotAllowed("network.host"));
    }
    Ok(Spec {
        workdir: run.workdir.clone(),
        user: run.user.clone(),
        hostname: surroundings.hostname.clone(),
        network: network(run, surroundings),
        hosts: surroundings.hosts.clone(),
        limits: surroundings.limits.clone(),
        shm_size: surroundings.shm_size,
        security: run.security,
        ..Spec::new(root, run.arguments.clone())
    })
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
