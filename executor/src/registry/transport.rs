//! [`Transport`]: one HTTP request and its redirects, without authentication and without second attempts.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use ureq::config::Config;
use ureq::http::header::{AUTHORIZATION, HeaderName, HeaderValue, LOCATION};
use ureq::http::{HeaderMap, Method, Request, StatusCode, Uri};
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{Connector, TcpConnector};
use ureq::{Agent, Body, Proxy, SendBody};

use crate::fault::reason;
use crate::registry::error::{Error, Obstacle};
use crate::registry::forward::Forward;
use crate::registry::settings::{Identity, Security, Settings};
use crate::registry::tls::TlsProblem;
use crate::registry::uri::{join, same_server};
use crate::registry::way::Way;

/// As many as browsers follow.
const REDIRECTS: usize = 10;

/// Sends requests.
pub(crate) struct Transport {
    settings: Arc<Settings>,
    roots: OnceLock<Arc<Vec<Certificate<'static>>>>,
    agents: Mutex<Vec<(Kind, Agent)>>,
}

/// What distinguishes connections that must not be shared.
#[derive(Clone, PartialEq, Eq)]
struct Kind {
    way: Way,
    /// That a tunnel leads through.
    proxy: Option<String>,
    /// That makes the requests itself.
    forward: Option<String>,
}

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Matter {
    /// A registry's. Its plain HTTP goes through a tunnel where there is a proxy, since bodies are sent too.
    Registry,
    /// A file on any server.
    File,
    /// A file whose digest is known, so that a redirect may lead from HTTPS to plain HTTP.
    KnownFile,
}

/// A request.
pub(crate) struct Outgoing<'a> {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Content<'a>,
    pub(crate) way: &'a Way,
    pub(crate) matter: Matter,
    /// What it is for, for messages: `fetching x`.
    pub(crate) doing: &'a str,
}

/// What is sent. It may have to be sent more than once.
#[derive(Clone, Copy)]
pub(crate) enum Content<'a> {
    None,
    Bytes(&'a [u8]),
    /// A part of a file.
    Part {
        file: &'a File,
        /// Where it begins.
        start: u64,
        /// How long it is, in bytes.
        length: u64,
        /// Is told the place in the file that has been reached, and may stop the transfer.
        watch: &'a (dyn Fn(u64) -> io::Result<()> + 'a),
    },
}

/// An answer, of whatever status.
pub(crate) struct Incoming {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
    /// Where it came from in the end.
    pub(crate) uri: Uri,
}

impl Incoming {
    pub(crate) fn header(&self, name: impl ureq::http::header::AsHeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

impl Transport {
    pub(crate) fn new(settings: Arc<Settings>) -> Self {
        Self { settings, roots: OnceLock::new(), agents: Mutex::default() }
    }

    /// Sends a request and follows redirects. Credentials do not go along to another server, and nothing goes from HTTPS
    /// to plain HTTP but what is known beforehand.
    pub(crate) fn send(&self, outgoing: Outgoing<'_>) -> Result<Incoming, Error> {
        let elsewhere = outgoing.way.elsewhere();
        // What a redirect leads to may live shorter than what it came from.
        let mut outgoing: Outgoing<'_> = outgoing;
        for _ in 0..REDIRECTS {
            let incoming = self.send_once(&outgoing)?;
            let Some(target) = redirect(&outgoing, &incoming)? else { return Ok(incoming) };
            if !same_server(&target, &outgoing.uri) {
                outgoing.headers.remove(AUTHORIZATION);
                outgoing.way.headers.iter().for_each(|(name, _)| drop(outgoing.headers.remove(name)));
                outgoing.way = &elsewhere;
            }
            outgoing.uri = target;
        }
        Err(unexpected(&outgoing, format!("it redirects more than {REDIRECTS} times")))
    }

    fn send_once(&self, outgoing: &Outgoing<'_>) -> Result<Incoming, Error> {
        let proxy = self.proxy(outgoing);
        let forward = proxy
            .filter(|_| outgoing.matter != Matter::Registry && outgoing.method == Method::GET)
            .and_then(|proxy| Forward::new(proxy, &outgoing.uri));
        let agent = self.agent(outgoing, proxy, forward.as_ref())?;
        let uri = forward.as_ref().and_then(|forward| forward.uri(&outgoing.uri));
        let mut request = Request::builder().method(outgoing.method.clone());
        request = request.uri(uri.unwrap_or_else(|| outgoing.uri.clone()));
        if let Some(headers) = request.headers_mut() {
            headers.clone_from(&outgoing.headers);
            if let Some(forward) = &forward {
                forward.headers(headers);
            }
            if let Content::Part { length, .. } = outgoing.body {
                headers.insert(ureq::http::header::CONTENT_LENGTH, HeaderValue::from(length));
            }
        }
        let build = |error: ureq::http::Error| unexpected(outgoing, error.to_string());
        let response = match outgoing.body {
            Content::None if sends_body(&outgoing.method) => agent.run(request.body(&[][..]).map_err(build)?),
            Content::None => agent.run(request.body(()).map_err(build)?),
            Content::Bytes(bytes) => agent.run(request.body(bytes).map_err(build)?),
            Content::Part { file, start, length, watch } => {
                let mut reader = PartReader { file, place: start, end: start + length, watch };
                agent.run(request.body(SendBody::from_reader(&mut reader)).map_err(build)?)
            }
        };
        let failed = |error| match (failure(outgoing, error), &forward) {
            // The connection was to the proxy.
            (Error::Unreachable { host, why }, Some(_)) => {
                Error::Unreachable { host, why: Obstacle::Proxy(why.to_string()) }
            }
            (error, _) => error,
        };
        let (parts, body) = response.map_err(failed)?.into_parts();
        Ok(Incoming { status: parts.status, headers: parts.headers, body, uri: outgoing.uri.clone() })
    }

    /// The proxy on the way, if there is one.
    fn proxy(&self, outgoing: &Outgoing<'_>) -> Option<&str> {
        let scheme = outgoing.uri.scheme_str().unwrap_or("https");
        let port = outgoing.uri.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
        self.settings.proxies.proxy(scheme, outgoing.uri.host().unwrap_or_default(), port)
    }

    fn agent(&self, outgoing: &Outgoing<'_>, proxy: Option<&str>, forward: Option<&Forward>) -> Result<Agent, Error> {
        let proxy = if forward.is_some() { None } else { proxy.map(str::to_owned) };
        let kind = Kind { way: outgoing.way.clone(), proxy, forward: forward.map(Forward::name) };
        let mut agents = self.agents.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, agent)) = agents.iter().find(|(known, _)| *known == kind) {
            return Ok(agent.clone());
        }
        let config = self.config(&kind)?;
        let agent = match forward {
            None => config.new_agent(),
            Some(forward) => {
                let connector = ().chain(TcpConnector::default()).chain(forward.clone());
                Agent::with_parts(config, connector, DefaultResolver::default())
            }
        };
        agents.push((kind, agent.clone()));
        Ok(agent)
    }

