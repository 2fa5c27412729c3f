//! [`Client`]: asks and fetches for one build: what a reference is at is found out once.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::path::Path;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use layercake_cache::Store;
use layercake_compiler::operation::Git;

use super::command::{Command, Local};
use super::error::Error;
use super::reference::Pin;
use super::remote::{Remote, Transport};
use super::{checkout, reference};
use crate::build::cancel::Cancel;

/// Asks and fetches for one build.
#[derive(Debug)]
pub struct Client {
    pub(super) store: Store,
    settings: Settings,
    /// By address and reference.
    pins: Mutex<HashMap<(String, Option<String>), Slot>>,
}

/// What a reference is at, once somebody has asked. Each has a lock of its own, so that nobody asks what is being asked.
type Slot = Arc<Mutex<Option<Pin>>>;

/// How servers are reached.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The variables that `git` gets: where programs are, proxies, certificates, the SSH agent.
    pub variables: Vec<(OsString, OsString)>,
    /// Whether anybody may be asked.
    pub access: Access,
    /// The build's secrets. As BuildKit, `GIT_AUTH_TOKEN` and `GIT_AUTH_HEADER` say who asks servers of HTTP, and with
    /// `.host` behind the name who asks this one.
    pub secrets: BTreeMap<String, Vec<u8>>,
}

/// Whether servers may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// They may.
    Online,
    /// What is stored has to do.
    Offline,
}

/// The address that the settings' secrets are meant for: that of the repository that was asked for, not those of its
/// submodules.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a>(pub(super) &'a Remote);

impl Client {
    /// With the repositories in `store`.
    #[must_use]
    pub fn new(store: Store, settings: Settings) -> Self {
        Self { store, settings, pins: Mutex::default() }
    }

    /// The commit that a repository's reference is at now.
    ///
    /// # Errors
    /// If there is no such repository or reference, it is not at the commit that it must be at, or cannot be found out.
    pub fn pin(&self, git: &Git, cancel: &Cancel) -> Result<Pin, Error> {
        reference::check(git)?;
        let remote = Remote::new(&git.remote, git.credentials.clone())?;
        if let Some(pin) = reference::given(git)? {
            return Ok(pin);
        }
        let key = (remote.address().to_owned(), git.reference.clone());
        let slot = self.pins.lock().expect("no thread panics while it holds this").entry(key).or_default().clone();
        let mut slot = slot.lock().expect("no thread panics while it holds this");
        let pin = match slot.as_ref() {
            Some(pin) => pin.clone(),
            None => {
                let pin = reference::find(self, &remote, git.reference.as_deref(), cancel)?;
                slot.insert(pin).clone()
            }
        };
        pin.verify(git.checksum.as_deref())?;
        Ok(pin)
    }

    /// Whether [`Self::pin`] asks nobody: the commit is written, or what an earlier build found out has to do.
    ///
    /// # Errors
    /// If what is written cannot be a reference or a commit.
    pub fn needs_nobody(&self, git: &Git) -> Result<bool, Error> {
        reference::check(git)?;
        Ok(self.access() == Access::Offline || reference::given(git)?.is_some())
    }

    /// Puts the files of a commit into the empty folder `into`, as `git` says: those of its folder, with or without
    /// submodules and `.git`.
    ///
    /// # Errors
    /// If they cannot be fetched, or there is no such folder in the commit.
    pub fn checkout(&self, git: &Git, pin: &Pin, into: &Path, cancel: &Cancel) -> Result<(), Error> {
        let remote = Remote::new(&git.remote, git.credentials.clone())?;
        checkout::checkout(self, &remote, git, pin, into, cancel)
    }

    pub(super) fn access(&self) -> Access {
        self.settings.access
    }

    /// `git`, on this machine alone.
    pub(super) fn local<'a>(&self, cancel: &'a Cancel) -> Command<'a> {
        Command::new(&self.settings.variables, Local::Allowed, cancel)
    }

    /// `git`, to speak with `remote`.
    pub(super) fn remote<'a>(&self, remote: &Remote, asked: Asked<'_>, cancel: &'a Cancel) -> Command<'a> {
        let local = if remote.transport() == Transport::File { Local::Allowed } else { Local::Refused };
        let command = Command::new(&self.settings.variables, local, cancel);
        match (remote.origin(), self.authorization(remote, asked)) {
            (Some(origin), Some(header)) => command.secret(&format!("http.{origin}.extraHeader"), header),
            _ => command,
        }
    }

    /// Who asks: what the address says, or the build's secrets. Those without a host are for the host of the repository that
    /// was asked for, so that no submodule leads them elsewhere.
    fn authorization(&self, remote: &Remote, asked: Asked<'_>) -> Option<String> {
        let basic = |user: &str, password: &[u8]| {
            let pair = [user.as_bytes(), b":", password].concat();
            format!("Authorization: Basic {}", BASE64_STANDARD.encode(pair))
        };
        if let Some(credentials) = remote.credentials() {
            return Some(basic(&credentials.user, credentials.password.as_bytes()));
        }
        let host = remote.host()?;
        let trimmed = |name: &str| Some(self.settings.secrets.get(name)?.trim_ascii());
        let header = |name: &str| Some(format!("Authorization: {}", String::from_utf8_lossy(trimmed(name)?)));
        let token = |name: &str| Some(basic("x-access-token", trimmed(name)?));
        let own = header(&format!("GIT_AUTH_HEADER.{host}")).or_else(|| token(&format!("GIT_AUTH_TOKEN.{host}")));
        let is_same = remote.origin() == asked.0.origin();
        own.or_else(|| header("GIT_AUTH_HEADER").or_else(|| token("GIT_AUTH_TOKEN")).filter(|_| is_same))
    }
}
