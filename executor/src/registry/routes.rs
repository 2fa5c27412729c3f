//! [`Routes`]: in which places a repository is looked for, and how each of them is reached.
//!
//! Three sources are asked, and the first that says something decides: the user's own settings, containers'
//! `registries.conf`, and containerd's `hosts.toml`. Certificates that are trusted add up, whoever names them.

use std::sync::{Arc, OnceLock};

use crate::registry::certificate_folder;
use crate::registry::error::Error;
use crate::registry::hosts_toml::{self, HostsFile};
use crate::registry::registries_conf::RegistriesConf;
use crate::registry::repository::Repository;
use crate::registry::settings::{Registry, Security, Settings};
use crate::registry::way::Way;

/// Where repositories are.
pub(crate) struct Routes {
    settings: Arc<Settings>,
    conf: OnceLock<RegistriesConf>,
    hosts: OnceLock<Vec<HostsFile>>,
}

/// How an image is asked for. Some mirrors are to be asked for one kind only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// By its tag, whose meaning the place decides.
    ByTag,
    /// By a digest, or for a blob.
    ByDigest,
}

/// What a mirror is to be asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Serves {
    #[default]
    Everything,
    Digests,
    Tags,
}

impl Serves {
    pub(crate) fn serves(self, asked: Asked) -> bool {
        match self {
            Self::Everything => true,
            Self::Digests => asked == Asked::ByDigest,
            Self::Tags => asked == Asked::ByTag,
        }
    }
}

impl Routes {
    pub(crate) fn new(settings: Arc<Settings>) -> Self {
        Self { settings, conf: OnceLock::new(), hosts: OnceLock::new() }
    }

    /// Where to look for what a repository has: mirrors, and at the end the registry itself.
    pub(crate) fn places(&self, repository: &Repository, asked: Asked) -> Result<Vec<Repository>, Error> {
        self.check_blocked(repository)?;
        if let Some(mirrors) = self.own(repository).and_then(|own| own.mirrors.as_ref()) {
            let mirrored = mirrors.iter().map(|mirror| repository.below(&mirror.host, &mirror.prefix));
            return Ok(mirrored.chain([repository.clone()]).collect());
        }
        if let Some(places) = self.conf()?.places(repository, asked) {
            return Ok(places);
        }
        match hosts_toml::of_namespace(self.hosts(), &repository.host)? {
            Some(hosts) => Ok(hosts.places(repository, asked)),
            None => Ok(vec![repository.clone()]),
        }
    }

    /// How a place is reached.
    pub(crate) fn way(&self, place: &Repository) -> Result<Way, Error> {
        self.check_blocked(place)?;
        let own = self.own(place);
        let insecure = || Ok::<_, Error>(self.conf()?.speaks_insecurely(place).then_some(Security::Waived));
        let neighbour = hosts_toml::way(self.hosts(), &place.host);
        let security = match own.and_then(|own| own.security) {
            Some(security) => Some(security),
            None => insecure()?.or(neighbour.security),
        };
        let folders = &self.settings.neighbours.certificate_folders;
        let found =
            certificate_folder::read(folders.iter().chain(&self.settings.neighbours.hosts_folders), &place.host)?;
        let mut certificates = own.map(|own| own.certificates.clone()).unwrap_or_default();
        certificates.extend(neighbour.certificates);
        certificates.extend(found.certificates);
        let identity = own.and_then(|own| own.identity.clone()).or(neighbour.identity).or(found.identity);
        Ok(Way { security: security.unwrap_or_default(), certificates, identity, headers: neighbour.headers })
    }

    fn own(&self, repository: &Repository) -> Option<&Registry> {
        self.settings.registries.get(&repository.host)
    }

    fn check_blocked(&self, repository: &Repository) -> Result<(), Error> {
        let by = match self.own(repository).and_then(|own| own.blocked_by.clone()) {
            Some(own) => Some(own),
            None => self.conf()?.blocker(repository),
        };
        match by {
            Some(by) => Err(Error::Blocked { what: repository.to_string(), by }),
            None => Ok(()),
        }
    }

    /// Read at the first use: most commands ask no registry.
    fn conf(&self) -> Result<&RegistriesConf, Error> {
        if self.conf.get().is_none() {
            let files = &self.settings.neighbours;
            let conf = RegistriesConf::read(&files.registries_conf, &files.registries_conf_folders)?;
            return Ok(self.conf.get_or_init(|| conf));
        }
        Ok(self.conf.get_or_init(RegistriesConf::default))
    }

