//! [`Reason`]: one ingredient that differs, as people and programs are told of it.

use layercake_compiler::plan::StepId;
use serde::Serialize;

/// One ingredient of a step that differs from what the nearest earlier build had, or another reason for which it was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// What differs.
    pub kind: Kind,
    /// Its name: a path, a variable, a flag; empty where there is only one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// What of a file differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
    /// What it was; `None` if there was none.
    pub old: Option<String>,
    /// What it is; `None` if there is none.
    pub new: Option<String>,
    /// The step that is the cause, or that the file comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<StepId>,
    /// What the lock file has to do with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lock: Option<Lock>,
}

/// What kind of ingredient differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Nothing is remembered of an earlier build of these inputs.
    FirstBuild,
    /// No earlier build had such a step.
    NewStep,
    /// Nothing differs; it was not to be taken from the cache (`--no-cache`).
    NoCache,
    /// Nothing differs; it failed the last time.
    FailedBefore,
    /// Nothing differs; the last build ended before it was done.
    Unfinished,
    /// Nothing differs; its result is no longer in the store.
    Gone,
    /// The image that a stage starts from. Where the name is the same, its tag has moved, or the lock file was renewed.
    Base,
    /// The platform of that image.
    Platform,
    /// A file or folder.
    File,
    /// A file whose text stands in the Dockerfile.
    Heredoc,
    /// The ignore file: what it hides.
    Ignore,
    /// A build argument.
    Argument,
    /// An environment variable.
    Variable,
    /// What a `RUN` runs.
    Command,
    /// The paths that are copied, or where to.
    Paths,
    /// What a copy meets in the tree that it goes on: on the way to its destination, and where it puts files into folders.
    Way,
    /// A flag of the instruction, or of the command line.
    Flag,
    /// A mount.
    Mount,
    /// What another instruction has set: `USER`, `WORKDIR`.
    Setting,
    /// What was fetched: a file of a server, the commit of a repository.
    Source,
    /// Contents of which no listing is left.
    Content,
    /// Nothing but the order of what is listed.
    Order,
    /// Another step.
    Step,
}

/// What of a file differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// Its content; of a link, where it leads.
    Content,
    /// Its permissions.
    Mode,
    /// Its owner.
    Owner,
    /// Its extended attributes.
    Attributes,
    /// What it is: a file, a folder, a link.
    Type,
}

/// What a lock file has to do with another image, commit or file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lock {
    /// It says something else than before.
    Renewed,
    /// It says what it is, and did not before.
    Added,
    /// It said what it is, and does not any more.
    Dropped,
}

impl Reason {
    /// A reason that has no values.
    #[must_use]
    pub fn bare(kind: Kind) -> Self {
        Self { kind, name: String::new(), change: None, old: None, new: None, step: None, lock: None }
    }

    /// Something that had another value.
    #[must_use]
    pub fn of(kind: Kind, name: impl Into<String>, old: Option<String>, new: Option<String>) -> Self {
        Self { name: name.into(), old, new, ..Self::bare(kind) }
    }

    /// Another step.
    #[must_use]
    pub fn step(step: StepId) -> Self {
        Self { step: Some(step), ..Self::bare(Kind::Step) }
    }
}
