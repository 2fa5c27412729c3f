//! [`Settings`]: everything about registries that the caller decides.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// How registries are reached.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the client calls itself.
    pub user_agent: String,
    /// Proxies on the way.
    pub proxies: Proxies,
    /// What the user says of registries, by `host[:port]`. It goes before what other programs' files say.
    pub registries: BTreeMap<String, Registry>,
    /// Other programs' files about registries.
    pub neighbours: NeighbourFiles,
    /// Files of trusted certificates (PEM), in addition to the system's.
    pub certificates: Vec<PathBuf>,
    /// Files with credentials, docker's `config.json` and containers' `auth.json`; the first that knows a registry wins.
    /// Those that do not exist are left out.
    pub credentials: Vec<PathBuf>,
    /// The most time that a credential helper may take.
    pub helper_timeout: Duration,
    /// The most time to make a connection.
    pub connect_timeout: Duration,
    /// The most time without a byte coming or going. There is no limit to the whole.
    pub stall_timeout: Duration,
    /// How often a request is tried that fails for reasons that may pass.
    pub attempts: u32,
    /// The wait before the second attempt; it doubles with each further one.
    pub first_wait: Duration,
    /// The longest wait between attempts. A registry that asks for more is not waited for.
    pub longest_wait: Duration,
    /// How many blobs are under way at once.
    pub parallel: usize,
}

/// What a user says of one registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registry {
    /// How safely it has to be reached; `None` says nothing.
    pub security: Option<Security>,
    /// Places to pull its images from before itself; `None` says nothing.
    pub mirrors: Option<Vec<Mirror>>,
    /// Files of certificates (PEM) that are trusted for it, in addition to all others.
    pub certificates: Vec<PathBuf>,
    /// What it is shown to know us by.
    pub identity: Option<Identity>,
    /// Who forbids it: the file that says so.
    pub blocked_by: Option<PathBuf>,
}

/// How safely a registry has to be reached. Loopback addresses may always speak plain HTTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Security {
    /// By HTTPS, with a certificate that is good.
    #[default]
    Verified,
    /// By HTTPS with any certificate, or by plain HTTP where it speaks nothing else.
    Waived,
    /// By plain HTTP.
    Plain,
}

/// A certificate and its key (PEM), which may lie in one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The certificate, and perhaps those that vouch for it.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// A place that has the images of a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// `host[:port]`.
    pub host: String,
    /// What goes before the repository's name there; empty for nothing.
    pub prefix: String,
}

/// Other programs' files about registries. Those that do not exist are left out.
#[derive(Clone, Debug, Default)]
pub struct NeighbourFiles {
    /// containers' `registries.conf`: the first that exists counts.
    pub registries_conf: Vec<PathBuf>,
    /// Folders of `*.conf` files that add to it, the later ones with more weight.
    pub registries_conf_folders: Vec<PathBuf>,
    /// Folders with `HOST/hosts.toml`, as containerd and docker have them; the first that speaks of a host counts.
    pub hosts_folders: Vec<PathBuf>,
    /// Folders with `HOST/*.crt`, `*.cert` and `*.key`, as docker and containers have them.
    pub certificate_folders: Vec<PathBuf>,
}

/// Proxies, as the usual environment variables have them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    /// For `http:` (`HTTP_PROXY`).
    pub http: Option<String>,
    /// For `https:` (`HTTPS_PROXY`).
    pub https: Option<String>,
    /// What is reached directly (`NO_PROXY`, split at commas): a host, `.domain` or `domain` with all below it, an
    /// address, an address range, or `*`. Loopback addresses are always reached directly.
    pub exceptions: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            user_agent: concat!("layercake/", env!("CARGO_PKG_VERSION")).to_owned(),
            proxies: Proxies::default(),
            registries: BTreeMap::new(),
            neighbours: NeighbourFiles::default(),
            certificates: Vec::new(),
            credentials: Vec::new(),
            helper_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(15),
            stall_timeout: Duration::from_secs(60),
            attempts: 5,
            first_wait: Duration::from_millis(300),
            longest_wait: Duration::from_secs(30),
            parallel: 4,
        }
    }
}

