//! `pull`, `push`, `login`, `logout`: images from registries and to them.

use std::io::{self, IsTerminal, Read};
use std::path::Path;
use std::time::Duration;

use layercake_cache::Digest;
use layercake_executor::image::local::Images;
use layercake_executor::image::packed::packed;
use layercake_executor::image::reference::Reference;
use layercake_executor::layer::compress::Compression;
use layercake_executor::namespace;
use layercake_executor::registry::client::Client;
use layercake_executor::registry::event::{Direction, Event, How};
use layercake_executor::registry::login::Kept;
use layercake_executor::registry::settings::Settings as RegistrySettings;
use layercake_executor::registry::sources;

use super::images::{find, open_store};
use super::inputs::{host_platform, platform_or_host};
use crate::arguments::images as arguments;
use crate::failure::Failure;
use crate::settings::Settings;
use crate::terminal::output::{self, tell};
use crate::terminal::paint::Paint;
use crate::terminal::table;

/// What Docker Hub is called where passwords are kept.
const HUB: &str = "docker.io";

/// A client with these settings.
#[must_use]
pub fn client(settings: &Settings) -> Client {
    let credentials = std::iter::once(settings.docker_config.join("config.json")).chain(settings.auth_files.clone());
    Client::new(RegistrySettings {
        user_agent: concat!("layercake/", env!("CARGO_PKG_VERSION")).to_owned(),
        proxies: settings.proxies.clone(),
        registries: settings.registries.clone(),
        neighbours: settings.neighbours.clone(),
        certificates: settings.certificates.clone(),
        credentials: credentials.collect(),
        connect_timeout: Duration::from_secs(15),
        ..RegistrySettings::default()
    })
}

/// A client, or none for those who may not ask registries.
#[must_use]
pub fn client_unless(offline: bool, settings: &Settings) -> Option<Client> {
    (!offline).then(|| client(settings))
}

/// `layercake pull`.
///
/// # Errors
/// If there is no such image, or it cannot be had.
pub fn pull(arguments: &arguments::Pull, paint: Paint) -> Result<(), Failure> {
    let settings = Settings::read(Path::new("."))?;
    let store = open_store()?;
    let reference: Reference = arguments.image.parse().map_err(Failure::input)?;
    let platform = platform_or_host(arguments.platform.as_deref())?;
    let events = |event| show(&event, arguments.quiet, paint);
    let image = client(&settings).pull(&store, &reference, &platform, &events)?;
    output::line(&image.descriptor.digest.to_string())
}

/// `layercake push`.
///
/// # Errors
/// If there is no such image, or the registry does not take it.
pub fn push(arguments: &arguments::Push, paint: Paint) -> Result<(), Failure> {
    // Folders that layers are made of belong to users that only a user namespace lets us be, and a process that has threads
    // enters none. Where there are no namespaces nothing was built, and what was pulled needs none.
    let _ = namespace::enter();
    let settings = Settings::read(Path::new("."))?;
    let store = open_store()?;
    let reference: Reference = arguments.image.parse().map_err(Failure::input)?;
    // What the name leads to, so that all platforms behind it are sent.
    let descriptor = match Images::new(&store).named(&reference)? {
        Some(descriptor) => descriptor,
        None => find(&store, &arguments.image, &host_platform())?.descriptor,
    };
    // What came from a registry goes as it came.
    let is_kept = |layer: &Digest| sources::known(&store, layer).is_ok_and(|known| !known.is_empty());
    let packed = packed(&store, &descriptor, Compression::GZIP, &is_kept)?;
    let events = |event| show(&event, arguments.quiet, paint);
    let digest = client(&settings).push(&store, &packed, &reference, &events)?;
    if packed.digest != descriptor.digest {
        // The name leads to what the registry has, so that both know the image by the same digest.
        Images::new(&store).tag(&reference, &packed)?;
    }
    output::line(&digest.to_string())
}

