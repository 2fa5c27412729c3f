//! What can go wrong with a git repository. Where BuildKit has words for it, they are BuildKit's.

use std::io;

use layercake_cache::Error as StoreError;
use layercake_compiler::go;

use crate::fault::{Fault, PathError, reason};

/// A repository could not be read. No message has credentials in it: `git` itself is given none on its command line.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store's.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system refused an operation on a path.
    #[error(transparent)]
    Path(#[from] PathError),
    /// There is no `git`.
    #[error("the program `git` is not installed")]
    NotInstalled,
    /// It cannot be run.
    #[error("cannot run `git`: {}", reason(.0))]
    Start(io::Error),
    /// The build was stopped.
    #[error("stopped")]
    Cancelled,
    /// The address is none that is taken from.
    #[error("invalid git remote {}: {problem}", go::quote(remote))]
    InvalidRemote {
        /// As it stands.
        remote: String,
        /// Why not.
        problem: &'static str,
    },
    /// No reference looks so.
    #[error("invalid git ref {}", go::quote(.0))]
    InvalidReference(String),
    /// No commit looks so.
    #[error("invalid checksum {0} for Git URL, expected hex commit hash")]
    InvalidChecksum(String),
    /// A commit cannot be fetched without the whole of its hash.
    #[error("fetch-by-commit requires a full commit SHA checksum{}", found.as_deref().map(|found| format!(", got {}", go::quote(found))).unwrap_or_default())]
    NotAFullCommit {
        /// What there is instead.
        found: Option<String>,
    },
    /// The reference is at another commit than it must be.
    #[error("expected checksum to match {expected}, got {found}")]
    Checksum {
        /// The commit that it must be at, or its beginning.
        expected: String,
        /// The commit that it is at; of an annotated tag, the tag too.
        found: String,
    },
    /// The repository has no such reference.
    #[error("repository does not contain ref {reference}: `{remote}` has no branch, tag or commit of this name")]
    NoReference {
        /// The repository.
        remote: String,
        /// As it stands.
        reference: String,
    },
    /// The repository is empty, or says of no branch that it is the default.
    #[error("could not find default branch for repository: {0}")]
    NoDefaultBranch(String),
    /// Several commits begin so.
    #[error("the abbreviated commit {reference} is ambiguous in `{remote}`")]
    Ambiguous {
        /// The repository.
        remote: String,
        /// As it stands.
        reference: String,
    },
    /// There is no such repository.
    #[error("failed to fetch remote {remote}: there is no such repository\n{words}")]
    NoRepository {
        /// The repository.
        remote: String,
        /// The words of `git`.
        words: String,
    },
    /// The server wants to know who asks.
    #[error("failed to fetch remote {remote}: authentication is needed, or was refused\n{words}")]
    Authentication {
        /// The repository.
        remote: String,
        /// The words of `git`.
        words: String,
    },
    /// The server's key is not known.
    #[error("failed to fetch remote {remote}: the host key is not known, or has changed\n{words}")]
    HostKey {
        /// The repository.
        remote: String,
        /// The words of `git`.
        words: String,
    },
    /// The server cannot be reached.
    #[error("failed to fetch remote {remote}: the server cannot be reached\n{words}")]
    Unreachable {
        /// The repository.
        remote: String,
        /// The words of `git`.
        words: String,
    },
    /// Something else went wrong with a remote repository.
    #[error("failed to fetch remote {remote}\n{words}")]
    Fetch {
        /// The repository.
        remote: String,
        /// The words of `git`.
        words: String,
    },
    /// The server does not have the commit, or does not give it away.
    #[error("failed to fetch remote {remote}: it has no commit {commit}")]
    NoCommit {
        /// The repository.
        remote: String,
        /// The commit.
        commit: String,
    },
    /// Something went wrong on this machine.
    #[error("`git {command}` failed\n{words}")]
    Local {
        /// The command's name.
        command: String,
        /// The words of `git`.
        words: String,
    },
    /// The object is a file or a folder.
    #[error("expected commit or tag object, but {0} is none")]
    NotACommit(String),
    /// There is no such folder in the repository.
    #[error("invalid subdir {}: no such folder in commit {commit}", go::quote(subdir))]
    NoSubdir {
        /// As it stands.
        subdir: String,
        /// Where it was looked for.
        commit: String,
    },
    /// A folder is expected, and there is a file or a symbolic link.
    #[error("invalid subdir: git subpath {} contains non-directory {}", go::quote(subdir), go::quote(part))]
    NotAFolder {
        /// As it stands.
        subdir: String,
        /// The part of it that is none.
        part: String,
    },
    /// A submodule's address is not written down.
    #[error("no url found for submodule path '{0}' in .gitmodules")]
    NoSubmoduleUrl(String),
    /// A submodule cannot be had.
    #[error("failed to update submodules: `{path}`: {cause}")]
    Submodule {
        /// Where it lies.
        path: String,
        /// Why not.
        cause: Box<Self>,
    },
    /// Nobody may be asked, and the store does not have it.
    #[error("the store does not have {what} of `{remote}`, and no server may be asked")]
    Offline {
        /// The repository.
        remote: String,
        /// What is missing.
        what: String,
    },
}

