//! [`Client`]: requests to registries, with authentication and second attempts.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use ureq::http::header::{AUTHORIZATION, HeaderName};
use ureq::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};

use crate::registry::auth::{Access, Authenticator, Errand, Relearned, Scope};
use crate::registry::credentials::Credential;
use crate::registry::endpoint::Endpoints;
use crate::registry::error::Error;
use crate::registry::event::{Events, ignore};
use crate::registry::login::{self, Kept};
use crate::registry::repository::Repository;
use crate::registry::response::refusal;
use crate::registry::retry::Attempts;
use crate::registry::routes::Routes;
use crate::registry::settings::Settings;
use crate::registry::transport::{Content, Incoming, Matter, Outgoing, Transport};
use crate::registry::uri::same_server;

/// Talks to registries. One client keeps connections, tokens and what it has learned of registries; threads can share it.
pub struct Client {
    pub(crate) settings: Arc<Settings>,
    pub(crate) transport: Transport,
    pub(crate) routes: Routes,
    endpoints: Endpoints,
    authenticator: Authenticator,
    /// Mirrors that could not be reached.
    lost: Mutex<HashSet<String>>,
}

/// A request to a registry.
pub(crate) struct Call<'a> {
    pub(crate) repository: &'a Repository,
    pub(crate) method: Method,
    pub(crate) target: Target<'a>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Content<'a>,
    pub(crate) access: Access,
    /// A second repository that is read, of the same registry.
    pub(crate) also: Option<&'a Repository>,
    /// The name of what is asked for, for people.
    pub(crate) what: &'a str,
    /// What is being done with it: `fetching`.
    pub(crate) doing: &'a str,
}

