//! [`HostsFile`]: what containerd's `hosts.toml` says, which docker with its image store and nerdctl read too.
//!
//! Source: containerd, `docs/hosts.md`. A file is called `NAMESPACE/hosts.toml`; the namespace `_default` is for all
//! registries that have no file of their own.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;
use ureq::http::Uri;

use crate::fault::reason;
use crate::image::reference::DEFAULT_HOST;
use crate::registry::error::Error;
use crate::registry::repository::Repository;
use crate::registry::routes::{Asked, Serves};
use crate::registry::settings::{Identity, Security};

/// The namespace of registries that have no file.
const DEFAULT: &str = "_default";

/// One file.
#[derive(Debug)]
pub(crate) struct HostsFile {
    path: PathBuf,
    namespace: String,
    /// One that is not right matters only to those who ask for its registry.
    hosts: Result<Hosts, String>,
}

/// What a file says.
#[derive(Debug, Default)]
pub(crate) struct Hosts {
    mirrors: Vec<Host>,
    /// The registry itself, if it is not where its name says.
    server: Option<Host>,
}

/// A server.
#[derive(Debug)]
struct Host {
    name: String,
    /// What goes before a repository's name there.
    prefix: String,
    serves: Option<Serves>,
    way: HostWay,
}

/// What a file says of how a server is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HostWay {
    pub(crate) security: Option<Security>,
    pub(crate) certificates: Vec<PathBuf>,
    pub(crate) identity: Option<Identity>,
    pub(crate) headers: Vec<(String, String)>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Text {
    server: Option<String>,
    /// In the file's order, which counts, by way of the places of the keys.
    host: BTreeMap<Spanned<String>, HostText>,
    #[serde(flatten)]
    own: HostText,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct HostText {
    capabilities: Option<Vec<String>>,
    ca: OneOrMore,
    client: Client,
    skip_verify: bool,
    override_path: bool,
    header: BTreeMap<String, OneOrMore>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

/// One file that holds certificate and key, a list of such, or a list of pairs.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Client {
    One(String),
    More(Vec<String>),
    Pairs(Vec<[String; 2]>),
}

impl Default for OneOrMore {
    fn default() -> Self {
        Self::More(Vec::new())
    }
}

impl OneOrMore {
    fn into_list(self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text],
            Self::More(list) => list,
        }
    }
}

impl Default for Client {
    fn default() -> Self {
        Self::More(Vec::new())
    }
}

/// Reads all files of `folders`. Of two about the same namespace, the first counts.
pub(crate) fn read(folders: &[PathBuf]) -> Vec<HostsFile> {
    let mut files: Vec<HostsFile> = Vec::new();
    for entry in folders.iter().flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten()) {
        let Some(namespace) = entry.file_name().to_str().map(namespace) else { continue };
        let path = entry.path().join("hosts.toml");
        let hosts = match fs::read_to_string(&path) {
            Ok(text) => parse(&text, &entry.path()),
            Err(error) if path.exists() => Err(reason(&error)),
            Err(_) => continue,
        };
        if files.iter().all(|file| file.namespace != namespace) {
            files.push(HostsFile { path, namespace, hosts });
        }
    }
    files
}

/// What the files say of a registry's places; `None` if nothing.
pub(crate) fn of_namespace<'a>(files: &'a [HostsFile], host: &str) -> Result<Option<&'a Hosts>, Error> {
    let named = |namespace: &str| files.iter().find(|file| file.namespace == namespace);
    match named(host).or_else(|| named(DEFAULT)) {
        None => Ok(None),
        Some(HostsFile { hosts: Ok(hosts), .. }) => Ok(Some(hosts)),
        Some(HostsFile { path, hosts: Err(problem), .. }) => {
            Err(Error::File { path: path.clone(), problem: problem.clone() })
        }
    }
}

/// What the files say of how a server is reached.
pub(crate) fn way(files: &[HostsFile], host: &str) -> HostWay {
    let all = files.iter().flat_map(|file| &file.hosts).flat_map(|hosts| hosts.mirrors.iter().chain(&hosts.server));
    all.filter(|other| other.name == host).map(|host| host.way.clone()).next().unwrap_or_default()
}

