//! The files of a commit, in a folder: all of them, those of one folder, or those that are read, with submodules, and with
//! `.git` if wanted.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use layercake_cache::Scratch;
use layercake_compiler::operation::{Git, Mtime};
use rustix::fs::{AtFlags, CWD, FileType, Timespec, Timestamps, utimensat};

use super::client::{Asked, Client};
use super::error::Error;
use super::projection::{self, Entries, Entry};
use super::reference::Pin;
use super::remote::Remote;
use super::repository::{Ready, Repository, format_of, is_damage, kept};
use super::submodule::{self, Submodule};
use crate::build::cancel::Cancel;
use crate::fault::{At, PathError};
use crate::root::{Root, kind};

/// Puts the files of a commit into the empty folder `into`.
pub(super) fn checkout(
    client: &Client,
    remote: &Remote,
    git: &Git,
    pin: &Pin,
    into: &Path,
    cancel: &Cancel,
) -> Result<(), Error> {
    let scratch = client.store.scratch()?;
    let subdir = git.subdir.as_deref().map(plain).filter(|subdir| !subdir.is_empty());
    let job = Job { client, asked: Asked(remote), submodules: git.submodules, scratch: &scratch, cancel };
    let commit = Commit { remote, object: &pin.object, commit: &pin.commit, paths: &git.paths };
    match subdir {
        Some(subdir) => job.folder(&commit, into, &subdir)?,
        None => {
            let keep =
                git.keep_git_dir.then(|| Keep { folder: into.join(".git"), reference: pin.reference.as_deref() });
            job.fill(&commit, into, "", keep.as_ref())?;
        }
    }
    match git.mtime {
        Mtime::Checkout => Ok(()),
        Mtime::Commit => set_times(into, job.time(&commit)?),
    }
}

/// What holds for a repository and all its submodules.
struct Job<'a> {
    client: &'a Client,
    asked: Asked<'a>,
    submodules: bool,
    scratch: &'a Scratch,
    cancel: &'a Cancel,
}

/// What is put into a folder.
struct Commit<'a> {
    remote: &'a Remote,
    /// The commit, or the tag that leads to it.
    object: &'a str,
    commit: &'a str,
    /// What is read of it, below the folder that becomes the root; empty is everything.
    paths: &'a [String],
}

/// The `.git` that is kept.
struct Keep<'a> {
    folder: PathBuf,
    reference: Option<&'a str>,
}

