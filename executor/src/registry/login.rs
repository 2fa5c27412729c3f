//! Writing credentials: docker's `config.json`, without losing anything that is in it.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::fault::At;
use crate::registry::credentials::{CredentialError, CredentialFile, helper_key, normal};

/// Where a password is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// In the file, where whoever can read it can read the password.
    InFile,
    /// With a credential helper.
    WithHelper,
}

/// Keeps a password for a registry, and says where: with the helper that `file` names for it, or in `file` itself. What else is in the
/// file stays; the file can be read by its owner only, and a reader sees the old content or the new.
///
/// # Errors
/// If the file or the helper cannot be used. Then nothing has changed.
pub fn store(
    file: &Path,
    host: &str,
    user: &str,
    password: &str,
    helper_timeout: Duration,
) -> Result<Kept, CredentialError> {
    let key = helper_key(host);
    let (entry, kept) = match CredentialFile::read(file)?.and_then(|known| known.helper(host)) {
        Some(helper) => {
            helper.store(&key, user, password, helper_timeout)?;
            // Docker lists a helper's registries so.
            (json!({}), Kept::WithHelper)
        }
        None => (json!({"auth": STANDARD.encode(format!("{user}:{password}"))}), Kept::InFile),
    };
    change(file, |auths| {
        auths.retain(|other, _| normal(other) != normal(&key));
        auths.insert(key, entry);
    })?;
    Ok(kept)
}

/// Forgets what is kept for a registry; says whether there was something in `file`.
///
/// # Errors
/// If the file or the helper cannot be used.
pub fn erase(file: &Path, host: &str, helper_timeout: Duration) -> Result<bool, CredentialError> {
    let Some(known) = CredentialFile::read(file)? else { return Ok(false) };
    if let Some(helper) = known.helper(host) {
        helper.erase(&helper_key(host), helper_timeout)?;
    }
    let mut found = false;
    change(file, |auths| {
        let before = auths.len();
        auths.retain(|other, _| normal(other) != normal(host));
        found = auths.len() < before;
    })?;
    Ok(found)
}

fn change(file: &Path, edit: impl FnOnce(&mut Map<String, Value>)) -> Result<(), CredentialError> {
    // A link, as people have who keep their settings elsewhere, stays one.
    let path = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let wrong = |source| CredentialError::Json { path: path.clone(), source };
    let mut document: Map<String, Value> = match fs::read(&path) {
        Ok(bytes) if bytes.iter().all(u8::is_ascii_whitespace) => Map::new(),
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(wrong)?,
        Err(error) if error.kind() == ErrorKind::NotFound => Map::new(),
        Err(error) => return Ok(Err(error).at("read", &path)?),
    };
    let auths = document.entry("auths").or_insert_with(|| json!({}));
    if auths.is_null() {
        *auths = json!({});
    }
    match auths.as_object_mut() {
        Some(auths) => edit(auths),
        None => return Err(wrong(serde::de::Error::custom("`auths` is not an object"))),
    }
    let mut bytes = serde_json::to_vec_pretty(&document).expect("it was JSON before");
    bytes.push(b'\n');
    replace(&path, &bytes)
}

fn replace(path: &Path, bytes: &[u8]) -> Result<(), CredentialError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).at("create the folder", folder)?;
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.partial", std::process::id()));
    let temporary = path.with_file_name(name);
    // What a process of the same number may have left is of no use.
    let _ = fs::remove_file(&temporary);
    let created = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary);
    let mut file = created.at("create", &temporary)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all()).at("write", &temporary);
    let renamed = written.and_then(|()| fs::rename(&temporary, path).at("replace", path));
    if renamed.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    Ok(renamed?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(5);

    fn read(path: &Path) -> Value {
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    }

    #[test]
    fn what_is_in_the_file_stays_in_its_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        let before = r#"{"psFormat":"x","auths":{"a.io":{"auth":"YTpi","email":"e"}},"HttpHeaders":{"A":"b"}}"#;
        fs::write(&path, before).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        store(&path, "docker.io", "me", "p:w", LIMIT).unwrap();
        let mut expected: Value = serde_json::from_str(before).unwrap();
        expected["auths"]["https://index.docker.io/v1/"] = json!({"auth": STANDARD.encode("me:p:w")});
        assert_eq!(read(&path), expected);
        let order: Vec<String> = read(&path).as_object().unwrap().keys().cloned().collect();
        assert_eq!(order, ["psFormat", "auths", "HttpHeaders"]);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(erase(&path, "index.docker.io", LIMIT).unwrap());
        assert!(!erase(&path, "docker.io", LIMIT).unwrap());
        assert_eq!(read(&path), serde_json::from_str::<Value>(before).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no partial file is left");
    }

    #[test]
    fn the_file_and_its_folder_are_made_and_other_spellings_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/config.json");
        store(&path, "r.io", "a", "1", LIMIT).unwrap();
        fs::write(&path, r#"{"auths":{"https://r.io/v2/":{"auth":"x"}}}"#).unwrap();
        store(&path, "r.io", "a", "2", LIMIT).unwrap();
        assert_eq!(read(&path), json!({"auths": {"r.io": {"auth": STANDARD.encode("a:2")}}}));
    }

    #[test]
    fn a_link_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real.json"), folder.path().join("config.json"));
        fs::write(&real, "{}").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        store(&link, "r.io", "a", "1", LIMIT).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert!(read(&real)["auths"]["r.io"].is_object());
    }

    #[test]
    fn a_file_that_is_no_json_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        for text in ["{", r#"{"auths": []}"#] {
            fs::write(&path, text).unwrap();
            assert!(store(&path, "r.io", "a", "1", LIMIT).is_err());
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }
}
