//! Plain HTTP by way of a proxy that makes the request itself: it is told the whole address (RFC 9112, 3.2.2).
//!
//! ureq knows tunnels only, and many proxies allow those for TLS alone.

use ureq::http::header::{HOST, HeaderName, PROXY_AUTHORIZATION};
use ureq::http::{HeaderMap, HeaderValue, Uri};
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

use crate::http::address::Address;

/// How a request goes to a proxy.
#[derive(Clone, Debug)]
pub(crate) struct Forward {
    proxy: Address,
    /// What stands before the path in an address of the server: `http://host:port`.
    server: String,
}

impl Forward {
    /// By the proxy at `proxy`, if it speaks plain HTTP itself and that is enough for `uri`.
    pub(crate) fn new(proxy: &str, uri: &Uri) -> Option<Self> {
        let proxy = if proxy.contains("://") { proxy.to_owned() } else { format!("http://{proxy}") };
        let is_plain = proxy.starts_with("http://") && uri.scheme_str() == Some("http");
        let server = format!("http://{}", uri.authority()?.as_str().rsplit('@').next()?);
        is_plain.then(|| Address::parse(&proxy).ok()).flatten().map(|proxy| Self { proxy, server })
    }

    /// Where the connection goes.
    pub(crate) fn uri(&self, uri: &Uri) -> Option<Uri> {
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        format!("http://{}{path}", self.proxy.uri().authority()?).parse().ok()
    }

    /// The headers that the proxy needs.
    pub(crate) fn headers(&self, headers: &mut HeaderMap) {
        let host = self.server.strip_prefix("http://").and_then(|host| HeaderValue::from_str(host).ok());
        let own: [(HeaderName, Option<HeaderValue>); 2] =
            [(HOST, host), (PROXY_AUTHORIZATION, self.proxy.authorization().cloned())];
        headers.extend(own.into_iter().filter_map(|(name, value)| Some((name, value?))));
    }

    /// What distinguishes its connections from others.
    pub(crate) fn name(&self) -> String {
        format!("{} for {}", self.proxy, self.server)
    }
}

impl<In: Transport> Connector<In> for Forward {
    type Out = Forwarding<In>;

    fn connect(&self, _: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, ureq::Error> {
        Ok(chained.map(|inner| Forwarding { inner, server: self.server.clone() }))
    }
}

/// A connection to a proxy, over which heads of requests go that have no body.
#[derive(Debug)]
pub(crate) struct Forwarding<In> {
    inner: In,
    server: String,
}

impl<In: Transport> Transport for Forwarding<In> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        let amount = complete(self.inner.buffers().output(), amount, &self.server);
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.inner.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }
}

/// Puts the server before the path in the first line of a request, which fills `amount` bytes of the buffer; says how many
/// it fills then. What is no first line stays as it is.
fn complete(buffer: &mut [u8], amount: usize, server: &str) -> usize {
    const METHOD: &[u8] = b"GET ";
    let grown = amount + server.len();
    let begins = buffer.starts_with(METHOD) && buffer.get(METHOD.len()) == Some(&b'/');
    if !begins || grown > buffer.len() {
        return amount;
    }
    buffer.copy_within(METHOD.len()..amount, METHOD.len() + server.len());
    buffer[METHOD.len()..METHOD.len() + server.len()].copy_from_slice(server.as_bytes());
    grown
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn the_first_line_gets_the_whole_address() {
        let mut buffer = [b'.'; 40];
        buffer[..13].copy_from_slice(b"GET /x HTTP/1");
        let amount = complete(&mut buffer, 13, "http://h:8");
        assert_eq!(&buffer[..amount], b"GET http://h:8/x HTTP/1");
        assert_eq!(complete(&mut buffer, amount, "http://h:8"), amount, "once");
        assert_eq!(complete(&mut [b'G', b'E', b'T', b' ', b'/'], 5, "http://h"), 5, "no room");
    }

    #[test]
    fn tls_is_never_left_to_a_proxy() {
        let forward = |proxy: &str, uri: &str| Forward::new(proxy, &uri.parse().unwrap());
        assert!(forward("http://p:3128", "https://h/x").is_none());
        assert!(forward("https://p:3128", "http://h/x").is_none());
        assert!(forward("socks5://p", "http://h/x").is_none());
        let plain = forward("me:pass@p:3128", "http://h:8/x?y").unwrap();
        let mut headers = HeaderMap::new();
        plain.headers(&mut headers);
        assert_eq!(plain.uri(&"http://h:8/x?y".parse().unwrap()).unwrap().to_string(), "http://p:3128/x?y");
        assert_eq!(headers[HOST], "h:8");
        assert_eq!(headers[PROXY_AUTHORIZATION], "Basic bWU6cGFzcw==");
    }
}
