//! The settings as they are meant: arguments beat the environment, that beats the project's file, that beats the user's.
//! This is the only place that reads the environment.

pub mod file;
mod registries;

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use layercake_executor::cdi;
use layercake_executor::engine::Client;
use layercake_executor::registry::settings::{NeighbourFiles, Proxies, Registry};

use crate::failure::Failure;
use file::File;

/// Steps under way at the same time where nobody says otherwise. Most steps wait: for a network, for a single-threaded
/// command. More than this and a wide graph would fill the memory.
const JOBS: usize = 16;

/// What is not said by the arguments of one command.
#[derive(Debug)]
pub struct Settings {
    /// The store.
    pub home: PathBuf,
    /// What of this machine every `RUN` may see.
    pub host: Host,
    /// Steps under way at the same time.
    pub jobs: usize,
    /// Who loads images; `None` is whoever can.
    pub load: Option<Client>,
    /// Where docker's daemon may be listening.
    pub docker_sockets: Vec<PathBuf>,
    /// By the registry's host and port.
    pub registries: BTreeMap<String, Registry>,
    /// Other programs' files about registries.
    pub neighbours: NeighbourFiles,
    /// The folder of docker's `config.json`.
    pub docker_config: PathBuf,
    /// Files with passwords in containers' form, the first that exists counts.
    pub auth_files: Vec<PathBuf>,
    /// Files of certificates that are trusted besides the system's.
    pub certificates: Vec<PathBuf>,
    /// The proxies on the way to registries.
    pub proxies: Proxies,
    /// `SOURCE_DATE_EPOCH`, if set: seconds since 1970.
    pub source_date_epoch: Option<i64>,
}

/// What of this machine every `RUN` may see.
#[derive(Clone, Debug, Default)]
pub struct Host {
    /// Path on this machine and path in the `RUN`.
    pub files: Vec<(PathBuf, String)>,
    /// Names and values.
    pub env: Vec<(String, String)>,
    /// The folders that describe CDI devices.
    pub cdi_folders: Vec<PathBuf>,
}

impl Settings {
    /// Reads the environment, the project's file in `project`, and the user's file.
    ///
    /// # Errors
    /// If a file or a variable has a value that means nothing.
    pub fn read(project: &Path) -> Result<Self, Failure> {
        let home = path("HOME").unwrap_or_else(|| PathBuf::from("/"));
        let config_home = path("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config"));
        let (user_path, project_path) = (config_home.join("layercake/config.toml"), project.join("layercake.toml"));
        let user = File::read(&user_path, file::Origin::User)?;
        let project = File::read(&project_path, file::Origin::Project)?;
        let mut registries = registries::registries(user.registry, &user_path, file::Origin::User)?;
        registries.extend(registries::registries(project.registry, &project_path, file::Origin::Project)?);

        let data_home = path("XDG_DATA_HOME").unwrap_or_else(|| home.join(".local/share"));
        let runtime = path("XDG_RUNTIME_DIR").map(|folder| folder.join("containers/auth.json"));
        let auth_files = [path("REGISTRY_AUTH_FILE"), runtime, Some(config_home.join("containers/auth.json"))];
        Ok(Self {
            home: path("LAYERCAKE_HOME").unwrap_or_else(|| data_home.join("layercake")),
            host: Host {
                files: user.host.files.iter().map(|text| host_file(text)).collect::<Result<_, _>>()?,
                env: user.host.env.iter().filter_map(|text| assignment(text)).collect(),
                cdi_folders: user.host.cdi_spec_dirs.unwrap_or_else(|| cdi::FOLDERS.map(PathBuf::from).to_vec()),
            },
            jobs: project.build.jobs.or(user.build.jobs).map_or(JOBS, std::num::NonZero::get),
            load: project.build.load.or(user.build.load),
            docker_sockets: docker_sockets(),
            registries,
            neighbours: neighbours(&config_home),
            docker_config: path("DOCKER_CONFIG").unwrap_or_else(|| home.join(".docker")),
            auth_files: auth_files.into_iter().flatten().collect(),
            certificates: path("SSL_CERT_FILE").into_iter().collect(),
            proxies: registry_proxies(),
            source_date_epoch: source_date_epoch()?,
        })
    }
}

/// `NAME=VALUE` as it stands; `NAME` with the environment's value, or `None` where it has none.
#[must_use]
pub fn assignment(text: &str) -> Option<(String, String)> {
    match text.split_once('=') {
        Some((name, value)) => Some((name.to_owned(), value.to_owned())),
        None => variable(text).map(|value| (text.to_owned(), value)),
    }
}

/// The value of a variable that an argument names; `None` if it is not set or no text.
#[must_use]
pub fn variable(name: &str) -> Option<String> {
    // The standard library would panic on a name that no variable can have.
    let possible = !name.is_empty() && !name.contains(['=', '\0']);
    if possible { env::var(name).ok() } else { None }
}

