//! [`Authenticator`]: what goes into the `Authorization` header for a registry.
//!
//! Source: distribution's "Token Authentication Specification" and "OAuth 2 Token Authentication".

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use ureq::http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use ureq::http::{Method, Uri};

use crate::registry::challenge::Challenge;
use crate::registry::credentials::{Credential, Found, look_up};
use crate::registry::endpoint::Endpoint;
use crate::registry::error::{Error, Given};
use crate::registry::repository::Repository;
use crate::registry::response::{document, refusal};
use crate::registry::settings::Settings;
use crate::registry::transport::{Content, Incoming, Matter, Outgoing, Transport, headers};
use crate::registry::uri::{encode, is_loopback};

/// How long a token is good whose server does not say.
const LIFETIME: u64 = 60;
/// What is left of a token's life when it is replaced.
const MARGIN: Duration = Duration::from_secs(10);

/// Knows how registries want to be convinced, and keeps their tokens.
pub(crate) struct Authenticator {
    settings: Arc<Settings>,
    /// By registry.
    challenges: Mutex<HashMap<String, Challenge>>,
    /// By registry and scopes. Locked while a token is fetched, so that parallel requests share one.
    tokens: Mutex<HashMap<(String, Vec<Scope>), Token>>,
    /// Credentials that are tried out instead of those in files.
    trial: Option<Credential>,
}

/// What is to be allowed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Scope {
    pub(crate) repository: Repository,
    pub(crate) access: Access,
}

/// What is to be done with a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Access {
    Pull,
    Push,
}

impl Scope {
    fn text(&self) -> String {
        let actions = match self.access {
            Access::Pull => "pull",
            Access::Push => "pull,push",
        };
        format!("repository:{}:{actions}", self.repository.path)
    }
}

struct Token {
    text: String,
    until: Instant,
}

#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

/// Whom a request is for: a registry at its address, what is asked of it, and the name of that for people.
#[derive(Clone, Copy)]
pub(crate) struct Errand<'a> {
    pub(crate) host: &'a str,
    pub(crate) endpoint: &'a Endpoint,
    pub(crate) scopes: &'a [Scope],
    pub(crate) what: &'a str,
}

impl Authenticator {
    pub(crate) fn new(settings: Arc<Settings>) -> Self {
        Self { settings, challenges: Mutex::default(), tokens: Mutex::default(), trial: None }
    }

    /// One that tries out `credential`.
    pub(crate) fn trying(settings: Arc<Settings>, credential: Credential) -> Self {
        Self { trial: Some(credential), ..Self::new(settings) }
    }

    /// The header's value as far as is known what the registry wants: nothing before it has asked.
    pub(crate) fn header(&self, errand: Errand<'_>, transport: &Transport) -> Result<Option<String>, Error> {
        let challenge = self.challenges.lock().unwrap_or_else(PoisonError::into_inner).get(errand.host).cloned();
        let Some(challenge) = challenge else { return Ok(None) };
        match challenge {
            Challenge::Basic => match self.credential(errand)?.credential {
                Some(Credential::Password { user, password }) => Ok(Some(basic(&user, &password))),
                _ => Ok(None),
            },
            Challenge::Bearer { realm, service, scope } => {
                let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
                let key = (errand.host.to_owned(), errand.scopes.to_vec());
                if let Some(token) = tokens.get(&key).filter(|token| token.until > Instant::now()) {
                    return Ok(Some(format!("Bearer {}", token.text)));
                }
                let question = Question { realm: &realm, service: service.as_deref(), scope: scope.as_deref() };
                let token = self.fetch(errand, question, transport)?;
                let header = format!("Bearer {}", token.text);
                tokens.insert(key, token);
                Ok(Some(header))
            }
        }
    }

    /// Takes note of what the registry wants, from its answer with status 401 to a request with the header `used`; says
    /// whether it makes sense to try again.
    pub(crate) fn learn(&self, errand: Errand<'_>, used: Option<&str>, incoming: &Incoming) -> Relearned {
        let values = incoming.headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        let Some(challenge) = Challenge::parse(values) else { return Relearned::Nothing };
        // Another thread may have got a better one meanwhile.
        let refused = |token: &Token| used.is_some_and(|used| used.ends_with(&token.text));
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (errand.host.to_owned(), errand.scopes.to_vec());
        if tokens.get(&key).is_some_and(refused) {
            tokens.remove(&key);
        }
        drop(tokens);
        self.challenges.lock().unwrap_or_else(PoisonError::into_inner).insert(errand.host.to_owned(), challenge);
        Relearned::Something
    }

    /// The error of being turned away.
    pub(crate) fn unauthorized(&self, errand: Errand<'_>) -> Error {
        let found = match self.credential(errand) {
            Ok(found) => found,
            Err(error) => return error,
        };
        Error::Unauthorized {
            host: errand.host.to_owned(),
            what: errand.what.to_owned(),
            given: if found.credential.is_some() { Given::Credentials } else { Given::Nothing },
            helper: found.helper_problem,
        }
    }