    fn config(&self, kind: &Kind) -> Result<Config, Error> {
        let proxy = match &kind.proxy {
            // The library would leave out such a proxy, and go where nobody wants to be seen going.
            Some(proxy) if proxy.starts_with("socks") => {
                let problem =
                    format!("`{}` is a SOCKS proxy; only those that speak HTTP can be used", bare_proxy(proxy));
                return Err(Error::Setting { setting: "of the proxy", problem });
            }
            Some(proxy) => Some(Proxy::new(proxy).map_err(|_| Error::Setting {
                setting: "of the proxy",
                problem: format!("`{}` is not a proxy's address like `http://host:3128`", bare_proxy(proxy)),
            })?),
            None => None,
        };
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::Specific(self.trusted(&kind.way)?))
            .client_cert(kind.way.identity.as_ref().map(identity).transpose()?)
            .disable_verification(kind.way.security == Security::Waived)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let settings = &self.settings;
        Ok(Config::builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(settings.user_agent.as_str())
            .proxy(proxy)
            .tls_config(tls)
            .max_idle_connections_per_host(settings.parallel.max(1))
            .timeout_resolve(Some(settings.connect_timeout))
            .timeout_connect(Some(settings.connect_timeout))
            .timeout_per_read(Some(settings.stall_timeout))
            .timeout_per_write(Some(settings.stall_timeout))
            .build())
    }

    /// The certificates that are trusted on this way.
    fn trusted(&self, way: &Way) -> Result<Arc<Vec<Certificate<'static>>>, Error> {
        let roots = self.roots()?;
        if way.certificates.is_empty() {
            return Ok(roots);
        }
        let mut all = roots.as_ref().clone();
        for path in &way.certificates {
            all.extend(certificates(path)?);
        }
        Ok(Arc::new(all))
    }

    /// The certificates that are trusted everywhere: the system's, where `SSL_CERT_FILE` may point elsewhere, and the settings'.
    fn roots(&self) -> Result<Arc<Vec<Certificate<'static>>>, Error> {
        if let Some(roots) = self.roots.get() {
            return Ok(roots.clone());
        }
        let mut all: Vec<Certificate<'static>> = rustls_native_certs::load_native_certs()
            .certs
            .iter()
            .map(|certificate| Certificate::from_der(certificate).to_owned())
            .collect();
        for path in &self.settings.certificates {
            all.extend(certificates(path)?);
        }
        Ok(self.roots.get_or_init(|| Arc::new(all)).clone())
    }
}

/// A proxy's address without the password that it may hold.
fn bare_proxy(proxy: &str) -> String {
    match (proxy.split_once("://"), proxy.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        (None, Some((_, host))) => host.to_owned(),
        (_, None) => proxy.to_owned(),
    }
}

/// The certificates in a file.
fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, Error> {
    let loaded = rustls_native_certs::load_certs_from_paths(Some(path), None);
    if loaded.certs.is_empty() {
        let problem = loaded.errors.first().map_or_else(|| "no certificate is in it".to_owned(), ToString::to_string);
        return Err(Error::File { path: path.to_owned(), problem });
    }
    Ok(loaded.certs.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect())
}