/// Whether the environment asks for no colour.
#[must_use]
pub fn is_colourless() -> bool {
    env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
        || env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// The variable that says the time of everything that is made (<https://reproducible-builds.org/docs/source-date-epoch/>).
pub const SOURCE_DATE_EPOCH: &str = "SOURCE_DATE_EPOCH";

/// The variables that name proxies; programs read them in capitals or not.
pub const PROXIES: [&str; 5] = ["HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"];

/// Where the shell looks for programs.
#[must_use]
pub fn program_folders() -> Vec<PathBuf> {
    env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default()
}

/// The proxies that the environment names, in both spellings, as Docker hands them to every `RUN`.
#[must_use]
pub fn proxies() -> Vec<(String, String)> {
    PROXIES
        .into_iter()
        .flat_map(|name| [name.to_owned(), name.to_ascii_lowercase()])
        .filter_map(|name| variable(&name).map(|value| (name, value)))
        .collect()
}

/// The variables that `git` gets: how to find programs, and how to reach servers and show them who asks. It gets no others.
const GIT: [&str; 9] = [
    "PATH",
    "HOME",
    "SSH_AUTH_SOCK",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// The variables that `git` gets.
#[must_use]
pub fn git_variables() -> Vec<(OsString, OsString)> {
    let own = GIT.into_iter().filter_map(|name| Some((OsString::from(name), env::var_os(name)?)));
    let mut all: Vec<(OsString, OsString)> = own.collect();
    // Not every `git` is built with a library that reads the variable of OpenSSL.
    if let (Some(file), None) = (env::var_os("SSL_CERT_FILE"), env::var_os("GIT_SSL_CAINFO")) {
        all.push(("GIT_SSL_CAINFO".into(), file));
    }
    all.extend(proxies().into_iter().map(|(name, value)| (name.into(), value.into())));
    all
}

/// `PATH[:TARGET]` of `--host-file`.
///
/// # Errors
/// If one of the two is not absolute.
pub fn host_file(text: &str) -> Result<(PathBuf, String), Failure> {
    let (source, target) = text.split_once(':').unwrap_or((text, text));
    if source.starts_with('/') && target.starts_with('/') {
        Ok((PathBuf::from(source), target.to_owned()))
    } else {
        Err(Failure::input(format!("`{text}` is no file of this machine that a RUN could see"))
            .help("write absolute paths: `/etc/pip.conf` or `/home/me/pip.conf:/etc/pip.conf`"))
    }
}

/// The proxies for our own requests. `HTTP_PROXY` in capitals is read too: this is no CGI program.
fn registry_proxies() -> Proxies {
    let first = |names: [&str; 2]| names.into_iter().find_map(variable).filter(|value| !value.is_empty());
    let all = first(["all_proxy", "ALL_PROXY"]);
    let exceptions = first(["no_proxy", "NO_PROXY"]).unwrap_or_default();
    Proxies {
        http: first(["http_proxy", "HTTP_PROXY"]).or_else(|| all.clone()),
        https: first(["https_proxy", "HTTPS_PROXY"]).or(all),
        exceptions: exceptions.split(',').map(|exception| exception.trim().to_owned()).collect(),
    }
}

fn source_date_epoch() -> Result<Option<i64>, Failure> {
    let Some(text) = variable(SOURCE_DATE_EPOCH).filter(|text| !text.is_empty()) else { return Ok(None) };
    match text.parse() {
        Ok(seconds) => Ok(Some(seconds)),
        Err(_) => Err(Failure::input(format!("SOURCE_DATE_EPOCH is `{text}`"))
            .help("set it to a number of seconds since 1970, such as the output of `git log -1 --format=%ct`")),
    }
}

/// Where `DOCKER_HOST` says that the daemon listens, if that is a socket; else root's daemon, and the user's own.
fn docker_sockets() -> Vec<PathBuf> {
    match variable("DOCKER_HOST") {
        Some(host) => host.strip_prefix("unix://").map(PathBuf::from).into_iter().collect(),
        None => {
            let own = path("XDG_RUNTIME_DIR").map(|folder| folder.join("docker.sock"));
            std::iter::once(PathBuf::from("/var/run/docker.sock")).chain(own).collect()
        }
    }
}

/// Where other programs keep what they know about registries, the user's own files before the machine's.
fn neighbours(config_home: &Path) -> NeighbourFiles {
    let own = |path: &str| config_home.join(path);
    let chosen = path("CONTAINERS_REGISTRIES_CONF");
    let usual = [own("containers/registries.conf"), PathBuf::from("/etc/containers/registries.conf")];
    NeighbourFiles {
        registries_conf: chosen.map_or_else(|| usual.to_vec(), |chosen| vec![chosen]),
        registries_conf_folders: vec!["/etc/containers/registries.conf.d".into(), own("containers/registries.conf.d")],
        hosts_folders: vec![
            own("containerd/certs.d"),
            own("docker/certs.d"),
            "/etc/containerd/certs.d".into(),
            "/etc/docker/certs.d".into(),
        ],
        certificate_folders: vec![own("containers/certs.d"), "/etc/containers/certs.d".into()],
    }
}

fn path(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value: &OsString| !value.is_empty()).map(PathBuf::from)
}
