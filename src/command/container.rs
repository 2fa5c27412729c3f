//! `run`: a command in a new container of an image, in the foreground. Nothing of the container is kept.

use std::fs;
use std::path::{Path, PathBuf};

use layercake_cache::{Scratch, Store};
use layercake_compiler::oci::ContainerConfig;
use layercake_executor::build::event::Event;
use layercake_executor::build::folders::folders;
use layercake_executor::build::tree::Tree;
use layercake_executor::container::{self, Container, Port, Streams};
use layercake_executor::draft::Draft;
use layercake_executor::emulation;
use layercake_executor::fault::At;
use layercake_executor::image::local::{Images, LocalImage};
use layercake_executor::image::reference::Reference;
use layercake_executor::layer::Contents;
use layercake_executor::op::copy::write::{Owner, Writer};
use layercake_executor::overlay::{Overlay, Upper};
use layercake_executor::registry::client::Client;
use layercake_executor::registry::event::ignore;
use layercake_executor::remote::caches::Caches;
use layercake_executor::sandbox::{Access, Mount, MountKind, Network, Spec};
use layercake_executor::usage::doubt;
use layercake_executor::{change, namespace};

use super::inputs::platform_or_host;
use super::registry::{client, show};
use crate::arguments::images::Run;
use crate::failure::Failure;
use crate::settings::{self, Settings};
use crate::terminal::output::tell;
use crate::terminal::paint::Paint;

/// `layercake run`.
///
/// # Errors
/// If there is no such image, or the container cannot be run; silently, with its status, if it fails.
pub fn run(arguments: &Run, paint: Paint) -> Result<(), Failure> {
    // Before there are threads: a process that has some enters no user namespace.
    namespace::enter()?;
    let settings = Settings::read(Path::new("."))?;
    let store = doubt::open(&settings.home)?;
    let client = client(&settings);
    let image = find(arguments, &store, &client, paint)?;
    let tree = Tree::of_image(&image);
    let fetch = |layer: &_| client.fetch_known(&store, &arguments.image, std::slice::from_ref(layer), &ignore);
    let listener = |event: Event<'_>| {
        if let Event::Transfer { action, what, .. } = event {
            tell(&format!("{action} {what}\n"));
        }
    };
    let below = folders(&tree, Contents::All, &store, &Caches::default(), &fetch, &listener)
        .map_err(|error| Failure::new(error.fault(), error))?;

    let config = &image.config.config;
    let workdir = arguments.workdir.as_deref().unwrap_or(&config.working_dir);
    let workdir = if workdir.is_empty() { "/" } else { workdir };
    let (overlay, _scratch) = writable(&store, below, workdir)?;
    let spec = Spec {
        env: environment(arguments, config),
        workdir: workdir.to_owned(),
        user: arguments.user.clone().unwrap_or_else(|| config.user.clone()),
        hostname: arguments.hostname.clone().unwrap_or_else(|| image.manifest_digest.hex().chars().take(12).collect()),
        network: match arguments.network.as_str() {
            "host" => Network::Host,
            "none" => Network::None,
            _ => Network::Private,
        },
        emulators: emulation::installed(&settings::program_folders()),
        mounts: arguments.volume.iter().map(|text| volume(text)).collect::<Result<_, _>>()?,
        ..Spec::new(overlay, command(arguments, config)?)
    };
    let ports = arguments.publish.iter().map(|text| text.parse::<Port>()).collect::<Result<Vec<_>, _>>();
    let streams = match (arguments.tty, arguments.interactive) {
        (true, _) => Streams::Terminal,
        (false, true) => Streams::Interactive,
        (false, false) => Streams::Output,
    };
    let container = Container { spec, streams, ports: ports.map_err(Failure::input)? };
    let notice = |notice: container::Notice| tell(&format!("{} {}\n", paint.yellow("note:"), notice.text()));
    let outcome = container::run(&container, notice).map_err(|error| {
        let failure = Failure::new(error.fault(), &error).perhaps_help(error.help());
        match error.status() {
            Some(status) => failure.exit(status),
            None => failure,
        }
    })?;
    match outcome.end.status() {
        0 => Ok(()),
        status => Err(Failure::silent(u8::try_from(status).unwrap_or(1))),
    }
}