/// Tells what happens with blobs: each when it is done.
pub fn show(event: &Event, quiet: bool, paint: Paint) {
    if quiet {
        return;
    }
    match event {
        Event::Finished { digest, direction, how } => {
            let what = match (direction, how) {
                (_, How::Present) => "already there",
                (_, How::Mounted(_)) => "mounted from another repository",
                (Direction::Down, How::Moved) => "pulled",
                (Direction::Up, How::Moved) => "pushed",
            };
            let digest: String = digest.hex().chars().take(12).collect();
            tell(&format!("{digest} {}\n", paint.green(what)));
        }
        Event::Retrying { reason, wait } => {
            tell(&format!("{} {reason}; trying again in {:.0} s\n", paint.yellow("note:"), wait.as_secs_f64()));
        }
        Event::MirrorFailed { mirror, reason } => {
            tell(&format!("{} the mirror {mirror} could not help: {reason}\n", paint.yellow("note:")));
        }
        Event::Moved { digest, direction, done: 0, total } => {
            let digest: String = digest.hex().chars().take(12).collect();
            let verb = if *direction == Direction::Down { "pulling" } else { "pushing" };
            tell(&format!("{digest} {verb} {}\n", table::size(*total)));
        }
        Event::Moved { .. } => (),
    }
}

/// `layercake login`.
///
/// # Errors
/// If the registry refuses the password, or it cannot be kept.
pub fn login(arguments: &arguments::Login) -> Result<(), Failure> {
    let settings = Settings::read(Path::new("."))?;
    let user = match &arguments.username {
        Some(user) => user.clone(),
        None => ask("Username: ")?,
    };
    let password = match (&arguments.password, arguments.password_stdin) {
        (Some(_), true) => return Err(Failure::input("`--password` and `--password-stdin` exclude each other")),
        (Some(password), false) => password.clone(),
        (None, true) => {
            let mut password = String::new();
            let read = io::stdin().read_to_string(&mut password);
            read.map_err(|error| Failure::environment(format!("cannot read the password: {error}")))?;
            password.trim_end_matches(['\n', '\r']).to_owned()
        }
        (None, false) => ask_silently("Password: ")?,
    };
    let host = arguments.registry.as_deref().unwrap_or(HUB);
    let file = settings.docker_config.join("config.json");
    if client(&settings).login(host, &user, &password, &file)? == Kept::InFile {
        let file = file.display();
        tell(&format!(
            "note: `{file}` holds the password as it is; a helper, named there in `credsStore`, would hide it\n"
        ));
    }
    output::line("Login Succeeded")
}

/// `layercake logout`.
///
/// # Errors
/// If the file of passwords cannot be written.
pub fn logout(arguments: &arguments::Logout) -> Result<(), Failure> {
    let settings = Settings::read(Path::new("."))?;
    let host = arguments.registry.as_deref().unwrap_or(HUB);
    if client(&settings).logout(host, &settings.docker_config.join("config.json"))? {
        output::line(&format!("Removed the login for {host}"))
    } else {
        output::line(&format!("Not logged in to {host}"))
    }
}

fn ask(prompt: &str) -> Result<String, Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::input("there is nobody to ask for a name").help("give it with `--username NAME`"));
    }
    tell(prompt);
    let mut line = String::new();
    io::stdin()
        .read_line(&mut line)
        .map_err(|error| Failure::environment(format!("cannot read from the terminal: {error}")))?;
    Ok(line.trim().to_owned())
}

fn ask_silently(prompt: &str) -> Result<String, Failure> {
    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
    let input = io::stdin();
    let Ok(before) = tcgetattr(&input) else {
        return Err(Failure::input("there is nobody to ask for a password").help("give it with `--password-stdin`"));
    };
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    let failed = |error: rustix::io::Errno| Failure::environment(format!("cannot silence the terminal: {error}"));
    tcsetattr(&input, OptionalActions::Flush, &silent).map_err(failed)?;
    let answer = ask(prompt);
    tell("\n");
    tcsetattr(&input, OptionalActions::Flush, &before).map_err(failed)?;
    answer
}