impl Job<'_> {
    /// Puts the files of a folder of the commit into `into`. As for BuildKit, a folder of a repository has no `.git`.
    fn folder(&self, commit: &Commit<'_>, into: &Path, subdir: &str) -> Result<(), Error> {
        let all = self.scratch.path().join("all");
        fs::create_dir(&all).at("create the folder", &all)?;
        self.fill(commit, &all, subdir, None)?;
        if !commit.paths.is_empty() {
            // Perhaps nothing in it is read.
            make_folder(&all, subdir)?;
        }
        check_folder(&all, subdir, commit.commit)?;
        let folder = all.join(subdir);
        for entry in fs::read_dir(&folder).at("list", &folder)? {
            let entry = entry.at("list", &folder)?;
            fs::rename(entry.path(), into.join(entry.file_name())).at("move", &entry.path())?;
        }
        Ok(())
    }

    /// When a commit that is here was made, in seconds since 1970.
    fn time(&self, commit: &Commit<'_>) -> Result<i64, Error> {
        let format = format_of(commit.object);
        let repository = Repository::open(self.client, commit.remote, self.asked, format, self.cancel);
        let ready = repository.ready(commit.object)?;
        let command = self.client.local(self.cancel).repository(ready.path());
        let text = command.args(["log", "-1", "--format=%ct", commit.commit]).output()?.text()?;
        // A time that is none is the commit's own fault, and no reason to give up its files.
        Ok(text.parse().unwrap_or(0))
    }

    /// Puts the files of a commit into `into`: those below `subdir`, or all if that is empty.
    fn fill(&self, commit: &Commit<'_>, into: &Path, subdir: &str, keep: Option<&Keep<'_>>) -> Result<(), Error> {
        let format = format_of(commit.object);
        let repository = Repository::open(self.client, commit.remote, self.asked, format, self.cancel);
        let ready = repository.ready(commit.object)?;
        let submodules = match self.files(&ready, commit, into, subdir, keep) {
            // What was fetched long ago may have been damaged since.
            Err(error) if is_damage(&error) => {
                drop(ready);
                repository.reset()?;
                empty(into)?;
                self.files(&repository.ready(commit.object)?, commit, into, subdir, keep)?
            }
            result => result?,
        };
        for submodule in submodules {
            let path = submodule.path.clone();
            self.submodule(commit.remote, &submodule, into, subdir, keep).map_err(|cause| match cause {
                Error::Cancelled => Error::Cancelled,
                cause => Error::Submodule { path, cause: Box::new(cause) },
            })?;
        }
        Ok(())
    }

    fn submodule(
        &self,
        parent: &Remote,
        submodule: &Submodule,
        into: &Path,
        subdir: &str,
        keep: Option<&Keep<'_>>,
    ) -> Result<(), Error> {
        // What is wanted may lie in it.
        let inner = subdir.strip_prefix(&format!("{}/", submodule.path)).unwrap_or_default();
        let url = submodule.url.as_deref().ok_or_else(|| Error::NoSubmoduleUrl(submodule.path.clone()))?;
        let remote = parent.submodule(url)?;
        let folder = into.join(&submodule.path);
        make_folder(into, &submodule.path)?;
        let commit = Commit { remote: &remote, object: &submodule.commit, commit: &submodule.commit, paths: &[] };
        let Some(keep) = keep else { return self.fill(&commit, &folder, inner, None) };
        // As `git submodule` has it: the repository lies in that of the whole, and a file leads there.
        let own = keep.folder.join("modules").join(&submodule.name);
        self.fill(&commit, &folder, inner, Some(&Keep { folder: own.clone(), reference: None }))?;
        let depth = |from: &Path| "../".repeat(from.components().count());
        let inside = |path: &Path| path.strip_prefix(into).unwrap_or(path).to_owned();
        let link = folder.join(".git");
        let text = format!("gitdir: {}{}\n", depth(&inside(&folder)), inside(&own).display());
        fs::write(&link, text).at("write", &link)?;
        let back = format!("{}{}", depth(&inside(&own)), inside(&folder).display());
        self.configure(&own, "core.worktree", &back)?;
        self.configure(&keep.folder, &format!("submodule.{}.active", submodule.name), "true")?;
        self.configure(&keep.folder, &format!("submodule.{}.url", submodule.name), remote.address())
    }

    /// Writes the files of the commit itself, and says which submodules are to follow.
    fn files(
        &self,
        ready: &Ready,
        commit: &Commit<'_>,
        into: &Path,
        subdir: &str,
        keep: Option<&Keep<'_>>,
    ) -> Result<Vec<Submodule>, Error> {
        let temporary = self.scratch.path().join(format!("index-{}", commit.commit));
        let (folder, index) = match keep {
            Some(keep) => {
                self.keep(ready, commit, keep)?;
                (keep.folder.clone(), keep.folder.join("index"))
            }
            None => (ready.path().to_owned(), temporary),
        };
        let at = || self.client.local(self.cancel).repository(&folder);
        let kind = at().args(["cat-file", "-t", commit.commit]).output()?.text()?;
        if kind != "commit" {
            return Err(Error::NotACommit(commit.commit.to_owned()));
        }
        self.check_parts(&folder, commit.commit, subdir)?;
        // An index that knows nothing of the files on this disk is the same on every machine.
        let here = || self.client.local(self.cancel).repository(&folder).files(into, &index);
        here().args(["read-tree", "--reset", commit.commit]).output()?;
        if !commit.paths.is_empty() {
            let listed = here().args(["ls-files", "-z", "--stage"]).output()?.bytes()?;
            let entries = projection::entries(&listed);
            let targets = self.targets(&folder, &entries)?;
            if let Some(files) = projection::files(&entries, subdir, commit.paths, &targets) {
                let listed = files.join(&0);
                here().args(["checkout-index", "--quiet", "--force", "-z", "--stdin"]).feed_bytes(&listed)?;
                // None of them lies in a submodule.
                return Ok(Vec::new());
            }
        }
        if subdir.is_empty() {
            here().args(["checkout-index", "--quiet", "--all", "--force"]).output()?;
        } else {
            let paths = [format!(":(literal,top){subdir}")];
            let listed = here().args(["ls-files", "-z", "--cached", "--"]).args(paths).output()?.into_output()?;
            here().args(["checkout-index", "--quiet", "--force", "-z", "--stdin"]).feed(listed)?;
        }
        if !self.submodules {
            return Ok(Vec::new());
        }
        let entries = here().args(["ls-files", "-z", "--stage"]).output()?.bytes()?;
        let links = submodule::links(&entries);
        if links.is_empty() {
            return Ok(Vec::new());
        }
        let blob = format!("--blob={}:.gitmodules", commit.commit);
        let settings = at().args(["config", "-z", &blob, "--get-regexp", r"^submodule\."]).ask()?;
        // Without the file, or with nothing in it, no submodule has an address.
        let settings = if settings.is_success { settings.bytes()? } else { Vec::new() };
        let wanted = |path: &str| {
            let below = |inner: &str, outer: &str| {
                outer.is_empty() || inner == outer || inner.starts_with(&format!("{outer}/"))
            };
            below(path, subdir) || below(subdir, path)
        };
        Ok(submodule::submodules(links, &settings).into_iter().filter(|submodule| wanted(&submodule.path)).collect())
    }

    /// What the symbolic links of a commit lead to, by their objects.
    fn targets<'e>(&self, repository: &Path, entries: &'e Entries) -> Result<BTreeMap<&'e str, Vec<u8>>, Error> {
        let objects = entries.values().filter_map(|entry| match entry {
            Entry::Link(object) => Some(object.as_str()),
            Entry::File | Entry::Submodule => None,
        });
        let mut targets: BTreeMap<&str, Vec<u8>> = objects.map(|object| (object, Vec::new())).collect();
        let asked: String = targets.keys().flat_map(|object| [*object, "\n"]).collect();
        let command = self.client.local(self.cancel).repository(repository).args(["cat-file", "--batch"]);
        let answer = command.feed_bytes(asked.as_bytes())?.bytes()?;
        let mut rest = answer.as_slice();
        // For each in turn a line `object type size`, and that many bytes on lines of their own.
        for target in targets.values_mut() {
            let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
            let size = String::from_utf8_lossy(&rest[..end]).rsplit(' ').next().and_then(|size| size.parse().ok());
            let content = rest.get(end + 1..).zip(size).and_then(|(rest, size)| rest.split_at_checked(size));
            // What is missing has its line alone. The checkout will say so of the link itself.
            let Some((content, after)) = content else {
                rest = rest.get(end + 1..).unwrap_or_default();
                continue;
            };
            content.clone_into(target);
            rest = after.get(1..).unwrap_or_default();
        }
        Ok(targets)
    }

    /// Checks that the folder that is wanted is one in the commit, as far as the commit itself goes.
    fn check_parts(&self, repository: &Path, commit: &str, subdir: &str) -> Result<(), Error> {
        let ends = subdir.match_indices('/').map(|(at, _)| at).chain([subdir.len()]).filter(|end| *end > 0);
        for part in ends.map(|end| &subdir[..end]) {
            let command = self.client.local(self.cancel).repository(repository);
            let found = command.args(["ls-tree", "-z", "--full-tree", commit, "--", part]).output()?.text()?;
            match found.split(' ').next() {
                Some("040000") => (),
                // The rest lies in a submodule.
                Some("160000") if self.submodules => return Ok(()),
                Some("") | None => {
                    return Err(Error::NoSubdir { subdir: subdir.to_owned(), commit: commit.to_owned() });
                }
                Some(_) => return Err(Error::NotAFolder { subdir: subdir.to_owned(), part: part.to_owned() }),
            }
        }
        Ok(())
    }

    /// Makes the repository that stays beside the files: the commit with nothing of its history, as the store has it.
    fn keep(&self, ready: &Ready, commit: &Commit<'_>, keep: &Keep<'_>) -> Result<(), Error> {
        fs::create_dir_all(&keep.folder).at("create the folder", &keep.folder)?;
        let at = || self.client.local(self.cancel).repository(&keep.folder);
        let format = format!("--object-format={}", format_of(commit.object));
        let format = (format_of(commit.object) != "sha1").then_some(format);
        at().args(["init", "--quiet", "--bare", "--template="]).args(format).output()?;
        self.configure(&keep.folder, "core.bare", "false")?;
        self.configure(&keep.folder, "remote.origin.url", commit.remote.address())?;
        self.configure(&keep.folder, "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*")?;
        let target = keep.reference.map_or_else(|| kept(commit.object), str::to_owned);
        let wanted = format!("+{}:{target}", kept(commit.object));
        let command = at().args(["fetch", "--quiet", "--update-head-ok", "--depth=1", "--no-tags", "--"]);
        command.arg(ready.path()).args([wanted]).output()?;
        let note = keep.folder.join("FETCH_HEAD");
        fs::remove_file(&note).at("remove", &note)?;
        at().args(["update-ref", "--no-deref", "HEAD", commit.commit]).output()?;
        if keep.reference.is_none() {
            // The commit alone is kept, and under no name of ours.
            at().args(["update-ref", "-d", &target]).output()?;
            let names = keep.folder.join("refs/layercake");
            fs::remove_dir_all(&names).at("remove", &names)?;
        }
        Ok(())
    }

    fn configure(&self, folder: &Path, name: &str, value: &str) -> Result<(), Error> {
        let command = self.client.local(self.cancel).repository(folder);
        command.args(["config", "--file"]).arg(&folder.join("config")).args([name, value]).output().map(drop)
    }
}

