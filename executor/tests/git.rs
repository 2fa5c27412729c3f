//! Repositories of this machine: what a file address may do that no Dockerfile can say.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "support/tools.rs"]
mod tools;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use layercake_cache::Store;
use layercake_compiler::operation::{Git, Mtime};
use layercake_executor::build::cancel::Cancel;
use layercake_executor::git::{Access, Client, Error, Settings};
use tempfile::TempDir;

/// A folder for a store and repositories.
struct Place(TempDir);

impl Place {
    fn new() -> Option<Self> {
        tools::available(&["git"]).then(|| Self(TempDir::new().unwrap()))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A repository with these files, in one commit.
    fn repository(&self, name: &str, files: &[(&str, &str)]) -> String {
        let folder = self.path(name);
        git(&folder, &["init", "--quiet", "--initial-branch=main"]);
        for (path, content) in files {
            fs::write(folder.join(path), content).unwrap();
        }
        self.commit(name)
    }

    fn commit(&self, name: &str) -> String {
        let folder = self.path(name);
        git(&folder, &["add", "--all"]);
        git(&folder, &["commit", "--quiet", "--message=x"]);
        git(&folder, &["rev-parse", "HEAD"])
    }

    fn client(&self) -> Client {
        let variables = vec![("PATH".into(), std::env::var_os("PATH").unwrap())];
        let settings = Settings { variables, access: Access::Online, secrets: BTreeMap::new() };
        Client::new(Store::open(&self.path("store")).unwrap(), settings)
    }

    /// Takes what `git` says into a folder of this name.
    fn take(&self, git: &Git, into: &str) -> Result<PathBuf, Error> {
        let into = self.path(into);
        fs::create_dir(&into).unwrap();
        let (client, cancel) = (self.client(), Cancel::default());
        let pin = client.pin(git, &cancel)?;
        client.checkout(git, &pin, &into, &cancel)?;
        Ok(into)
    }
}

fn git(folder: &Path, args: &[&str]) -> String {
    fs::create_dir_all(folder).unwrap();
    let mut command = Command::new("git");
    command.current_dir(folder).args(["-c", "user.name=ann", "-c", "user.email=ann@example.org"]).args(args);
    command.env("HOME", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_COMMITTER_DATE", "1700000000 +0000");
    tools::run(&mut command).trim().to_owned()
}

fn of(remote: String) -> Git {
    Git {
        remote,
        credentials: None,
        reference: None,
        subdir: None,
        checksum: None,
        keep_git_dir: false,
        submodules: true,
        mtime: Mtime::Checkout,
        fetch_by_commit: false,
        paths: Vec::new(),
    }
}

#[test]
fn a_repository_of_this_machine_may_name_others() {
    let Some(place) = Place::new() else { return };
    let sub = place.repository("sub", &[("s", "s")]);
    place.repository("a", &[("a", "a")]);
    let url = place.path("sub").display().to_string();
    let settings = format!("[submodule \"s\"]\n\tpath = s\n\turl = {url}\n");
    fs::write(place.path("a/.gitmodules"), settings).unwrap();
    fs::create_dir(place.path("a/s")).unwrap();
    git(&place.path("a"), &["update-index", "--add", "--cacheinfo", &format!("160000,{sub},s")]);
    place.commit("a");
    let address = format!("file://{}", place.path("a").display());
    let taken = place.take(&of(address.clone()), "one").unwrap();
    assert_eq!(fs::read_to_string(taken.join("s/s")).unwrap(), "s");
    let without = Git { submodules: false, ..of(address) };
    assert!(!place.take(&without, "two").unwrap().join("s/s").exists());
    assert!(place.take(&of(place.path("a").display().to_string()), "three").is_ok());
}

#[test]
fn a_repository_with_longer_hashes() {
    let Some(place) = Place::new() else { return };
    git(&place.path("a"), &["init", "--quiet", "--initial-branch=main", "--object-format=sha256"]);
    fs::write(place.path("a/f"), "long").unwrap();
    let commit = place.commit("a");
    assert_eq!(commit.len(), 64);
    let address = format!("file://{}", place.path("a").display());
    let kept = Git { keep_git_dir: true, ..of(address.clone()) };
    let taken = place.take(&kept, "one").unwrap();
    assert_eq!(fs::read_to_string(taken.join("f")).unwrap(), "long");
    assert_eq!(git(&taken, &["rev-parse", "HEAD"]), commit);
    let by_commit = Git { reference: Some(commit), ..of(address) };
    assert!(place.take(&by_commit, "two").unwrap().join("f").exists());
}

#[test]
fn times_can_be_the_commits() {
    use std::os::unix::fs::MetadataExt;
    let Some(place) = Place::new() else { return };
    place.repository("a", &[("f", "1")]);
    let git = Git { mtime: Mtime::Commit, ..of(format!("file://{}", place.path("a").display())) };
    let taken = place.take(&git, "one").unwrap();
    assert_eq!([taken.join("f"), taken].map(|path| fs::metadata(path).unwrap().mtime()), [1_700_000_000; 2]);
}

#[test]
fn an_old_commit_that_no_branch_has_any_more() {
    let Some(place) = Place::new() else { return };
    let first = place.repository("a", &[("f", "1")]);
    fs::write(place.path("a/f"), "2").unwrap();
    git(&place.path("a"), &["commit", "--quiet", "--all", "--amend", "--message=y"]);
    let git = Git { reference: Some(first), ..of(format!("file://{}", place.path("a").display())) };
    assert_eq!(fs::read_to_string(place.take(&git, "one").unwrap().join("f")).unwrap(), "1");
}

#[test]
fn a_build_that_is_stopped_asks_nobody() {
    let Some(place) = Place::new() else { return };
    place.repository("a", &[("f", "1")]);
    let cancel = Cancel::default();
    cancel.cancel();
    let git = of(format!("file://{}", place.path("a").display()));
    assert!(matches!(place.client().pin(&git, &cancel), Err(Error::Cancelled)));
}
