//! [`Remote`]: the address of a repository that may be taken from, and of the submodules that it names.

use layercake_compiler::address::{Credentials, take_credentials};

use super::error::Error;

/// The address of a repository. It begins with no `-`, so `git` takes it for nothing else, and has no credentials in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Remote {
    address: String,
    transport: Transport,
    credentials: Option<Credentials>,
}

/// How it is spoken with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    /// It lies on this machine.
    File,
    Http,
    Ssh,
    /// The server of `git daemon`.
    Git,
}

impl Remote {
    /// Takes an address; what it has of credentials goes before `credentials`.
    pub(super) fn new(address: &str, credentials: Option<Credentials>) -> Result<Self, Error> {
        let (address, own) = take_credentials(address);
        let invalid = |problem| Error::InvalidRemote { remote: address.clone().into_owned(), problem };
        if address.is_empty() || address.starts_with('-') || address.contains(|c: char| c.is_control()) {
            return Err(invalid("it is no address"));
        }
        let transport = transport(&address).ok_or_else(|| invalid("nothing is fetched this way"))?;
        Ok(Self { transport, credentials: own.or(credentials), address: address.into_owned() })
    }

    /// The repository of a submodule whose address stands in this one. One that lies on this machine is taken only if this
    /// one does: a repository from elsewhere would else show files of this machine to the build.
    pub(super) fn submodule(&self, url: &str) -> Result<Self, Error> {
        let is_relative = url.starts_with("./") || url.starts_with("../");
        let (address, credentials) = if is_relative {
            let leads_out = || Error::InvalidRemote { remote: url.to_owned(), problem: "it leads out of the server" };
            (relative(&self.address, url).ok_or_else(leads_out)?, self.credentials.clone())
        } else {
            (url.to_owned(), None)
        };
        let remote = Self::new(&address, credentials)?;
        if remote.transport == Transport::File && self.transport != Transport::File {
            let problem = "a submodule cannot lie on this machine";
            return Err(Error::InvalidRemote { remote: remote.address, problem });
        }
        Ok(remote)
    }

    /// As `git` is given it, and as people are shown it.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn transport(&self) -> Transport {
        self.transport
    }

    pub(super) fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }

    /// Scheme, host and port of an HTTP address, with a slash behind.
    pub(super) fn origin(&self) -> Option<String> {
        if self.transport != Transport::Http {
            return None;
        }
        let (scheme, rest) = self.address.split_once("://")?;
        Some(format!("{scheme}://{}/", rest.split(['/', '?', '#']).next()?))
    }

    /// The host of an HTTP address, with its port.
    pub(super) fn host(&self) -> Option<String> {
        let origin = self.origin()?;
        Some(origin.split("://").nth(1)?.trim_end_matches('/').to_owned())
    }
}

fn transport(address: &str) -> Option<Transport> {
    if let Some((scheme, rest)) = address.split_once("://") {
        return match scheme.to_ascii_lowercase().as_str() {
            _ if rest.is_empty() => None,
            "file" => Some(Transport::File),
            "http" | "https" => Some(Transport::Http),
            "ssh" | "git+ssh" | "ssh+git" => Some(Transport::Ssh),
            "git" => Some(Transport::Git),
            _ => None,
        };
    }
    if address.starts_with('/') {
        return Some(Transport::File);
    }
    // `host:path`, as scp(1) has it; `helper::address` would run a program of that name.
    let (host, path) = address.split_once(':')?;
    let is_host = !host.is_empty() && !host.contains('/');
    (is_host && !path.starts_with(':')).then_some(Transport::Ssh)
}

/// What a relative address means beside another one, as gitmodules(5) has it; `None` if it leads out of the server.
fn relative(base: &str, url: &str) -> Option<String> {
    // What stays whatever is cut off: the server's name.
    let authority =
        base.find("://").map_or(0, |colon| base[colon + 3..].find('/').map_or(base.len(), |at| colon + 3 + at));
    let mut base = base.trim_end_matches('/');
    let mut rest = url;
    let mut separator = '/';
    loop {
        if let Some(after) = rest.strip_prefix("../") {
            rest = after;
            let cut = base.rfind('/').or_else(|| base.rfind(':').filter(|_| separator == '/'))?;
            if cut < authority {
                return None;
            }
            separator = if base.as_bytes()[cut] == b':' { ':' } else { '/' };
            base = &base[..cut];
        } else if let Some(after) = rest.strip_prefix("./") {
            rest = after;
        } else {
            return Some(format!("{base}{separator}{}", rest.trim_end_matches('/')));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn transports() {
        for (address, expected) in [
            ("https://host/a.git", Some(Transport::Http)),
            ("HTTP://host/a.git", Some(Transport::Http)),
            ("git@host:a.git", Some(Transport::Ssh)),
            ("ssh://host/a", Some(Transport::Ssh)),
            ("git://host/a", Some(Transport::Git)),
            ("file:///a", Some(Transport::File)),
            ("/a", Some(Transport::File)),
            ("ext::sh -c true", None),
            ("fd::17", None),
            ("ftp://host/a", None),
            ("--upload-pack=x", None),
            ("a/b", None),
            ("https://", None),
            ("", None),
        ] {
            assert_eq!(Remote::new(address, None).ok().map(|remote| remote.transport), expected, "{address}");
        }
    }

    #[test]
    fn submodules_beside_their_repository() {
        let of = |base: &str, url: &str| Remote::new(base, None).unwrap().submodule(url).map(|found| found.address);
        assert_eq!(of("https://h/a/b.git", "../c.git").unwrap(), "https://h/a/c.git");
        assert_eq!(of("https://h/a/b.git/", "../../c").unwrap(), "https://h/c");
        assert_eq!(of("https://h/a/b.git", "./c/").unwrap(), "https://h/a/b.git/c");
        assert_eq!(of("git@h:b.git", "../c.git").unwrap(), "git@h:c.git");
        assert_eq!(of("git@h:a/b.git", "../../c.git").unwrap(), "git@h:c.git");
        assert_eq!(of("https://h/b.git", "git@h:x").unwrap(), "git@h:x");
        assert_eq!(of("file:///a/b.git", "/c").unwrap(), "/c");
        assert!(of("git@h:b.git", "../../c.git").is_err() && of("https://h/b.git", "../../c.git").is_err());
        for url in ["file:///etc", "/etc", "ext::sh", "-x", "../../../../../etc"] {
            assert!(of("https://h/b.git", url).is_err(), "{url}");
        }
    }

    #[test]
    fn credentials_go_with_relative_addresses_only() {
        let base = Remote::new("https://ann:pw@h/a.git", None).unwrap();
        assert_eq!(base.address(), "https://h/a.git");
        assert_eq!(base.submodule("../b.git").unwrap().credentials().map(|found| found.user.as_str()), Some("ann"));
        assert_eq!(base.submodule("https://h/b.git").unwrap().credentials(), None);
        assert_eq!(base.origin().as_deref(), Some("https://h/"));
        assert_eq!(base.host().as_deref(), Some("h"));
    }
}
