//! [`Address`]: where a file is, and who asks for it.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use layercake_compiler::address::{decode_bytes, redact};
use ureq::http::{HeaderValue, Uri};

use super::error::Error;

/// An `http:` or `https:` address. Shown without the password that it may hold.
#[derive(Clone, Debug)]
pub struct Address {
    /// As it was written, for the store to know it by.
    text: String,
    /// Without user and fragment.
    uri: Uri,
    shown: String,
    authorization: Option<HeaderValue>,
}

impl Address {
    /// Reads an address. Whatever may not stand in one as it is, such as a blank, is encoded; a fragment means nothing to
    /// a server.
    ///
    /// # Errors
    /// If it is no address of a file on a server.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        if !matches!(scheme.as_deref(), Some("http" | "https")) {
            return Err(Error::Scheme(redact(text).into_owned()));
        }
        let wrong = |problem: String| Error::Address { address: redact(text).into_owned(), problem };
        let (scheme, rest) = text.split_once("://").expect("it has just been found");
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (user, host) = authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
        if host.is_empty() || host.starts_with(':') {
            return Err(wrong("it names no host".to_owned()));
        }
        let port = host.rsplit_once(':').map(|(_, port)| port).filter(|port| !port.contains(']'));
        if port.is_some_and(|port| !port.is_empty() && port.parse::<u16>().is_err()) {
            return Err(wrong("its port is no number up to 65535".to_owned()));
        }
        let encoded = encode(path);
        let uri = format!("{}://{host}{encoded}", scheme.to_ascii_lowercase()).parse::<Uri>();
        let uri = uri.map_err(|error| wrong(error.to_string()))?;
        let authorization = user.map(|user| header(&format!("Basic {}", STANDARD.encode(decode_bytes(user)))));
        let authorization = authorization.transpose().map_err(|()| wrong("its password cannot be sent".to_owned()))?;
        Ok(Self { text: text.to_owned(), uri, shown: redact(text).into_owned(), authorization })
    }

    /// The same, asked for with what the secrets say about its host: `HTTP_AUTH_TOKEN_<host>`, which is sent as a bearer
    /// token, or `HTTP_AUTH_HEADER_<host>`, which is sent as it is. The names are BuildKit's.
    ///
    /// # Errors
    /// If a secret cannot be sent in a header.
    pub fn with_secrets(mut self, secrets: &BTreeMap<String, Vec<u8>>) -> Result<Self, Error> {
        let host = self.host();
        for (name, scheme) in [("HTTP_AUTH_TOKEN", "Bearer "), ("HTTP_AUTH_HEADER", "")] {
            let name = format!("{name}_{host}");
            if let Some(secret) = secrets.get(&name) {
                let value = format!("{scheme}{}", String::from_utf8_lossy(secret).trim_end_matches(['\r', '\n']));
                self.authorization = Some(header(&value).map_err(|()| Error::Secret(name))?);
                return Ok(self);
            }
        }
        Ok(self)
    }

    /// The host, without port and brackets.
    fn host(&self) -> String {
        self.uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned()
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn uri(&self) -> &Uri {
        &self.uri
    }

    pub(crate) fn authorization(&self) -> Option<&HeaderValue> {
        self.authorization.as_ref()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

fn header(text: &str) -> Result<HeaderValue, ()> {
    let mut value = HeaderValue::from_str(text).map_err(|_| ())?;
    value.set_sensitive(true);
    Ok(value)
}

/// Path and query with percent signs for what may not stand there. Percent signs stay.
fn encode(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.extend([byte >> 4, byte & 15].map(|digit| char::from(b"0123456789ABCDEF"[usize::from(digit)])));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn what_may_not_stand_in_an_address_is_encoded() {
        for (text, uri) in [
            ("http://h/a b", "http://h/a%20b"),
            ("HTTPS://h:8/ä?q=<x>#fragment", "https://h:8/%C3%A4?q=%3Cx%3E"),
            ("http://h", "http://h/"),
            ("http://h/a%20b", "http://h/a%20b"),
            ("http://[::1]:80/x", "http://[::1]:80/x"),
        ] {
            assert_eq!(Address::parse(text).unwrap().uri.to_string(), uri, "{text}");
        }
        assert!(matches!(Address::parse("ftp://h/x"), Err(Error::Scheme(_))));
        assert!(matches!(Address::parse("file"), Err(Error::Scheme(_))));
        assert!(matches!(Address::parse("http:///x"), Err(Error::Address { .. })));
        for wrong in ["http://h:x/", "http://h:65536/", "http://:80/", "http://[::1/", "http://a b/"] {
            assert!(matches!(Address::parse(wrong), Err(Error::Address { .. })), "{wrong}");
        }
    }

    #[test]
    fn a_password_is_sent_and_not_shown() {
        let address = Address::parse("http://me:p%40ss@h/x").unwrap();
        assert_eq!(address.to_string(), "http://xxxxx:xxxxx@h/x");
        assert_eq!(address.uri.to_string(), "http://h/x");
        let expected = format!("Basic {}", STANDARD.encode("me:p@ss"));
        assert_eq!(address.authorization.unwrap().to_str().unwrap(), expected);
        assert!(!format!("{:?}", Address::parse("ftp://me:pass@h/x").unwrap_err()).contains("pass@"));
    }

    #[test]
    fn secrets_are_for_one_host() {
        let secrets = |name: &str| BTreeMap::from([(name.to_owned(), b"abc\n".to_vec())]);
        let sent = |name: &str| {
            let address = Address::parse("http://u@h:80/x").unwrap().with_secrets(&secrets(name)).unwrap();
            address.authorization.unwrap().to_str().unwrap().to_owned()
        };
        assert_eq!(sent("HTTP_AUTH_TOKEN_h"), "Bearer abc");
        assert_eq!(sent("HTTP_AUTH_HEADER_h"), "abc");
        assert!(sent("HTTP_AUTH_TOKEN_other").starts_with("Basic "));
    }
}