/// Where a request goes.
#[derive(Clone, Copy)]
pub(crate) enum Target<'a> {
    /// A path below the repository: `manifests/latest`.
    Path(&'a str),
    /// An address that the registry gave.
    Address(&'a Uri),
    /// The registry's root.
    Root,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Client {
    /// A client that has not talked to anybody yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let settings = Arc::new(settings);
        Self {
            transport: Transport::new(settings.clone()),
            routes: Routes::new(settings.clone()),
            endpoints: Endpoints::default(),
            authenticator: Authenticator::new(settings.clone()),
            lost: Mutex::default(),
            settings,
        }
    }

    /// Tries a user's password out with a registry and keeps it in `file`, or with the helper that the file names; says
    /// which.
    ///
    /// # Errors
    /// If the registry refuses it or cannot be asked, or if it cannot be kept.
    pub fn login(&self, host: &str, user: &str, password: &str, file: &Path) -> Result<Kept, Error> {
        let credential = Credential::Password { user: user.to_owned(), password: password.to_owned() };
        let trial = Self {
            settings: self.settings.clone(),
            transport: Transport::new(self.settings.clone()),
            routes: Routes::new(self.settings.clone()),
            endpoints: Endpoints::default(),
            authenticator: Authenticator::trying(self.settings.clone(), credential),
            lost: Mutex::default(),
        };
        trial.check(host)?;
        Ok(login::store(file, host, user, password, self.settings.helper_timeout)?)
    }

    /// Forgets what `file`, or the helper that it names, keeps for a registry; says whether there was something.
    ///
    /// # Errors
    /// If the file or the helper cannot be used.
    pub fn logout(&self, host: &str, file: &Path) -> Result<bool, Error> {
        Ok(login::erase(file, host, self.settings.helper_timeout)?)
    }

    /// Asks a registry whether it is there and takes our credentials.
    ///
    /// # Errors
    /// If it is not, or does not.
    pub fn check(&self, host: &str) -> Result<(), Error> {
        let repository = Repository { host: host.to_owned(), path: String::new() };
        let call = Call {
            repository: &repository,
            method: Method::GET,
            target: Target::Root,
            headers: HeaderMap::new(),
            body: Content::None,
            access: Access::Pull,
            also: None,
            what: host,
            doing: "asking for",
        };
        let mut incoming = self.send(&call, &ignore)?;
        if incoming.status.is_success() { Ok(()) } else { Err(call.refused(&mut incoming)) }
    }

    /// Whether a mirror could not be reached before.
    pub(crate) fn is_lost(&self, mirror: &Repository) -> bool {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).contains(&mirror.host)
    }

    /// Takes note that a mirror cannot be reached.
    pub(crate) fn lose(&self, mirror: &Repository) {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).insert(mirror.host.clone());
    }

    /// Sends a request, again where that may help. Answers about credentials, rates and the server's own troubles become
    /// errors; all others are for the caller to understand.
    pub(crate) fn send(&self, call: &Call<'_>, events: Events<'_>) -> Result<Incoming, Error> {
        let mut attempts = Attempts::new(&self.settings, events);
        loop {
            match self.send_once(call) {
                Ok(incoming) => return Ok(incoming),
                Err(error) => attempts.failed(error)?,
            }
        }
    }

    /// [`Client::send`] without second attempts, except that a registry may ask for credentials first.
    pub(crate) fn send_once(&self, call: &Call<'_>) -> Result<Incoming, Error> {
        let host = &call.repository.host;
        let way = self.routes.way(call.repository)?;
        let endpoint = self.endpoints.find(host, &way, &self.transport)?;
        let own = match call.target {
            Target::Path(path) => endpoint.uri(&format!("/v2/{}/{path}", call.repository.path))?,
            Target::Root | Target::Address(_) => endpoint.uri("/v2/")?,
        };
        let uri = if let Target::Address(address) = call.target { address.clone() } else { own.clone() };
        let scopes = call.scopes();
        let errand = Errand { host, endpoint: &endpoint, scopes: &scopes, what: call.what };
        let doing = format!("{} `{}`", call.doing, call.what);
        let elsewhere = way.elsewhere();
        let mut challenged = false;
        loop {
            let mut headers = call.headers.clone();
            // An upload may go to another server, which knows who sent it there.
            let is_own = same_server(&uri, &own);
            let value = if is_own { self.authenticator.header(errand, &self.transport)? } else { None };
            if is_own {
                for (name, value) in &way.headers {
                    if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
                        headers.append(name, value);
                    }
                }
            }
            if let Some(mut value) = value.as_ref().and_then(|value| HeaderValue::try_from(value).ok()) {
                value.set_sensitive(true);
                headers.insert(AUTHORIZATION, value);
            }
            let mut incoming = self.transport.send(Outgoing {
                method: call.method.clone(),
                uri: uri.clone(),
                headers,
                body: call.body,
                way: if is_own { &way } else { &elsewhere },
                matter: Matter::Registry,
                doing: &doing,
            })?;
            match incoming.status {
                StatusCode::UNAUTHORIZED => {
                    let learned = self.authenticator.learn(errand, value.as_deref(), &incoming);
                    if challenged || learned == Relearned::Nothing {
                        return Err(self.authenticator.unauthorized(errand));
                    }
                    challenged = true;
                }
                StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
                    return Err(call.refused(&mut incoming));
                }
                status if status.is_server_error() => return Err(call.refused(&mut incoming)),
                _ => return Ok(incoming),
            }
        }
    }
}

impl Call<'_> {
    /// The error that an answer with an unwanted status means.
    pub(crate) fn refused(&self, incoming: &mut Incoming) -> Error {
        refusal(incoming, &self.repository.host, self.what, &format!("{} `{}`", self.doing, self.what))
    }

    fn scopes(&self) -> Vec<Scope> {
        if let Target::Root = self.target {
            return Vec::new();
        }
        let own = Scope { repository: self.repository.clone(), access: self.access };
        let also = self.also.map(|repository| Scope { repository: repository.clone(), access: Access::Pull });
        [own].into_iter().chain(also).collect()
    }
}
