//! [`Repository`]: the bare repository of the store that holds what was fetched from one remote, so that the next fetch brings
//! what is new only. Every commit has a reference of its own there, which is written when all of it is there.

use std::fs;
use std::path::{Path, PathBuf};

use layercake_cache::{SharedFolder, Sharing};

use super::client::{Access, Asked, Client};
use super::error::Error;
use super::remote::Remote;
use crate::build::cancel::Cancel;
use crate::fault::At;

/// Where the references to commits and tags are that builds have asked for.
const KEPT: &str = "refs/layercake/kept";

/// Where the references of the remote are, in a repository that all of it was fetched into.
const ALL: &str = "refs/layercake/all";

/// So many packs are one too many for `git` to be quick.
const MOST_PACKS: usize = 32;

/// What `git` says of a repository that something has happened to.
const DAMAGE: [&str; 13] = [
    "not a git repository",
    "corrupt",
    "is empty",
    "bad object",
    "missing",
    "unable to read",
    "unable to parse",
    "cannot lock",
    "did not send all necessary",
    "packfile",
    "index file",
    "could not get object info",
    "failed to unpack",
];

/// The repository of the store for one remote.
pub(super) struct Repository<'a> {
    client: &'a Client,
    remote: &'a Remote,
    asked: Asked<'a>,
    format: &'static str,
    cancel: &'a Cancel,
}

/// A repository that has what is wanted, for as long as this lives.
pub(super) struct Ready {
    folder: SharedFolder,
}

impl Ready {
    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// The name of the reference to an object.
pub(super) fn kept(object: &str) -> String {
    format!("{KEPT}/{object}")
}

/// The kind of hash that an object has.
pub(super) fn format_of(object: &str) -> &'static str {
    if object.len() == 64 { "sha256" } else { "sha1" }
}

impl<'a> Repository<'a> {
    /// That for `remote` whose objects have hashes of this format.
    pub(super) fn open(
        client: &'a Client,
        remote: &'a Remote,
        asked: Asked<'a>,
        format: &'static str,
        cancel: &'a Cancel,
    ) -> Self {
        Self { client, remote, asked, format, cancel }
    }

    /// Fetches an object, if it is not here already.
    pub(super) fn ready(&self, object: &str) -> Result<Ready, Error> {
        // Between the fetch and the use, somebody may find the repository damaged and empty it.
        for _ in 0..3 {
            let shared = self.folder(Sharing::Shared)?;
            if self.has(shared.path(), object)? {
                return Ok(Ready { folder: shared });
            }
            drop(shared);
            self.check_access(object)?;
            let own = self.folder(Sharing::Locked)?;
            if !self.has(own.path(), object)? {
                self.on_sound(own.path(), |path| self.fetch(path, object))?;
                self.tidy(own.path())?;
            }
        }
        Err(Error::NoCommit { remote: self.remote.address().to_owned(), commit: object.to_owned() })
    }

    /// Throws away what is here, for it has turned out to be damaged.
    pub(super) fn reset(&self) -> Result<(), Error> {
        let own = self.folder(Sharing::Locked)?;
        self.empty(own.path())
    }

    /// The whole hash of the only commit that begins so.
    pub(super) fn complete(&self, beginning: &str) -> Result<String, Error> {
        let own = self.folder(Sharing::Locked)?;
        let find = || {
            let arg = format!("--disambiguate={beginning}");
            let found = self.client.local(self.cancel).repository(own.path()).args(["rev-parse", &arg]).output()?;
            let mut commits = Vec::new();
            for object in found.text()?.lines().map(str::to_owned) {
                if self.is_commit(own.path(), &object)? {
                    commits.push(object);
                }
            }
            Ok::<_, Error>(commits)
        };
        let mut commits = find()?;
        if commits.is_empty() {
            self.check_access(beginning)?;
            self.on_sound(own.path(), |path| self.fetch_all(path))?;
            commits = find()?;
        }
        let (remote, reference) = (self.remote.address().to_owned(), beginning.to_owned());
        match commits.as_slice() {
            [] => Err(Error::NoReference { remote, reference }),
            [commit] => {
                self.keep(own.path(), commit)?;
                Ok(commit.clone())
            }
            _ => Err(Error::Ambiguous { remote, reference }),
        }
    }

