//! Credentials: looking them up in docker's `config.json` and containers' `auth.json`, which have the same shape.
//!
//! Source: docker/cli `config/configfile`; containers-auth.json(5), which allows namespaces as keys.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::fault::{At, PathError};
use crate::image::descriptor::null_is_default;
use crate::image::reference::DEFAULT_HOST;
use crate::registry::helper::{Helper, HelperError};
use crate::registry::repository::Repository;

/// The key under which docker files what belongs to its hub.
pub(crate) const HUB_KEY: &str = "https://index.docker.io/v1/";

/// What convinces a registry.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// A user's password, or what passes for one.
    Password {
        /// The user.
        user: String,
        /// The password.
        password: String,
    },
    /// A token from which the token server makes others (OAuth 2 refresh token).
    Identity(String),
    /// A token for the registry itself.
    Registry(String),
}

/// A file with credentials that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// The operating system's.
    #[error(transparent)]
    Path(#[from] PathError),
    /// It is not what it must be.
    #[error("the credentials in `{}` cannot be read: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What the parser says, with the place.
        source: serde_json::Error,
    },
    /// One entry is not what it must be.
    #[error(
        "the credentials for `{key}` in `{}` are not `user:password` in base64; renew them with `layercake login`", path.display()
    )]
    Entry {
        /// The file.
        path: PathBuf,
        /// The entry.
        key: String,
    },
    /// A helper that must keep a secret does not.
    #[error(transparent)]
    Helper(#[from] HelperError),
}

/// What looking for credentials came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) credential: Option<Credential>,
    /// A helper failed that might have known some. That matters only if they turn out to be needed.
    pub(crate) helper_problem: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct CredentialFile {
    #[serde(deserialize_with = "null_is_default")]
    auths: BTreeMap<String, Entry>,
    #[serde(deserialize_with = "null_is_default")]
    cred_helpers: BTreeMap<String, String>,
    #[serde(deserialize_with = "null_is_default")]
    creds_store: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase", default)]
struct Entry {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
    registrytoken: String,
}

/// Looks in `files`, in their order, for what opens `repository`.
pub(crate) fn look_up(
    files: &[PathBuf],
    repository: &Repository,
    helper_timeout: Duration,
) -> Result<Found, CredentialError> {
    let mut found = Found::default();
    for path in files {
        let Some(file) = CredentialFile::read(path)? else { continue };
        if let Some(helper) = file.helper(&repository.host) {
            match helper.get(&helper_key(&repository.host), helper_timeout) {
                Ok(None) => (),
                Ok(credential) => return Ok(Found { credential, ..found }),
                Err(problem) => found.helper_problem = Some(problem.to_string()),
            }
        }
        if let Some(credential) = file.entry(path, repository)? {
            return Ok(Found { credential: Some(credential), ..found });
        }
    }
    Ok(found)
}

impl CredentialFile {
    /// Reads a file; `None` if there is none.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, CredentialError> {
        match fs::read(path) {
            // An empty file is what `touch` leaves behind.
            Ok(bytes) if bytes.iter().all(u8::is_ascii_whitespace) => Ok(None),
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|source| CredentialError::Json { path: path.to_owned(), source }),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Ok(Err(error).at("read", path)?),
        }
    }

    /// The helper that keeps the secrets of a registry.
    pub(crate) fn helper(&self, host: &str) -> Option<Helper> {
        let own = self.cred_helpers.iter().find(|(key, _)| normal(key) == normal(host)).map(|(_, helper)| helper);
        own.or(Some(&self.creds_store)).filter(|helper| !helper.is_empty()).map(|helper| Helper::named(helper))
    }

    /// The entry for a repository: that for the longest namespace it lies in, or for its registry.
    fn entry(&self, path: &Path, repository: &Repository) -> Result<Option<Credential>, CredentialError> {
        let wanted = format!("{}/{}", normal(&repository.host), repository.path);
        let fits = |key: &str| wanted.strip_prefix(key).is_some_and(|rest| rest.starts_with('/') || rest.is_empty());
        let mut entries: Vec<(String, &String, &Entry)> =
            self.auths.iter().map(|(key, entry)| (normal(key), key, entry)).filter(|(key, ..)| fits(key)).collect();
        entries.sort_by_key(|(key, ..)| std::cmp::Reverse(key.len()));
        for (_, key, entry) in entries {
            let credential = entry
                .credential()
                .map_err(|NotUserAndPassword| CredentialError::Entry { path: path.to_owned(), key: key.clone() })?;
            // Beside a helper, an entry without content only says that the helper has one.
            if credential.is_some() {
                return Ok(credential);
            }
        }
        Ok(None)
    }
}

struct NotUserAndPassword;