/// What a registry is shown to know us by.
fn identity(identity: &Identity) -> Result<ClientCert, Error> {
    let chain = certificates(&identity.certificate)?;
    let wrong = |problem| Error::File { path: identity.key.clone(), problem };
    let pem = std::fs::read(&identity.key).map_err(|error| wrong(reason(&error)))?;
    let key = PrivateKey::from_pem(&pem).map_err(|_| wrong("no private key is in it".to_owned()))?;
    Ok(ClientCert::new_with_certs(&chain, key))
}

/// Reads part of a file, without moving the place where others read.
struct PartReader<'a> {
    file: &'a File,
    place: u64,
    end: u64,
    watch: &'a (dyn Fn(u64) -> io::Result<()> + 'a),
}

impl Read for PartReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.place).unwrap_or(usize::MAX).min(buffer.len());
        let length = self.file.read_at(&mut buffer[..left], self.place)?;
        self.place += length as u64;
        (self.watch)(self.place)?;
        Ok(length)
    }
}

fn sends_body(method: &Method) -> bool {
    [Method::POST, Method::PUT, Method::PATCH].contains(method)
}

/// Where an answer sends the request on to. A method other than GET and HEAD is repeated only where that is asked for.
fn redirect(outgoing: &Outgoing<'_>, incoming: &Incoming) -> Result<Option<Uri>, Error> {
    let repeats = matches!(incoming.status.as_u16(), 307 | 308);
    let reads = [Method::GET, Method::HEAD].contains(&outgoing.method);
    if !(repeats || reads && matches!(incoming.status.as_u16(), 301..=303)) {
        return Ok(None);
    }
    let Some(location) = incoming.header(LOCATION) else { return Ok(None) };
    let wrong = |problem: &str| unexpected(outgoing, format!("it redirects to `{location}`, {problem}"));
    let target = join(&outgoing.uri, location).ok_or_else(|| wrong("which is no address"))?;
    match (outgoing.uri.scheme_str(), target.scheme_str()) {
        (Some("https"), Some("http")) if outgoing.matter != Matter::KnownFile => Err(wrong("from HTTPS to plain HTTP")),
        (_, Some("http" | "https")) => Ok(Some(target)),
        _ => Err(wrong("which is no HTTP address")),
    }
}

pub(crate) fn server(uri: &Uri) -> String {
    uri.authority()
        .map(|authority| authority.as_str().rsplit('@').next().unwrap_or_default().to_owned())
        .unwrap_or_default()
}

fn unexpected(outgoing: &Outgoing<'_>, problem: String) -> Error {
    Error::Unexpected { host: server(&outgoing.uri), doing: outgoing.doing.to_owned(), problem }
}

/// Headers from names and values that are known to be right.
pub(crate) fn headers(list: &[(HeaderName, &str)]) -> HeaderMap {
    list.iter().filter_map(|(name, value)| Some((name.clone(), HeaderValue::from_str(value).ok()?))).collect()
}

/// What ureq's failure means.
fn failure(outgoing: &Outgoing<'_>, error: ureq::Error) -> Error {
    use ureq::Error as E;
    let host = server(&outgoing.uri);
    let unreachable = |why| Error::Unreachable { host: host.clone(), why };
    let broken = |why: String| Error::Broken { host: host.clone(), doing: outgoing.doing.to_owned(), why };
    match error {
        E::HostNotFound => unreachable(Obstacle::Name),
        E::Rustls(error) => unreachable(Obstacle::Tls(TlsProblem::of(&error))),
        E::Tls(text) => unreachable(Obstacle::Tls(TlsProblem::Other(text.to_owned()))),
        E::ConnectProxyFailed(text) => unreachable(Obstacle::Proxy(text)),
        E::Timeout(ureq::Timeout::Resolve) => unreachable(Obstacle::Name),
        E::Timeout(ureq::Timeout::Connect) => unreachable(Obstacle::Silence),
        E::Timeout(_) => broken("nothing came for too long".to_owned()),
        E::ConnectionFailed => unreachable(Obstacle::Silence),
        E::Io(error) => {
            if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                return unreachable(Obstacle::Tls(TlsProblem::of(tls)));
            }
            use io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkDown, NetworkUnreachable, TimedOut};
            match error.kind() {
                ConnectionRefused => unreachable(Obstacle::Refused),
                HostUnreachable | NetworkUnreachable | NetworkDown => unreachable(Obstacle::NoRoute),
                TimedOut => broken("nothing came for too long".to_owned()),
                // The resolver's failures have no kind of their own.
                _ if error.to_string().contains("failed to lookup address") => unreachable(Obstacle::Name),
                _ => broken(error.to_string()),
            }
        }
        E::Protocol(error) => unexpected(outgoing, format!("it does not speak HTTP: {error}")),
        other => unexpected(outgoing, other.to_string()),
    }
}