    fn folder(&self, sharing: Sharing) -> Result<SharedFolder, Error> {
        let name = format!("git {} {}", self.format, self.remote.address());
        self.client.store.shared_folder(&name, sharing, |path| self.begin(path))
    }

    fn begin(&self, path: &Path) -> Result<(), Error> {
        let format = format!("--object-format={}", self.format);
        // An old `git` knows one format only, and no name for it.
        let format = (self.format != "sha1").then_some(format);
        let command = self.client.local(self.cancel).repository(path);
        command.args(["init", "--quiet", "--bare", "--template="]).args(format).output()?;
        Ok(())
    }

    fn empty(&self, path: &Path) -> Result<(), Error> {
        for entry in fs::read_dir(path).at("list", path)? {
            let entry = entry.at("list", path)?.path();
            let removed = if entry.is_dir() { fs::remove_dir_all(&entry) } else { fs::remove_file(&entry) };
            removed.at("remove", &entry)?;
        }
        self.begin(path)
    }

    fn has(&self, path: &Path, object: &str) -> Result<bool, Error> {
        let command = self.client.local(self.cancel).repository(path);
        Ok(command.args(["rev-parse", "--quiet", "--verify", &kept(object)]).ask()?.is_success)
    }

    fn is_commit(&self, path: &Path, object: &str) -> Result<bool, Error> {
        let command = self.client.local(self.cancel).repository(path);
        Ok(command.args(["cat-file", "-e", &format!("{object}^{{commit}}")]).ask()?.is_success)
    }

    fn keep(&self, path: &Path, object: &str) -> Result<(), Error> {
        let command = self.client.local(self.cancel).repository(path);
        command.args(["update-ref", &kept(object), object]).output().map(drop)
    }

    fn check_access(&self, object: &str) -> Result<(), Error> {
        match self.client.access() {
            Access::Online => Ok(()),
            Access::Offline => {
                Err(Error::Offline { remote: self.remote.address().to_owned(), what: format!("the commit {object}") })
            }
        }
    }

    /// Fetches into a repository, and once more into an empty one if this one is damaged.
    fn on_sound(&self, path: &Path, fetch: impl Fn(&Path) -> Result<(), Error>) -> Result<(), Error> {
        unlock(path)?;
        match fetch(path) {
            Err(error) if is_damage(&error) => {
                self.empty(path)?;
                fetch(path)
            }
            result => result,
        }
    }

    /// Fetches one object with nothing of its history, or where the server does not give single objects away, everything.
    fn fetch(&self, path: &Path, object: &str) -> Result<(), Error> {
        let wanted = format!("+{object}:{}", kept(object));
        match self.fetch_references(path, &["--depth=1", "--no-tags"], &[&wanted]) {
            Err(Error::NoCommit { .. }) => (),
            result => return result,
        }
        self.fetch_all(path)?;
        let no_commit = || Error::NoCommit { remote: self.remote.address().to_owned(), commit: object.to_owned() };
        let command = self.client.local(self.cancel).repository(path);
        if !command.args(["cat-file", "-e", object]).ask()?.is_success {
            return Err(no_commit());
        }
        self.keep(path, object)
    }

    /// Fetches all branches and tags with their history.
    fn fetch_all(&self, path: &Path) -> Result<(), Error> {
        let all = [format!("+refs/heads/*:{ALL}/heads/*"), format!("+refs/tags/*:{ALL}/tags/*")];
        let unshallow: &[&str] = if path.join("shallow").exists() { &["--unshallow"] } else { &[] };
        let options = [&["--no-tags", "--prune"], unshallow].concat();
        self.fetch_references(path, &options, &[&all[0], &all[1]])
    }