impl Proxies {
    /// The proxy for a server, if there is one.
    pub(crate) fn proxy(&self, scheme: &str, host: &str, port: u16) -> Option<&str> {
        let proxy = if scheme == "https" { self.https.as_deref() } else { self.http.as_deref() };
        proxy.filter(|proxy| !proxy.is_empty() && !crate::registry::uri::is_loopback(host) && !self.excepts(host, port))
    }

    /// The rules are those of Go's `httpproxy`, which docker's tools follow.
    fn excepts(&self, host: &str, port: u16) -> bool {
        let host = host.trim_matches(['[', ']']).to_ascii_lowercase();
        self.exceptions.iter().map(|entry| entry.trim().to_ascii_lowercase()).any(|entry| {
            if let (Some(range), Ok(address)) = (entry.split_once('/'), host.parse()) {
                return in_range(address, range);
            }
            let (name, wanted_port) = match entry.rsplit_once(':') {
                Some((name, digits)) if !name.contains(':') => (name.to_owned(), digits.parse().ok()),
                _ => (entry.trim_matches(['[', ']']).to_owned(), None),
            };
            let below = name.trim_start_matches('*').trim_start_matches('.');
            let is_below = !below.is_empty() && host.strip_suffix(below).is_some_and(|rest| rest.ends_with('.'));
            let is_itself = host == name;
            (name == "*" || is_itself || is_below) && wanted_port.is_none_or(|wanted: u16| wanted == port)
        })
    }
}

fn in_range(address: std::net::IpAddr, (network, length): (&str, &str)) -> bool {
    use std::net::IpAddr::{V4, V6};
    let (Ok(network), Ok(length)) = (network.parse(), length.parse::<u32>()) else { return false };
    match (address, network) {
        (V4(address), V4(network)) if length <= 32 => {
            (address.to_bits() ^ network.to_bits()).checked_shr(32 - length).unwrap_or(0) == 0
        }
        (V6(address), V6(network)) if length <= 128 => {
            (address.to_bits() ^ network.to_bits()).checked_shr(128 - length).unwrap_or(0) == 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_are_hosts_domains_addresses_and_ranges() {
        let proxies = |exceptions: &[&str]| Proxies {
            https: Some("http://proxy:3128".to_owned()),
            exceptions: exceptions.iter().map(|entry| (*entry).to_owned()).collect(),
            ..Proxies::default()
        };
        let direct = |exceptions: &[&str], host| proxies(exceptions).proxy("https", host, 443).is_none();
        assert!(!direct(&[], "ghcr.io"));
        assert!(direct(&["*"], "ghcr.io"));
        assert!(direct(&["ghcr.io"], "GHCR.io"));
        assert!(direct(&["example.com"], "a.example.com"));
        assert!(!direct(&["example.com"], "badexample.com"));
        assert!(direct(&[".example.com"], "a.example.com"));
        assert!(!direct(&[".example.com"], "example.com"));
        assert!(direct(&["ghcr.io:443"], "ghcr.io"));
        assert!(!direct(&["ghcr.io:5000"], "ghcr.io"));
        assert!(direct(&["10.0.0.0/8"], "10.2.3.4"));
        assert!(!direct(&["10.0.0.0/8"], "11.2.3.4"));
        assert!(direct(&["0.0.0.0/0"], "11.2.3.4"));
        assert!(direct(&["fd00::/8"], "[fd12::1]"));
        assert!(direct(&[], "127.0.0.1"));
        assert!(direct(&[], "localhost"));
        assert!(proxies(&[]).proxy("http", "ghcr.io", 80).is_none(), "there is none for plain http");
    }
}
