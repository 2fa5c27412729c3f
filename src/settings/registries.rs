//! The sections `[registry."HOST"]` of the settings, as they are meant.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use layercake_executor::registry::settings::{Identity, Mirror, Registry, Security};

use super::file::{self, Origin, Paths};
use crate::failure::Failure;

/// What a file says of registries. Paths in it are relative to its folder.
///
/// # Errors
/// If a section contradicts itself, or names what is no registry.
pub fn registries(
    sections: BTreeMap<String, file::Registry>,
    path: &Path,
    origin: Origin,
) -> Result<BTreeMap<String, Registry>, Failure> {
    let meant = |(host, section): (String, file::Registry)| {
        let place = Place { file: path, host: &host };
        Ok((normal(place.host(&host, "")?), place.meant(section, origin)?))
    };
    sections.into_iter().map(meant).collect()
}

/// A section, for messages.
#[derive(Clone, Copy)]
struct Place<'a> {
    file: &'a Path,
    host: &'a str,
}

impl Place<'_> {
    fn wrong(self, problem: &str) -> Failure {
        Failure::input(format!("`{}`, `[registry.\"{}\"]`: {problem}", self.file.display(), self.host))
    }

    /// A registry's host name with an optional port, as which `key` has `text`.
    fn host<'a>(self, text: &'a str, key: &str) -> Result<&'a str, Failure> {
        let name = if key.is_empty() { "the registry".to_owned() } else { format!("`{key}`: the mirror") };
        let wrong = |problem: &str| self.wrong(&format!("{name} `{text}` {problem}"));
        if text.contains("://") {
            return Err(wrong("has a protocol")
                .help("write the host alone; `http = true` in its own section says that it speaks plain HTTP"));
        }
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]_".contains(&byte);
        if text.is_empty() || !text.bytes().all(allowed) {
            return Err(
                wrong("is no host name with an optional port").help("write for instance `registry.example:5000`")
            );
        }
        Ok(text)
    }

    fn mirror(self, text: &str) -> Result<Mirror, Failure> {
        let (host, prefix) = match text.split_once("://") {
            // Said of the whole.
            Some(_) => (text, ""),
            None => text.split_once('/').unwrap_or((text, "")),
        };
        Ok(Mirror { host: normal(self.host(host, "mirrors")?), prefix: prefix.trim_matches('/').to_owned() })
    }

    fn meant(self, section: file::Registry, origin: Origin) -> Result<Registry, Failure> {
        let security = match (section.http, section.insecure) {
            (Some(true), Some(false)) => {
                return Err(self.wrong("`http = true` and `insecure = false` exclude each other"));
            }
            (Some(true), _) => Some(Security::Plain),
            (_, Some(true)) => Some(Security::Waived),
            (Some(false), _) | (_, Some(false)) => Some(Security::Verified),
            (None, None) => None,
        };
        let mirrors = section.mirrors.as_ref();
        let mirrors = mirrors.map(|list| list.iter().map(|text| self.mirror(text)).collect()).transpose()?;
        let folder = self.file.parent().unwrap_or(Path::new("."));
        let beside = |path: PathBuf| folder.join(path);
        let certificates = match section.ca {
            Paths::One(path) => vec![beside(path)],
            Paths::List(paths) => paths.into_iter().map(beside).collect(),
        };
        let identity = match (section.client_certificate, section.client_key) {
            (None, None) => None,
            // Whoever can write to a repository could otherwise have files of those who build it tried out as keys.
            _ if origin == Origin::Project => {
                return Err(self
                    .wrong("a project cannot say by which certificate registries know you")
                    .help("move `client-certificate` and `client-key` to your own `config.toml`"));
            }
            (Some(certificate), Some(key)) => Some(Identity { certificate: beside(certificate), key: beside(key) }),
            (Some(_), None) => return Err(self.wrong("`client-certificate` needs `client-key` beside it")),
            (None, Some(_)) => return Err(self.wrong("`client-key` needs `client-certificate` beside it")),
        };
        let blocked_by = section.blocked.then(|| self.file.to_owned());
        Ok(Registry { security, mirrors, certificates, identity, blocked_by })
    }
}

/// Docker's hub has more than one name.
fn normal(host: &str) -> String {
    if matches!(host, "index.docker.io" | "registry-1.docker.io") { "docker.io" } else { host }.to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    fn read(text: &str, origin: Origin) -> Result<BTreeMap<String, Registry>, String> {
        let file: file::File = toml::from_str(text).map_err(|error| error.to_string())?;
        registries(file.registry, Path::new("/p/layercake.toml"), origin)
            .map_err(|failure| failure.message().to_owned())
    }

    #[test]
    fn a_section_is_read() {
        let text = "[registry.\"index.docker.io\"]\nmirrors = [\"m:5000/hub/\", \"n\"]\nca = \"ca.pem\"\ninsecure = true\n\
                    client-certificate = \"/me.pem\"\nclient-key = \"me.key\"\n[registry.\"r:1\"]\nca = [\"/a\", \"b\"]\nhttp = true\n\
                    blocked = true\n";
        let all = read(text, Origin::User).unwrap();
        let mirror = |host: &str, prefix: &str| Mirror { host: host.to_owned(), prefix: prefix.to_owned() };
        let hub = &all["docker.io"];
        assert_eq!(hub.mirrors, Some(vec![mirror("m:5000", "hub"), mirror("n", "")]));
        assert_eq!(hub.certificates, [PathBuf::from("/p/ca.pem")]);
        assert_eq!(hub.security, Some(Security::Waived));
        let identity = Identity { certificate: "/me.pem".into(), key: "/p/me.key".into() };
        assert_eq!(hub.identity, Some(identity));
        let other = &all["r:1"];
        assert_eq!(other.certificates, [PathBuf::from("/a"), "/p/b".into()]);
        assert_eq!((other.security, other.mirrors.clone()), (Some(Security::Plain), None));
        assert_eq!(other.blocked_by, Some("/p/layercake.toml".into()));
    }

    #[test]
    fn what_makes_no_sense_names_file_and_section() {
        let problem = |section: &str| {
            let error = read(&format!("[registry.\"r:1\"]\n{section}\n"), Origin::Project).unwrap_err();
            let named = error.starts_with("`/p/layercake.toml`, `[registry.\"r:1\"]`: ");
            assert!(named || error.starts_with("TOML parse error at line 2"), "{error}");
            error
        };
        assert!(problem("mirrors = [\"https://m\"]").contains("`https://m` has a protocol"));
        assert!(problem("mirrors = [\"a b\"]").contains("`a b`"));
        assert!(problem("http = true\ninsecure = false").contains("exclude"));
        assert!(problem("client-key = \"/home/me/.ssh/id\"").contains("a project cannot"));
        assert!(problem("ca = 7").contains("expected a path"));
        assert!(problem("miror = []").contains("unknown field"));
        let error = read("[registry.\"r\"]\nclient-key = \"k\"\n", Origin::User).unwrap_err();
        assert!(error.contains("`client-certificate`"), "{error}");
        assert!(read("[registry.\"https://r\"]\n", Origin::User).unwrap_err().contains("protocol"));
    }
}
