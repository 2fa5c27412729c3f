//! What a lock file has entries for, and how people are told of each.

use std::fmt;

use layercake_compiler::BaseRequest;
use layercake_compiler::address::take_credentials;
use layercake_compiler::operation::{Git, Http};
use layercake_compiler::platform::Platform;

/// An image: as the Dockerfile has it, variables expanded, and for which platform.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Image {
    pub(super) reference: String,
    pub(super) platform: Platform,
}

/// A git reference; without one, the remote's default branch.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Remote {
    pub(super) remote: String,
    pub(super) reference: Option<String>,
}

/// What a git reference was at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Commit {
    pub(super) commit: String,
    /// The annotated tag that led to it.
    pub(super) object: Option<String>,
    /// The whole name of the reference, such as `refs/tags/v1`; `None` where a commit was named.
    pub(super) name: Option<String>,
}

pub(super) fn image(request: &BaseRequest) -> Image {
    Image { reference: request.reference.clone(), platform: request.platform.clone() }
}

pub(super) fn git(git: &Git) -> Remote {
    Remote { remote: git.remote.clone(), reference: git.reference.clone() }
}

/// The address of a file, without credentials.
pub(super) fn url(http: &Http) -> String {
    take_credentials(&http.url).0.into_owned()
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the image `{}` for {}", self.reference, self.platform)
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reference {
            Some(reference) => write!(f, "the reference `{reference}` of `{}`", self.remote),
            None => write!(f, "the default branch of `{}`", self.remote),
        }
    }
}

impl Commit {
    /// Whether it is what the Dockerfile demands, if that demands something.
    pub(super) fn fits(&self, git: &Git) -> bool {
        git.checksum.as_ref().is_none_or(|demanded| {
            self.commit.starts_with(demanded) || self.object.as_ref().is_some_and(|tag| tag.starts_with(demanded))
        })
    }

    /// Holds a source to the commit: it is fetched as it is, wherever the reference is by now.
    pub(super) fn pin(&self, git: &mut Git) {
        let branch = git.reference.as_ref().map(|branch| format!("refs/heads/{branch}"));
        if branch.is_none() || branch != self.name {
            git.reference = Some(self.name.as_ref().unwrap_or(&self.commit).clone());
        }
        git.checksum = Some(self.commit.clone());
        git.fetch_by_commit = true;
    }
}