/// A path of a folder without `.`, `..` and slashes that say nothing; `..` leads up, but never out.
fn plain(path: &str) -> String {
    layercake_compiler::path::clean(&format!("/{path}")).trim_start_matches('/').to_owned()
}

/// Checks that a path below `root` leads over folders to a folder, and over no link.
fn check_folder(root: &Path, path: &str, commit: &str) -> Result<(), Error> {
    over_folders(root, path, |_| Err(Error::NoSubdir { subdir: path.to_owned(), commit: commit.to_owned() }))
}

/// Makes a folder below `root`, and the folders on the way to it. None of them is a link.
fn make_folder(root: &Path, path: &str) -> Result<(), Error> {
    over_folders(root, path, |part| Ok(fs::create_dir(root.join(part)).at("create the folder", part)?))
}

/// Goes down a path below `root`, over folders and no links. `missing` is what becomes of a part that is not there.
fn over_folders(root: &Path, path: &str, missing: impl Fn(&Path) -> Result<(), Error>) -> Result<(), Error> {
    let opened = Root::open(root)?;
    let mut part = PathBuf::new();
    for name in path.split('/') {
        part.push(name);
        match opened.stat(&part).at("look at", &part)? {
            Some(stat) if kind(&stat) == FileType::Directory => (),
            Some(_) => {
                return Err(Error::NotAFolder { subdir: path.to_owned(), part: part.display().to_string() });
            }
            None => missing(&part)?,
        }
    }
    Ok(())
}

/// Sets the time of everything in a folder and of the folder itself.
fn set_times(folder: &Path, seconds: i64) -> Result<(), Error> {
    let time = Timespec { tv_sec: seconds, tv_nsec: 0 };
    let times = Timestamps { last_access: time, last_modification: time };
    for entry in walkdir::WalkDir::new(folder).contents_first(true) {
        let entry = entry.map_err(|error| PathError::new("list", folder, error))?;
        utimensat(CWD, entry.path(), &times, AtFlags::SYMLINK_NOFOLLOW).at("set the time of", entry.path())?;
    }
    Ok(())
}

fn empty(folder: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(folder).at("list", folder)? {
        let path = entry.at("list", folder)?.path();
        let is_folder = fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir());
        let removed = if is_folder { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.at("remove", &path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn paths_lead_up_but_never_out() {
        for (path, expected) in
            [("a/b", "a/b"), ("/a/./b/", "a/b"), ("../../a", "a"), ("a/../..", ""), (".", ""), ("", "")]
        {
            assert_eq!(plain(path), expected, "{path}");
        }
    }
}