impl Hosts {
    pub(crate) fn places(&self, repository: &Repository, asked: Asked) -> Vec<Repository> {
        let serving = self.mirrors.iter().filter(|host| host.serves.is_some_and(|serves| serves.serves(asked)));
        let own = self.server.as_ref().map_or_else(|| repository.clone(), |server| server.place(repository));
        let mut places: Vec<Repository> = serving.map(|host| host.place(repository)).collect();
        places.retain(|place| *place != own);
        places.push(own);
        places
    }
}

impl Host {
    fn place(&self, repository: &Repository) -> Repository {
        repository.below(&self.name, &self.prefix)
    }
}

/// The registry that a folder is about. A colon can be written as containerd writes it where files cannot have one.
fn namespace(folder: &str) -> String {
    let port = folder.strip_suffix('_').and_then(|rest| rest.rsplit_once('_'));
    let name = match port {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("{host}:{port}")
        }
        _ => folder.to_owned(),
    };
    hub(&name)
}

/// The names under which docker's hub is reached are one.
fn hub(host: &str) -> String {
    if matches!(host, "registry-1.docker.io" | "index.docker.io") { DEFAULT_HOST } else { host }.to_owned()
}

fn parse(text: &str, folder: &Path) -> Result<Hosts, String> {
    let text: Text = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
    let mut keys: Vec<_> = text.host.into_iter().collect();
    keys.sort_by_key(|(key, _)| key.span().start);
    let mirrors = keys.into_iter().map(|(key, text)| host(key.get_ref(), text, folder)).collect::<Result<_, _>>()?;
    let server = text.server.filter(|server| !server.is_empty());
    let server = server.map(|server| host(&server, text.own, folder)).transpose()?;
    Ok(Hosts { mirrors, server })
}

