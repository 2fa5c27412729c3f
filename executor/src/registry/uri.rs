//! Small work on addresses: joining, encoding, and knowing loopback.

use ureq::http::Uri;

/// Whether a host name, without a port, can only be this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// What a `Location` header means where it was read.
pub(crate) fn join(base: &Uri, location: &str) -> Option<Uri> {
    let scheme = base.scheme_str()?;
    let authority = base.authority()?;
    let absolute = if location.contains("://") {
        location.to_owned()
    } else if let Some(rest) = location.strip_prefix("//") {
        format!("{scheme}://{rest}")
    } else if location.starts_with('/') {
        format!("{scheme}://{authority}{location}")
    } else {
        let folder = base.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{scheme}://{authority}{folder}/{location}")
    };
    let without_fragment = absolute.split('#').next().unwrap_or_default();
    without_fragment.parse().ok().filter(|uri: &Uri| uri.authority().is_some())
}

/// The same address with one more query parameter; those that are there stay as they are.
pub(crate) fn with_query(uri: &Uri, name: &str, value: &str) -> Option<Uri> {
    let text = uri.to_string();
    let separator = if uri.query().is_none_or(str::is_empty) { '?' } else { '&' };
    let text = text.trim_end_matches('?');
    format!("{text}{separator}{name}={}", encode(value)).parse().ok()
}

/// Percent encoding of a query's value.
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.extend([byte >> 4, byte & 15].map(|digit| char::from(b"0123456789ABCDEF"[usize::from(digit)])));
        }
    }
    encoded
}

/// Whether two addresses lead to the same server by the same protocol.
pub(crate) fn same_server(a: &Uri, b: &Uri) -> bool {
    let server = |uri: &Uri| {
        let scheme = uri.scheme_str().unwrap_or_default().to_owned();
        let port = uri.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
        (scheme, uri.host().unwrap_or_default().to_ascii_lowercase(), port)
    };
    server(a) == server(b)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    fn uri(text: &str) -> Uri {
        text.parse().unwrap()
    }

    #[test]
    fn locations_are_absolute_or_relative() {
        let base = uri("https://r:5000/v2/a/blobs/uploads/?x=1");
        for (location, joined) in [
            ("https://s3/x?y=%2F", "https://s3/x?y=%2F"),
            ("//cdn/x", "https://cdn/x"),
            ("/v2/u?state=a", "https://r:5000/v2/u?state=a"),
            ("uuid", "https://r:5000/v2/a/blobs/uploads/uuid"),
            ("/x#fragment", "https://r:5000/x"),
        ] {
            assert_eq!(join(&base, location), Some(uri(joined)), "{location}");
        }
    }

    #[test]
    fn a_query_is_kept() {
        let digest = "sha256:ab";
        let with = |text: &str| with_query(&uri(text), "digest", digest).unwrap().to_string();
        assert_eq!(with("https://r/u?_state=x%2B"), "https://r/u?_state=x%2B&digest=sha256%3Aab");
        assert_eq!(with("https://r/u"), "https://r/u?digest=sha256%3Aab");
    }

    #[test]
    fn servers_are_the_same_with_and_without_the_usual_port() {
        assert!(same_server(&uri("https://a/x"), &uri("https://A:443/y")));
        assert!(!same_server(&uri("https://a/x"), &uri("http://a/x")));
        assert!(!same_server(&uri("https://a/x"), &uri("https://a:5000/x")));
    }

    #[test]
    fn loopback_is_this_machine_only() {
        for host in ["localhost", "127.0.0.1", "127.9.9.9", "[::1]", "::1"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["localhost.example.com", "10.0.0.1", "127.0.0.1.example.com", "0.0.0.0"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
