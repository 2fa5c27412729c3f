//! [`Pin`]: the commit that a reference is at, found out with one question, or with none where it is a commit itself.

use layercake_compiler::operation::Git;
use serde::{Deserialize, Serialize};

use super::client::{Access, Asked, Client};
use super::error::Error;
use super::remote::Remote;
use super::repository::{self, Repository};
use crate::build::cancel::Cancel;

/// The shelf of the store that remembers what references were at, for builds that may ask nobody.
const SHELF: &str = "git-references";

/// What a reference is at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// The commit.
    pub commit: String,
    /// What the reference names: the commit, or an annotated tag that leads to it.
    pub object: String,
    /// The whole name of the reference, such as `refs/heads/main`; `None` for a commit.
    pub reference: Option<String>,
}

impl Pin {
    fn commit(commit: &str) -> Self {
        Self { commit: commit.to_owned(), object: commit.to_owned(), reference: None }
    }

    /// Holds it to the commit that it must be.
    pub(super) fn verify(&self, checksum: Option<&str>) -> Result<(), Error> {
        let Some(expected) = checksum else { return Ok(()) };
        if self.commit.starts_with(expected) || self.object.starts_with(expected) {
            return Ok(());
        }
        let found = if self.commit == self.object {
            self.commit.clone()
        } else {
            format!("{} or {}", self.object, self.commit)
        };
        Err(Error::Checksum { expected: expected.to_owned(), found })
    }
}