fn host(address: &str, text: HostText, folder: &Path) -> Result<Host, String> {
    let full = if address.contains("://") { address.to_owned() } else { format!("https://{address}") };
    let wrong = |problem: &str| format!("the host `{address}` {problem}");
    let uri: Uri = full.parse().map_err(|_| wrong("is no address"))?;
    let plain = match uri.scheme_str() {
        Some("https") => false,
        Some("http") => true,
        _ => return Err(wrong("is no address of HTTP")),
    };
    let name = hub(uri.authority().ok_or_else(|| wrong("is no address"))?.as_str());
    let path = uri.path().trim_matches('/');
    let prefix = match (path, path.strip_prefix("v2").filter(|rest| rest.is_empty() || rest.starts_with('/'))) {
        ("", _) => String::new(),
        (_, Some(rest)) if text.override_path || rest.is_empty() => rest.trim_start_matches('/').to_owned(),
        _ => {
            return Err(wrong(
                "has a path that is not below `/v2` with `override_path = true`, which is not possible here",
            ));
        }
    };
    let capable = |of: &str| text.capabilities.as_ref().is_none_or(|list| list.iter().any(|one| one == of));
    let serves = match (capable("pull"), capable("resolve")) {
        (true, true) => Some(Serves::Everything),
        (true, false) => Some(Serves::Digests),
        _ => None,
    };
    let security = match (plain, text.skip_verify) {
        (true, _) => Some(Security::Plain),
        (_, true) => Some(Security::Waived),
        _ => None,
    };
    let file = |path: String| folder.join(path);
    let identity = match text.client {
        Client::One(file) => Some([file.clone(), file]),
        Client::More(list) => list.into_iter().next().map(|file| [file.clone(), file]),
        Client::Pairs(list) => list.into_iter().next(),
    };
    let identity = identity.map(|[certificate, key]| {
        let key = if key.is_empty() { certificate.clone() } else { key };
        Identity { certificate: file(certificate), key: file(key) }
    });
    let headers = text.header.into_iter();
    let headers =
        headers.flat_map(|(name, values)| values.into_list().into_iter().map(move |value| (name.clone(), value)));
    let certificates = text.ca.into_list().into_iter().map(file).collect();
    Ok(Host { name, prefix, serves, way: HostWay { security, certificates, identity, headers: headers.collect() } })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    fn hosts(text: &str) -> Hosts {
        parse(text, Path::new("/certs.d/a")).unwrap()
    }

    fn places(hosts: &Hosts, name: &str, asked: Asked) -> Vec<String> {
        let places = hosts.places(&Repository::parse(name).unwrap(), asked);
        places.iter().map(Repository::to_string).collect()
    }

    #[test]
    fn hosts_are_asked_in_the_files_order() {
        let hosts = hosts(
            "server = \"https://registry-1.docker.io\"\n[host.\"https://z.example\"]\n\
             [host.\"http://192.168.31.250:5000\"]\n  capabilities = [\"pull\", \"resolve\", \"push\"]\n  skip_verify = true\n\
             [host.\"https://b.example/v2/hub\"]\n  capabilities = [\"pull\"]\n  override_path = true\n\
             [host.\"only-push.example\"]\n  capabilities = [\"push\"]\n",
        );
        let name = "docker.io/library/x";
        let by_tag = ["z.example/library/x", "192.168.31.250:5000/library/x", "docker.io/library/x"];
        assert_eq!(places(&hosts, name, Asked::ByTag), by_tag);
        let by_digest =
            ["z.example/library/x", "192.168.31.250:5000/library/x", "b.example/hub/library/x", "docker.io/library/x"];
        assert_eq!(places(&hosts, name, Asked::ByDigest), by_digest);
        assert_eq!(hosts.mirrors[1].way.security, Some(Security::Plain));
    }

    #[test]
    fn files_lie_beside_the_one_that_names_them() {
        let hosts = hosts(
            "[host.\"https://a\"]\nca = \"ca.pem\"\nclient = [[\"me.cert\", \"/keys/me.key\"]]\nskip_verify = true\n\
             [host.\"https://a\".header]\nx-custom = [\"1\", \"2\"]\n\
             [host.\"https://b\"]\nca = [\"/one.pem\", \"two.pem\"]\nclient = \"both.pem\"\n",
        );
        let path = |text: &str| PathBuf::from("/certs.d/a").join(text);
        let pairs = [("x-custom".to_owned(), "1".to_owned()), ("x-custom".to_owned(), "2".to_owned())];
        let way = &hosts.mirrors[0].way;
        assert_eq!((way.security, way.certificates.clone()), (Some(Security::Waived), vec![path("ca.pem")]));
        assert_eq!(way.identity, Some(Identity { certificate: path("me.cert"), key: "/keys/me.key".into() }));
        assert_eq!(way.headers, pairs);
        let way = &hosts.mirrors[1].way;
        assert_eq!(way.certificates, ["/one.pem".into(), path("two.pem")]);
        assert_eq!(way.identity, Some(Identity { certificate: path("both.pem"), key: path("both.pem") }));
    }

    #[test]
    fn a_server_is_another_place_of_the_registry() {
        let hosts = hosts("server = \"http://inner:5000\"\n");
        assert_eq!(places(&hosts, "a.io/x", Asked::ByTag), ["inner:5000/x"]);
    }

    #[test]
    fn folders_are_called_by_their_registries() {
        for (folder, name) in [
            ("a.io", "a.io"),
            ("a.io:5000", "a.io:5000"),
            ("a.io_5000_", "a.io:5000"),
            ("index.docker.io", "docker.io"),
        ] {
            assert_eq!(namespace(folder), name);
        }
    }

    #[test]
    fn what_makes_no_sense_is_said() {
        let problem = |text: &str| parse(text, Path::new("/")).unwrap_err();
        assert!(problem("[host.\"https://m/some/path\"]\n").contains("override_path"));
        assert!(problem("[host.\"ftp://m\"]\n").contains("no address of HTTP"));
        assert!(problem("host = 7\n").contains("line 1"));
    }

    #[test]
    fn a_wrong_file_matters_to_those_who_ask_for_its_registry() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["good.io", "bad.io"] {
            fs::create_dir(folder.path().join(name)).unwrap();
            let text = if name == "bad.io" { "[" } else { "[host.\"https://m\"]\n" };
            fs::write(folder.path().join(name).join("hosts.toml"), text).unwrap();
        }
        let files = read(&[folder.path().to_owned(), "/that/does/not/exist".into()]);
        assert!(of_namespace(&files, "good.io").unwrap().is_some());
        assert!(of_namespace(&files, "other.io").unwrap().is_none());
        let error = of_namespace(&files, "bad.io").unwrap_err().to_string();
        assert!(error.contains("bad.io/hosts.toml"), "{error}");
    }
}
