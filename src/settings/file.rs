//! The files that hold settings: `layercake.toml` of a project, `config.toml` of a user.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::num::NonZero;
use std::path::{Path, PathBuf};

use layercake_executor::engine::Client;
use layercake_executor::fault::reason;
use serde::Deserialize;

use crate::failure::Failure;

/// What a file may hold. A key that nobody knows is an error: it would do nothing, and its author would not notice.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct File {
    /// How to build.
    pub build: Build,
    /// What of this machine every `RUN` may see. In the user's file only.
    pub host: Host,
    /// By the registry's host and port.
    pub registry: BTreeMap<String, Registry>,
}

/// How to build.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Build {
    /// Steps under way at the same time.
    pub jobs: Option<NonZero<usize>>,
    /// Who takes in what `--load` hands over.
    pub load: Option<Client>,
}

/// What of this machine every `RUN` may see.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Host {
    /// `PATH` or `PATH:TARGET`.
    pub files: Vec<String>,
    /// `NAME` or `NAME=VALUE`.
    pub env: Vec<String>,
    /// The folders that describe CDI devices, if not the usual ones.
    pub cdi_spec_dirs: Option<Vec<PathBuf>>,
}

/// How to reach a registry, and where else its images are.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Registry {
    /// Whether plain HTTP or a certificate that nobody vouches for will do.
    pub insecure: Option<bool>,
    /// Whether it speaks plain HTTP.
    pub http: Option<bool>,
    /// Places to pull from before the registry itself: `HOST[:PORT][/PREFIX]`.
    pub mirrors: Option<Vec<String>>,
    /// Files of certificates that are trusted for it.
    pub ca: Paths,
    /// A certificate for it to know us by. In the user's file only.
    pub client_certificate: Option<PathBuf>,
    /// The key of that certificate.
    pub client_key: Option<PathBuf>,
    /// Whether it must not be used.
    pub blocked: bool,
}

/// One path, or a list of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "expected a path or a list of paths")]
pub enum Paths {
    /// One.
    One(PathBuf),
    /// A list.
    List(Vec<PathBuf>),
}

impl Default for Paths {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

/// Whose file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The user's own.
    User,
    /// One that came with the project.
    Project,
}

impl File {
    /// Reads a file; one that does not exist says nothing.
    ///
    /// # Errors
    /// If it cannot be read, is no TOML, or holds what it may not hold.
    pub fn read(path: &Path, origin: Origin) -> Result<Self, Failure> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(Self::default());
            }
            Err(error) => {
                return Err(Failure::environment(format!("cannot read `{}`: {}", path.display(), reason(&error))));
            }
        };
        let file: Self = toml::from_str(&text).map_err(|error| {
            Failure::input(format!("`{}` is not right:\n{}", path.display(), error.to_string().trim_end()))
        })?;
        // Whoever can write to a repository could otherwise read every file of those who build it.
        if origin == Origin::Project && file.host != Host::default() {
            return Err(Failure::input(format!("`{}` has a section `[host]`", path.display()))
                .help("move it to your own `config.toml`: a project may not show files of your machine to its build"));
        }
        Ok(file)
    }
}
