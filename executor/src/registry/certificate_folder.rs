//! Folders of certificates by registry, as docker and containers have them: `HOST/*.crt` is trusted for that registry, and
//! `HOST/NAME.cert` with `HOST/NAME.key` is what it knows us by.
//!
//! Source: docker's "Verify repository client with certificates"; containers-certs.d(5).

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::fault::reason;
use crate::image::reference::DEFAULT_HOST;
use crate::registry::error::Error;
use crate::registry::settings::Identity;

/// What the folders have for a registry.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) certificates: Vec<PathBuf>,
    pub(crate) identity: Option<Identity>,
}

/// Looks in all of `folders` for the registry `host`.
pub(crate) fn read<'a>(folders: impl Iterator<Item = &'a PathBuf>, host: &str) -> Result<Found, Error> {
    let mut found = Found::default();
    for folder in folders {
        let names = if host == DEFAULT_HOST { vec![host, "registry-1.docker.io"] } else { vec![host] };
        for folder in names.into_iter().map(|name| folder.join(name)) {
            let mut files: Vec<PathBuf> = match fs::read_dir(&folder) {
                Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => continue,
                Err(error) => return Err(Error::File { path: folder, problem: reason(&error) }),
            };
            files.sort();
            for file in files {
                match file.extension().and_then(|extension| extension.to_str()) {
                    Some("crt") => found.certificates.push(file),
                    Some("cert") if found.identity.is_none() => found.identity = Some(identity(file)?),
                    _ => (),
                }
            }
        }
    }
    Ok(found)
}

fn identity(certificate: PathBuf) -> Result<Identity, Error> {
    let key = certificate.with_extension("key");
    if key.exists() {
        return Ok(Identity { certificate, key });
    }
    let name = Path::new(key.file_name().unwrap_or_default()).display().to_string();
    Err(Error::File { path: certificate, problem: format!("its key `{name}` is not beside it") })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn endings_say_what_a_file_is_for() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("r.io:5000");
        fs::create_dir(&own).unwrap();
        for name in ["b.crt", "a.crt", "me.cert", "me.key", "hosts.toml"] {
            fs::write(own.join(name), "").unwrap();
        }
        let folders = [folder.path().to_owned(), "/that/does/not/exist".into()];
        let found = read(folders.iter(), "r.io:5000").unwrap();
        assert_eq!(found.certificates, [own.join("a.crt"), own.join("b.crt")]);
        assert_eq!(found.identity, Some(Identity { certificate: own.join("me.cert"), key: own.join("me.key") }));
        assert_eq!(read(folders.iter(), "r.io").unwrap(), Found::default());
        fs::remove_file(own.join("me.key")).unwrap();
        let error = read(folders.iter(), "r.io:5000").unwrap_err().to_string();
        assert!(error.contains("me.cert") && error.contains("`me.key`"), "{error}");
    }
}