    fn credential(&self, errand: Errand<'_>) -> Result<Found, Error> {
        if let Some(credential) = &self.trial {
            return Ok(Found { credential: Some(credential.clone()), helper_problem: None });
        }
        let path = errand.scopes.first().map_or("", |scope| scope.repository.path.as_str());
        let repository = Repository { host: errand.host.to_owned(), path: path.to_owned() };
        Ok(look_up(&self.settings.credentials, &repository, self.settings.helper_timeout)?)
    }

    fn fetch(&self, errand: Errand<'_>, question: Question<'_>, transport: &Transport) -> Result<Token, Error> {
        let credential = self.credential(errand)?.credential;
        if let Some(Credential::Registry(token)) = credential {
            return Ok(Token { text: token, until: Instant::now() + Duration::from_secs(LIFETIME) });
        }
        let realm = realm(errand, question.realm)?;
        let parameters = question.parameters(errand.scopes);
        let form;
        let mut outgoing = Outgoing {
            method: Method::GET,
            uri: realm.clone(),
            headers: headers(&[]),
            body: Content::None,
            way: &errand.endpoint.way,
            matter: Matter::Registry,
            doing: "asking for a token",
        };
        match credential {
            Some(Credential::Identity(token)) => {
                let token = encode(&token);
                form = format!("grant_type=refresh_token&client_id=layercake&refresh_token={token}&{parameters}");
                outgoing.method = Method::POST;
                outgoing.headers = headers(&[(CONTENT_TYPE, "application/x-www-form-urlencoded")]);
                outgoing.body = Content::Bytes(form.as_bytes());
            }
            credential => {
                outgoing.uri = with_parameters(&realm, &parameters).ok_or_else(|| bad_realm(errand, question.realm))?;
                if let Some(Credential::Password { user, password }) = credential {
                    outgoing.headers = headers(&[(AUTHORIZATION, &basic(&user, &password))]);
                }
            }
        }
        let mut incoming = transport.send(outgoing)?;
        match incoming.status.as_u16() {
            200..=299 => read_token(&mut incoming, errand),
            400 | 401 | 403 => Err(self.unauthorized(errand)),
            _ => Err(refusal(&mut incoming, errand.host, errand.what, "asking for a token")),
        }
    }
}

/// Whether a registry's answer has taught something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relearned {
    Something,
    Nothing,
}

/// A registry's challenge to get a token.
#[derive(Clone, Copy)]
struct Question<'a> {
    realm: &'a str,
    service: Option<&'a str>,
    scope: Option<&'a str>,
}

impl Question<'_> {
    /// What is wanted, as a query. The registry's own words count where nothing is known to be wanted.
    fn parameters(&self, scopes: &[Scope]) -> String {
        let service = self.service.map(|service| format!("service={}", encode(service)));
        let own = self.scope.filter(|_| scopes.is_empty()).map(|scope| format!("scope={}", encode(scope)));
        let wanted = scopes.iter().map(|scope| format!("scope={}", encode(&scope.text())));
        service.into_iter().chain(own).chain(wanted).collect::<Vec<_>>().join("&")
    }
}

fn with_parameters(realm: &Uri, parameters: &str) -> Option<Uri> {
    let separator = if realm.query().is_none() { '?' } else { '&' };
    format!("{realm}{separator}{parameters}").parse().ok()
}

/// The token server's address. A registry that is reached safely must not have the password sent in the clear.
fn realm(errand: Errand<'_>, text: &str) -> Result<Uri, Error> {
    let uri: Uri = text.parse().map_err(|_| bad_realm(errand, text))?;
    match (uri.scheme_str(), uri.host()) {
        (Some("https"), Some(_)) => Ok(uri),
        (Some("http"), Some(host)) if errand.endpoint.is_plain() || is_loopback(host) => Ok(uri),
        _ => Err(bad_realm(errand, text)),
    }
}

fn bad_realm(errand: Errand<'_>, text: &str) -> Error {
    Error::Unexpected {
        host: errand.host.to_owned(),
        doing: "asking for a token".to_owned(),
        problem: format!("it names the token server `{text}`, which is no HTTPS address"),
    }
}

fn read_token(incoming: &mut Incoming, errand: Errand<'_>) -> Result<Token, Error> {
    let unexpected = || Error::Unexpected {
        host: errand.host.to_owned(),
        doing: "asking for a token".to_owned(),
        problem: "the answer of its token server holds none".to_owned(),
    };
    let bytes = document(incoming, "a token")?;
    let answer: TokenAnswer = serde_json::from_slice(&bytes).map_err(|_| unexpected())?;
    let text = answer.token.or(answer.access_token).filter(|text| !text.is_empty()).ok_or_else(unexpected)?;
    let lifetime = Duration::from_secs(answer.expires_in.unwrap_or(LIFETIME).clamp(1, 24 * 3600));
    Ok(Token { text, until: Instant::now() + lifetime.saturating_sub(MARGIN.min(lifetime / 2)) })
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}