/// The image, from the store or else from its registry.
fn find(arguments: &Run, store: &Store, client: &Client, paint: Paint) -> Result<LocalImage, Failure> {
    let platform = platform_or_host(arguments.platform.as_deref())?;
    if let Some(image) = Images::new(store).find(&arguments.image, &platform)? {
        return Ok(image);
    }
    let reference: Reference = arguments.image.parse().map_err(Failure::input)?;
    tell(&format!("there is no image `{}` in the store; pulling it\n", reference.familiar()));
    Ok(client.pull(store, &reference, &platform, &|event| show(&event, false, paint))?)
}

/// A writable tree on these folders, with the folder to start in. What is written is gone with the second value.
fn writable(store: &Store, below: Vec<PathBuf>, workdir: &str) -> Result<(Overlay, Scratch), Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::environment(error);
    let scratch = store.scratch()?;
    let (upper, work) = (scratch.path().join("upper"), scratch.path().join("work"));
    for folder in [&upper, &work] {
        fs::create_dir(folder).at("create the folder", folder).map_err(|error| failed(&error))?;
    }
    change::prepare(&upper, &below).map_err(|error| failed(&error))?;
    if workdir != "/" {
        let mut draft = Draft::on(&below).map_err(|error| failed(&error))?;
        Writer::new(&mut draft, Owner::Set { uid: 0, gid: 0 }, None).folder_at(workdir).map_err(Failure::input)?;
        draft.write_upper(&upper).map_err(|error| failed(&error))?;
    }
    Ok((Overlay { lowers: below, upper: Some(Upper { upper, work }) }, scratch))
}

/// The command: as docker, an entry point of one's own makes the image's command void.
fn command(arguments: &Run, config: &ContainerConfig) -> Result<Vec<String>, Failure> {
    let mut command = match &arguments.entrypoint {
        Some(program) if program.is_empty() => Vec::new(),
        Some(program) => vec![program.clone()],
        None => config.entrypoint.clone(),
    };
    if !arguments.command.is_empty() {
        command.extend(arguments.command.iter().cloned());
    } else if arguments.entrypoint.is_none() {
        command.extend(config.cmd.iter().cloned());
    }
    if command.is_empty() {
        return Err(Failure::input(format!("the image `{}` names no command", arguments.image))
            .help("add a command: `layercake run IMAGE COMMAND`"));
    }
    Ok(command)
}

fn environment(arguments: &Run, config: &ContainerConfig) -> Vec<(String, String)> {
    let mut env = vec![("PATH".to_owned(), "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned())];
    if arguments.tty {
        env.push(("TERM".to_owned(), "xterm".to_owned()));
    }
    env.extend(
        config
            .env
            .iter()
            .filter_map(|text| text.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    env.extend(arguments.env.iter().filter_map(|text| settings::assignment(text)));
    env
}

/// `SOURCE:TARGET[:ro|rw]`.
fn volume(text: &str) -> Result<Mount, Failure> {
    let wrong = |what: &str| {
        Failure::input(format!("`--volume {text}`: {what}"))
            .help("write `SOURCE:TARGET` or `SOURCE:TARGET:ro`, with paths")
    };
    let (paths, access) = match text.rsplit_once(':') {
        Some((paths, "ro")) => (paths, Access::ReadOnly),
        Some((paths, "rw")) => (paths, Access::ReadWrite),
        _ => (text, Access::ReadWrite),
    };
    let (source, target) = paths.split_once(':').ok_or_else(|| wrong("the target is missing"))?;
    if !target.starts_with('/') {
        return Err(wrong("the target is no absolute path"));
    }
    if !source.starts_with(['/', '.']) {
        return Err(wrong("volumes with a name are not built yet"));
    }
    let source = fs::canonicalize(source).map_err(|error| wrong(&format!("cannot find `{source}`: {error}")))?;
    Ok(Mount { target: target.to_owned(), kind: MountKind::Bind { source, access } })
}