impl Entry {
    fn credential(&self) -> Result<Option<Credential>, NotUserAndPassword> {
        if !self.identitytoken.is_empty() {
            return Ok(Some(Credential::Identity(self.identitytoken.clone())));
        }
        if !self.registrytoken.is_empty() {
            return Ok(Some(Credential::Registry(self.registrytoken.clone())));
        }
        if !self.username.is_empty() {
            return Ok(Some(Credential::Password { user: self.username.clone(), password: self.password.clone() }));
        }
        if self.auth.is_empty() {
            return Ok(None);
        }
        let bytes = STANDARD.decode(self.auth.trim()).map_err(|_| NotUserAndPassword)?;
        let text = String::from_utf8(bytes).map_err(|_| NotUserAndPassword)?;
        // Old versions of docker padded with zeros.
        let (user, password) = text.trim_end_matches('\0').split_once(':').ok_or(NotUserAndPassword)?;
        Ok(Some(Credential::Password { user: user.to_owned(), password: password.to_owned() }))
    }
}

impl std::fmt::Debug for Credential {
    /// A secret is never printed.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Password { .. } => "Password(…)",
            Self::Identity(_) => "Identity(…)",
            Self::Registry(_) => "Registry(…)",
        })
    }
}

/// A key without scheme and API version; the names of docker's hub are one.
pub(crate) fn normal(key: &str) -> String {
    let key = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    let key = key.trim_end_matches('/');
    let key = key.strip_suffix("/v1").or_else(|| key.strip_suffix("/v2")).unwrap_or(key);
    let (host, path) = key.split_at(key.find('/').unwrap_or(key.len()));
    let host = match host {
        "index.docker.io" | "registry-1.docker.io" => DEFAULT_HOST,
        host => host,
    };
    format!("{host}{path}")
}

/// What a helper, and docker's own file, call a registry.
pub(crate) fn helper_key(host: &str) -> String {
    if normal(host) == DEFAULT_HOST { HUB_KEY.to_owned() } else { host.to_owned() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use serde_json::{Value, json};

    use super::*;

    fn found(file: &Value, host: &str, path: &str) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        let name = folder.path().join("config.json");
        fs::write(&name, serde_json::to_vec(file).unwrap()).unwrap();
        let repository = Repository { host: host.to_owned(), path: path.to_owned() };
        let files = [folder.path().join("missing.json"), name];
        match look_up(&files, &repository, Duration::from_secs(1)).unwrap().credential? {
            Credential::Password { user, password } => Some(format!("{user}:{password}")),
            Credential::Identity(token) => Some(format!("identity {token}")),
            Credential::Registry(token) => Some(format!("registry {token}")),
        }
    }

    fn auth(text: &str) -> Value {
        json!({"auth": STANDARD.encode(text)})
    }

    #[test]
    fn docker_files_its_hub_under_an_old_address() {
        let file = json!({"auths": {"https://index.docker.io/v1/": auth("me:secret")}});
        assert_eq!(found(&file, "docker.io", "library/x").unwrap(), "me:secret");
        assert_eq!(found(&file, "ghcr.io", "library/x"), None);
    }

    #[test]
    fn keys_have_many_spellings() {
        for key in ["r.io:5000", "https://r.io:5000", "http://r.io:5000/", "https://r.io:5000/v2/"] {
            assert_eq!(found(&json!({"auths": {key: auth("a:b:c")}}), "r.io:5000", "x").unwrap(), "a:b:c", "{key}");
            assert_eq!(found(&json!({"auths": {key: auth("a:b")}}), "r.io", "x"), None, "{key}");
        }
    }

    #[test]
    fn the_longest_namespace_goes_first() {
        let file =
            json!({"auths": {"q.io": auth("host:1"), "q.io/team": auth("team:1"), "q.io/team/app": auth("app:1")}});
        for (path, user) in [("team/app", "app:1"), ("team/apple", "team:1"), ("teams/x", "host:1"), ("x", "host:1")] {
            assert_eq!(found(&file, "q.io", path).unwrap(), user, "{path}");
        }
    }

    #[test]
    fn tokens_and_plain_fields() {
        let file = json!({"auths": {
            "a.io": {"auth": "", "identitytoken": "t"}, "b.io": {"registrytoken": "t"},
            "c.io": {"username": "u", "password": "p"}, "d.io": {},
        }, "credHelpers": null});
        assert_eq!(found(&file, "a.io", "x").unwrap(), "identity t");
        assert_eq!(found(&file, "b.io", "x").unwrap(), "registry t");
        assert_eq!(found(&file, "c.io", "x").unwrap(), "u:p");
        assert_eq!(found(&file, "d.io", "x"), None);
    }

    #[test]
    fn what_cannot_be_read_is_an_error_that_names_the_file_and_not_the_secret() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        let repository = Repository { host: "a.io".to_owned(), path: "x".to_owned() };
        for (text, expected) in [("{", "cannot be read"), (r#"{"auths":{"a.io":{"auth":"c2VjcmV0"}}}"#, "`a.io`")] {
            fs::write(&path, text).unwrap();
            let files = std::slice::from_ref(&path);
            let message = look_up(files, &repository, Duration::from_secs(1)).unwrap_err().to_string();
            assert!(message.contains(expected) && message.contains("config.json"), "{message}");
            assert!(!message.contains("secret") && !message.contains("c2VjcmV0"), "{message}");
        }
        assert_eq!(format!("{:?}", Credential::Identity("secret".to_owned())), "Identity(…)");
    }
}