    fn fetch_references(&self, path: &Path, options: &[&str], references: &[&str]) -> Result<(), Error> {
        let run = |options: &[&str]| {
            let command = self.client.remote(self.remote, self.asked, self.cancel).repository(path);
            let command = command.args(["fetch", "--quiet", "--no-recurse-submodules"]);
            command.args(options).args(["--", self.remote.address()]).args(references).ask()
        };
        let mut finished = run(options)?;
        // Of a server that knows nothing but files, all of the history comes.
        if !finished.is_success && finished.words().contains("does not support shallow") {
            let options: Vec<&str> = options.iter().copied().filter(|option| *option != "--depth=1").collect();
            finished = run(&options)?;
        }
        if finished.is_success { Ok(()) } else { Err(refusal(self.remote, &finished.words())) }
    }

    /// Makes few packs of many.
    fn tidy(&self, path: &Path) -> Result<(), Error> {
        let packs = fs::read_dir(path.join("objects/pack")).into_iter().flatten().flatten();
        let packs = packs.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "pack")).count();
        if packs > MOST_PACKS {
            let command = self.client.local(self.cancel).repository(path);
            // Whoever reads meanwhile finds every object in the old packs or in the new one.
            command.args(["repack", "-a", "-d", "--quiet"]).ask()?;
        }
        Ok(())
    }
}

/// Whether a failure says that the repository is damaged.
pub(super) fn is_damage(error: &Error) -> bool {
    match error {
        Error::Local { words, .. } | Error::Fetch { words, .. } => DAMAGE.iter().any(|of| words.contains(of)),
        _ => false,
    }
}

/// Removes what a `git` has left that was killed, locks and unfinished packs: whoever has the folder to himself is the only
/// one at work.
fn unlock(path: &Path) -> Result<(), Error> {
    let mut folders: Vec<PathBuf> = vec![path.join("refs")];
    let mut locks = vec![path.join("shallow.lock"), path.join("packed-refs.lock"), path.join("config.lock")];
    let packs = fs::read_dir(path.join("objects/pack")).into_iter().flatten().flatten();
    locks.extend(
        packs.filter(|entry| entry.file_name().as_encoded_bytes().starts_with(b"tmp_")).map(|entry| entry.path()),
    );
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "lock") {
                locks.push(path);
            }
        }
    }
    for lock in locks.into_iter().filter(|lock| lock.exists()) {
        fs::remove_file(&lock).at("remove", &lock)?;
    }
    Ok(())
}

/// What the words of a `git` that has spoken with a remote mean. They are those of the locale `C`.
pub(super) fn refusal(remote: &Remote, words: &str) -> Error {
    let (remote, words) = (remote.address().to_owned(), words.to_owned());
    let says = |texts: &[&str]| texts.iter().any(|text| words.contains(text));
    if says(&["not our ref", "unadvertised object", "couldn't find remote ref", "no such remote ref"]) {
        let commit = words.split_whitespace().rev().find(|word| word.len() >= 40).unwrap_or("that").to_owned();
        Error::NoCommit { remote, commit }
    } else if says(&["Host key verification failed", "REMOTE HOST IDENTIFICATION HAS CHANGED"]) {
        Error::HostKey { remote, words }
    } else if says(&[
        "terminal prompts disabled",
        "could not read Username",
        "could not read Password",
        "Authentication failed",
        "Permission denied (",
        "Invalid username or",
        "error: 401",
        "error: 403",
    ]) {
        Error::Authentication { remote, words }
    } else if says(&["Could not resolve host", "unable to look up", "Failed to connect", "Could not connect"])
        || says(&["Connection refused", "Connection timed out", "Network is unreachable", "No route to host"])
        || says(&["Operation too slow", "Connection reset", "Couldn't connect", "Could not resolve hostname"])
        || says(&["unable to connect", "error: 5", "SSL", "certificate"])
    {
        Error::Unreachable { remote, words }
    } else if says(&["not found", "does not appear to be a git repository", "does not exist", "no such repository"])
        || says(&["repository not exported", "error: 404"])
    {
        Error::NoRepository { remote, words }
    } else {
        Error::Fetch { remote, words }
    }
}
