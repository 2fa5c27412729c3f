//! [`Endpoints`]: at which address a registry is reached, and whether it must prove who it is.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use ureq::http::uri::{Authority, PathAndQuery, Scheme};
use ureq::http::{HeaderMap, Method, StatusCode, Uri};

use crate::image::reference::DEFAULT_HOST;
use crate::registry::error::Error;
use crate::registry::settings::Security;
use crate::registry::transport::{Content, Matter, Outgoing, Transport};
use crate::registry::uri::is_loopback;
use crate::registry::way::Way;

/// Where docker's hub really is.
const HUB: &str = "registry-1.docker.io";

/// Addresses of registries, found once each: by host and how safely that has to be reached.
#[derive(Default)]
pub(crate) struct Endpoints(Mutex<HashMap<(String, Security), Endpoint>>);

/// A registry's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    scheme: Scheme,
    authority: Authority,
    pub(crate) way: Way,
}

impl Endpoint {
    /// The address of a path, which begins with `/` and may hold a query.
    pub(crate) fn uri(&self, path: &str) -> Result<Uri, Error> {
        let wrong = |problem: String| Error::Unexpected {
            host: self.authority.to_string(),
            doing: format!("asking for `{path}`"),
            problem,
        };
        let path: PathAndQuery = path.parse().map_err(|_| wrong("that is no path".to_owned()))?;
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(path)
            .build()
            .map_err(|error| wrong(error.to_string()))
    }

    /// Whether what is sent can be read on its way.
    pub(crate) fn is_plain(&self) -> bool {
        self.scheme == Scheme::HTTP
    }
}

impl Endpoints {
    /// The address of the registry `host`. HTTPS is all there is, but for loopback addresses and registries that need not
    /// be reached safely; which of the two those speak is tried out.
    pub(crate) fn find(&self, host: &str, way: &Way, transport: &Transport) -> Result<Endpoint, Error> {
        let key = (host.to_owned(), way.security);
        if let Some(endpoint) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(endpoint.clone());
        }
        // Not locked meanwhile: a slow registry must not hold up others, and finding one twice does no harm.
        let endpoint = probe(host, way, transport)?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, endpoint.clone());
        Ok(endpoint)
    }
}

fn probe(host: &str, way: &Way, transport: &Transport) -> Result<Endpoint, Error> {
    let name = if host == DEFAULT_HOST { HUB } else { host };
    let authority: Authority = name.parse().map_err(|_| Error::Unexpected {
        host: host.to_owned(),
        doing: "looking for the registry".to_owned(),
        problem: "that is no host name".to_owned(),
    })?;
    let endpoint = |scheme: Scheme| Endpoint { scheme, authority: authority.clone(), way: way.clone() };
    let (secure, plain) = (endpoint(Scheme::HTTPS), endpoint(Scheme::HTTP));
    // Loopback is asked in plain HTTP first, because that is what is there nearly always and nobody else can listen.
    let order = match (is_loopback(authority.host()), way.security) {
        (_, Security::Plain) => return Ok(plain),
        (true, _) => [plain, secure],
        (false, Security::Waived) => [secure, plain],
        (false, Security::Verified) => return Ok(secure),
    };
    let mut first_error = None;
    for endpoint in order {
        match speaks(&endpoint, transport) {
            Ok(true) => return Ok(endpoint),
            Ok(false) => (),
            Err(error) => drop(first_error.get_or_insert(error)),
        }
    }
    Err(first_error.unwrap_or_else(|| Error::Unexpected {
        host: host.to_owned(),
        doing: "looking for the registry".to_owned(),
        problem: "it speaks neither HTTP nor HTTPS".to_owned(),
    }))
}

/// Whether a server answers by this protocol. A server that expects HTTPS answers a plain request with status 400.
fn speaks(endpoint: &Endpoint, transport: &Transport) -> Result<bool, Error> {
    let incoming = transport.send(Outgoing {
        method: Method::GET,
        uri: endpoint.uri("/v2/")?,
        headers: HeaderMap::new(),
        body: Content::None,
        way: &endpoint.way,
        matter: Matter::Registry,
        doing: "looking for the registry",
    })?;
    Ok(!endpoint.is_plain() || incoming.status != StatusCode::BAD_REQUEST && incoming.uri.scheme_str() == Some("http"))
}