impl Error {
    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Store(_)
            | Self::Path(_)
            | Self::NotInstalled
            | Self::Start(_)
            | Self::Authentication { .. }
            | Self::HostKey { .. }
            | Self::Unreachable { .. }
            | Self::Fetch { .. }
            | Self::Local { .. }
            | Self::Offline { .. } => Fault::Environment,
            Self::Cancelled => Fault::Command,
            Self::Submodule { cause, .. } => cause.fault(),
            Self::InvalidRemote { .. }
            | Self::InvalidReference(_)
            | Self::InvalidChecksum(_)
            | Self::NotAFullCommit { .. }
            | Self::Checksum { .. }
            | Self::NoReference { .. }
            | Self::NoDefaultBranch(_)
            | Self::Ambiguous { .. }
            | Self::NoRepository { .. }
            | Self::NoCommit { .. }
            | Self::NotACommit(_)
            | Self::NoSubdir { .. }
            | Self::NotAFolder { .. }
            | Self::NoSubmoduleUrl(_) => Fault::Input,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<&'static str> {
        Some(match self {
            // Of files that it cannot write, `git` does not say why.
            Self::Local { words, .. } | Self::Fetch { words, .. }
                if words.contains("No space left on device") || words.contains("unable to write file") =>
            {
                "make room on the disk of the store, or choose another one with `LAYERCAKE_HOME`"
            }
            Self::NotInstalled => "install the package `git`",
            Self::InvalidRemote { .. } => "write an address of http(s), ssh or git, such as `https://host/name.git`",
            Self::InvalidReference(_) | Self::NoReference { .. } => {
                "name a branch, a tag or a commit that exists: `git ls-remote` lists them"
            }
            Self::InvalidChecksum(_) | Self::NotAFullCommit { .. } => "write the 40 digits of a commit's hash",
            Self::Checksum { .. } => {
                "correct the checksum, or name the commit that is meant instead of a branch or tag"
            }
            Self::NoDefaultBranch(_) => "name a branch behind the address: `#main`",
            Self::Ambiguous { .. } => "write more digits of the commit's hash",
            Self::NoRepository { .. } => {
                "correct the address; servers also say this of repositories that you may not see"
            }
            Self::Authentication { words, .. } if words.contains("Permission denied (") => {
                "load a key that the server knows with `ssh-add`, or name one in `~/.ssh/config`"
            }
            Self::Authentication { .. } => "give a token with `--secret id=GIT_AUTH_TOKEN,env=NAME`",
            Self::HostKey { .. } => "log in once with `ssh`, or add the key with `ssh-keyscan` to `~/.ssh/known_hosts`",
            Self::Unreachable { .. } => "check the address, the network and the proxy",
            Self::NoSubdir { .. } | Self::NotAFolder { .. } => "name a folder of the repository, from its root",
            Self::NoSubmoduleUrl(_) => "leave submodules out with `?submodules=false` behind the address",
            Self::Submodule { cause, .. } => return cause.help(),
            Self::Offline { .. } => "leave out `--offline`",
            Self::Path(_)
            | Self::Store(_)
            | Self::Start(_)
            | Self::Cancelled
            | Self::Fetch { .. }
            | Self::NoCommit { .. }
            | Self::Local { .. }
            | Self::NotACommit(_) => return None,
        })
    }
}