/// Whether a text is the whole hash of an object: of SHA-1, or of SHA-256.
pub(super) fn is_full_hash(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether a text can be the beginning of a hash; `git` takes no fewer than four digits.
fn is_abbreviation(text: &str) -> bool {
    (4..40).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Checks what can be checked without asking.
pub(super) fn check(git: &Git) -> Result<(), Error> {
    if let Some(reference) = &git.reference {
        // Git forbids the rest in names of its own; here they could mean something else than a name.
        let is_odd = |c: char| c.is_control() || matches!(c, ' ' | '~' | '^' | ':' | '?' | '*' | '[' | '\\');
        if reference.starts_with('-') || reference.contains(is_odd) || reference.contains("..") {
            return Err(Error::InvalidReference(reference.clone()));
        }
    }
    match &git.checksum {
        Some(checksum) if !checksum.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            Err(Error::InvalidChecksum(checksum.clone()))
        }
        _ => Ok(()),
    }
}

/// The commit, where what was written says it.
pub(super) fn given(git: &Git) -> Result<Option<Pin>, Error> {
    if let Some(commit) = git.reference.as_deref().filter(|reference| is_full_hash(reference)) {
        let pin = Pin::commit(commit);
        pin.verify(git.checksum.as_deref())?;
        return Ok(Some(pin));
    }
    if !git.fetch_by_commit {
        return Ok(None);
    }
    let Some(commit) = git.checksum.as_deref().filter(|checksum| is_full_hash(checksum)) else {
        return Err(Error::NotAFullCommit { found: git.checksum.clone() });
    };
    // As BuildKit: a name without `refs/` is a branch's; nobody is asked whether there is one.
    let reference = git.reference.as_deref();
    let reference =
        reference.map(|name| if name.starts_with("refs/") { name.into() } else { format!("refs/heads/{name}") });
    Ok(Some(Pin { reference, ..Pin::commit(commit) }))
}

/// Finds out what a reference is at: by asking, or where nobody may be asked, from what an earlier build found out.
pub(super) fn find(client: &Client, remote: &Remote, reference: Option<&str>, cancel: &Cancel) -> Result<Pin, Error> {
    let name = format!("{} {}", remote.address(), reference.unwrap_or_default());
    if client.access() == Access::Offline {
        let known = client.store.named(SHELF, &name)?;
        let what = reference.map_or_else(|| "the default branch".to_owned(), |name| format!("`{name}`"));
        return known
            .and_then(|known| serde_json::from_slice(&known).ok())
            .ok_or_else(|| Error::Offline { remote: remote.address().to_owned(), what });
    }
    let pin = ask(client, remote, reference, cancel)?;
    client.store.put_named(SHELF, &name, &serde_json::to_vec(&pin).expect("texts are always JSON"))?;
    Ok(pin)
}

fn ask(client: &Client, remote: &Remote, reference: Option<&str>, cancel: &Cancel) -> Result<Pin, Error> {
    let peeled = reference.map(|reference| format!("{reference}^{{}}"));
    let patterns = [reference.unwrap_or("HEAD"), peeled.as_deref().unwrap_or("HEAD")];
    let command = client.remote(remote, Asked(remote), cancel);
    let finished = command.args(["ls-remote", "--symref", "--", remote.address()]).args(patterns).ask()?;
    if !finished.is_success {
        return Err(repository::refusal(remote, &finished.words()));
    }
    let answer = Answer::read(&finished.text()?);
    let Some(reference) = reference else {
        let commit = answer.of("HEAD").ok_or_else(|| Error::NoDefaultBranch(remote.address().to_owned()))?;
        return Ok(Pin { reference: answer.head, ..Pin::commit(&commit) });
    };
    if let Some(pin) = answer.pin(reference) {
        return Ok(pin);
    }
    if is_abbreviation(reference) {
        let repository = Repository::open(client, remote, Asked(remote), "sha1", cancel);
        return Ok(Pin::commit(&repository.complete(&reference.to_ascii_lowercase())?));
    }
    Err(Error::NoReference { remote: remote.address().to_owned(), reference: reference.to_owned() })
}

/// What `git ls-remote` says.
#[derive(Debug, Default)]
struct Answer {
    /// Names and hashes.
    references: Vec<(String, String)>,
    /// The branch that `HEAD` is.
    head: Option<String>,
}

impl Answer {
    fn read(text: &str) -> Self {
        let mut answer = Self::default();
        for (value, name) in text.lines().filter_map(|line| line.split_once('\t')) {
            match value.strip_prefix("ref: ") {
                Some(target) if name == "HEAD" => answer.head = Some(target.to_owned()),
                Some(_) => (),
                None if is_full_hash(value) => answer.references.push((name.to_owned(), value.to_owned())),
                None => (),
            }
        }
        answer
    }

    fn of(&self, name: &str) -> Option<String> {
        self.references.iter().find(|(found, _)| found == name).map(|(_, hash)| hash.clone())
    }

    /// What a name means. As for BuildKit, a name from `refs/` on goes before a branch, and that before a tag.
    fn pin(&self, name: &str) -> Option<Pin> {
        let whole = format!("refs/{}", name.trim_start_matches("refs/"));
        let branch = format!("refs/heads/{}", name.strip_prefix("refs/heads/").unwrap_or(name));
        let tag = format!("refs/tags/{}", name.strip_prefix("refs/tags/").unwrap_or(name));
        let (reference, object) = [whole, branch, tag].into_iter().find_map(|name| {
            let object = self.of(&name)?;
            Some((name, object))
        })?;
        let commit = self.of(&format!("{reference}^{{}}")).unwrap_or_else(|| object.clone());
        Some(Pin { commit, object, reference: Some(reference) })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use layercake_compiler::operation::Mtime;

    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    fn git(reference: Option<&str>, checksum: Option<&str>) -> Git {
        Git {
            remote: "https://h/a.git".to_owned(),
            credentials: None,
            reference: reference.map(str::to_owned),
            subdir: None,
            checksum: checksum.map(str::to_owned),
            keep_git_dir: false,
            submodules: true,
            mtime: Mtime::default(),
            fetch_by_commit: false,
            paths: Vec::new(),
        }
    }

    #[test]
    fn a_branch_goes_before_a_tag_of_its_name() {
        let answer = Answer::read(&format!("{A}\trefs/heads/x\n{B}\trefs/tags/x\n{A}\trefs/heads/deep/x\n"));
        assert_eq!(answer.pin("x").unwrap().reference.as_deref(), Some("refs/heads/x"));
        assert_eq!(answer.pin("refs/tags/x").unwrap().commit, B);
        assert_eq!(answer.pin("tags/x").unwrap().commit, B);
        assert_eq!(answer.pin("heads/x").unwrap().commit, A);
        assert_eq!(answer.pin("y"), None);
    }

    #[test]
    fn an_annotated_tag_leads_to_a_commit() {
        let pin = Answer::read(&format!("{B}\trefs/tags/v1\n{A}\trefs/tags/v1^{{}}\n")).pin("v1").unwrap();
        assert_eq!((pin.commit.as_str(), pin.object.as_str()), (A, B));
        assert!(pin.verify(Some("aaaa")).is_ok() && pin.verify(Some("bbbb")).is_ok());
        let error = pin.verify(Some("cccc")).unwrap_err().to_string();
        assert_eq!(error, format!("expected checksum to match cccc, got {B} or {A}"));
    }

    #[test]
    fn the_default_branch_is_what_head_is() {
        let answer = Answer::read(&format!("ref: refs/heads/trunk\tHEAD\n{A}\tHEAD\n"));
        assert_eq!((answer.of("HEAD").as_deref(), answer.head.as_deref()), (Some(A), Some("refs/heads/trunk")));
    }

    #[test]
    fn a_whole_commit_is_asked_about_by_nobody() {
        assert_eq!(given(&git(Some(A), None)).unwrap(), Some(Pin::commit(A)));
        assert!(given(&git(Some(A), Some("aaaa"))).unwrap().is_some());
        assert!(given(&git(Some(A), Some(B))).is_err());
        assert_eq!(given(&git(Some("main"), Some(A))).unwrap(), None);
        let by_commit = Git { fetch_by_commit: true, ..git(Some("main"), Some(A)) };
        assert_eq!(given(&by_commit).unwrap().unwrap().reference.as_deref(), Some("refs/heads/main"));
        assert!(given(&Git { checksum: Some("aaaa".to_owned()), ..by_commit }).is_err());
    }

    #[test]
    fn what_is_no_reference_is_not_handed_on() {
        for bad in ["-x", "--upload-pack=touch", "a..b", "a b", "a:b", "a^", "a~1", "@{-1}:x", "a\nb"] {
            assert!(check(&git(Some(bad), None)).is_err(), "{bad}");
        }
        for good in ["main", "refs/pull/1/head", "feature/x", "v1.0", A] {
            assert!(check(&git(Some(good), None)).is_ok(), "{good}");
        }
        assert!(check(&git(None, Some("xyz"))).is_err());
    }
}