    fn hosts(&self) -> &[HostsFile] {
        self.hosts.get_or_init(|| hosts_toml::read(&self.settings.neighbours.hosts_folders))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::collections::BTreeMap;
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::registry::settings::{Identity, Mirror, NeighbourFiles};

    fn repository(text: &str) -> Repository {
        let (host, path) = text.split_once('/').unwrap();
        Repository { host: host.to_owned(), path: path.to_owned() }
    }

    fn places(routes: &Routes, text: &str) -> Vec<String> {
        let places = routes.places(&repository(text), Asked::ByTag).unwrap();
        places.iter().map(Repository::to_string).collect()
    }

    fn files(folder: &Path) -> NeighbourFiles {
        NeighbourFiles {
            registries_conf: vec![folder.join("missing.conf"), folder.join("registries.conf")],
            registries_conf_folders: vec![folder.join("conf.d")],
            hosts_folders: vec![folder.join("containerd")],
            certificate_folders: vec![folder.join("certs.d")],
        }
    }

    #[test]
    fn own_mirrors_come_before_the_registry_itself() {
        let mirror = |host: &str, prefix: &str| Mirror { host: host.to_owned(), prefix: prefix.to_owned() };
        let own = Registry { mirrors: Some(vec![mirror("m:1", ""), mirror("h", "/proxy/")]), ..Registry::default() };
        let registries = BTreeMap::from([("docker.io".to_owned(), own)]);
        let routes = Routes::new(Arc::new(Settings { registries, ..Settings::default() }));
        assert_eq!(
            places(&routes, "docker.io/library/x"),
            ["m:1/library/x", "h/proxy/library/x", "docker.io/library/x"]
        );
        assert_eq!(places(&routes, "ghcr.io/x"), ["ghcr.io/x"]);
    }

    #[test]
    fn the_first_source_that_says_where_decides() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("registries.conf", "[[registry]]\nlocation = \"a.io\"\n[[registry.mirror]]\nlocation = \"conf-a\"\n");
        write("containerd/a.io/hosts.toml", "[host.\"https://hosts-a\"]\n");
        write("containerd/b.io/hosts.toml", "[host.\"https://hosts-b\"]\n");
        let own = |mirrors| Registry { mirrors, ..Registry::default() };
        let routes = |own: Registry| {
            let registries = BTreeMap::from([("a.io".to_owned(), own)]);
            Routes::new(Arc::new(Settings { registries, neighbours: files(folder.path()), ..Settings::default() }))
        };
        assert_eq!(places(&routes(own(None)), "a.io/x"), ["conf-a/x", "a.io/x"]);
        assert_eq!(places(&routes(own(Some(Vec::new()))), "a.io/x"), ["a.io/x"], "no mirrors are an answer too");
        assert_eq!(places(&routes(own(None)), "b.io/x"), ["hosts-b/x", "b.io/x"]);
    }

    #[test]
    fn trust_adds_up_and_the_rest_is_decided() {
        let folder = tempfile::tempdir().unwrap();
        for path in ["certs.d/a.io", "containerd/a.io"] {
            fs::create_dir_all(folder.path().join(path)).unwrap();
        }
        for name in ["ca.crt", "me.cert", "me.key"] {
            fs::write(folder.path().join("certs.d/a.io").join(name), "").unwrap();
        }
        let hosts = "[host.\"https://a.io\"]\nca = \"two.pem\"\nskip_verify = true\n";
        fs::write(folder.path().join("containerd/a.io/hosts.toml"), hosts).unwrap();
        let routes = |own: Registry| {
            let registries = BTreeMap::from([("a.io".to_owned(), own)]);
            Routes::new(Arc::new(Settings { registries, neighbours: files(folder.path()), ..Settings::default() }))
        };
        let own_identity = Identity { certificate: "/me".into(), key: "/me".into() };
        let own = Registry {
            security: Some(Security::Verified),
            certificates: vec!["/one.pem".into()],
            identity: Some(own_identity.clone()),
            ..Registry::default()
        };
        let way = routes(own).way(&repository("a.io/x")).unwrap();
        let at = |path: &str| folder.path().join(path);
        let all = ["/one.pem".into(), at("containerd/a.io/two.pem"), at("certs.d/a.io/ca.crt")];
        assert_eq!(way.certificates, all);
        assert_eq!((way.security, way.identity), (Security::Verified, Some(own_identity)));
        let way = routes(Registry::default()).way(&repository("a.io/x")).unwrap();
        let identity = Identity { certificate: at("certs.d/a.io/me.cert"), key: at("certs.d/a.io/me.key") };
        assert_eq!((way.security, way.identity), (Security::Waived, Some(identity)));
    }

    #[test]
    fn what_is_blocked_is_not_asked_and_its_mirrors_neither() {
        let folder = tempfile::tempdir().unwrap();
        let conf = "[[registry]]\nprefix = \"a.io/bad\"\nblocked = true\n[[registry.mirror]]\nlocation = \"m\"\n";
        fs::write(folder.path().join("registries.conf"), conf).unwrap();
        let settings = Settings { neighbours: files(folder.path()), ..Settings::default() };
        let routes = Routes::new(Arc::new(settings));
        let error = routes.places(&repository("a.io/bad/x"), Asked::ByTag).unwrap_err();
        assert!(error.to_string().contains("registries.conf"), "{error}");
        assert!(routes.way(&repository("a.io/bad/x")).is_err());
        assert_eq!(places(&routes, "a.io/badly"), ["a.io/badly"]);
    }
}
