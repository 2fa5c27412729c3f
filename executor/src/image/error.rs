//! What can go wrong with stored images and with archives of images.

use std::path::PathBuf;

use layercake_cache::{Digest, Error as StoreError};
use layercake_compiler::platform::Platform;

use crate::fault::{Fault, PathError, reason};
use crate::image::document::DocumentError;

/// A failure with an image or an archive of images. No name has been changed by any of them.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store's.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The operating system's.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A layer cannot be packed.
    #[error(transparent)]
    Layer(#[from] crate::layer::Error),
    /// A document of an image is not what it must be.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// The beginning of an id that fits several images.
    #[error("`{id}` is the beginning of several images' ids; write more of it: {}", list(matches))]
    AmbiguousId {
        /// What was given.
        id: String,
        /// What it fits.
        matches: Vec<Digest>,
    },
    /// Part of an image is not in the store.
    #[error("the image `{image}` cannot be written: its {what} `{digest}` is not in the store; pull the image first")]
    Incomplete {
        /// The image, by name or digest.
        image: String,
        /// Which part.
        what: &'static str,
        /// Its digest.
        digest: Digest,
    },
    /// An archive that cannot be loaded.
    #[error("cannot load `{archive}`: {problem}")]
    Archive {
        /// The archive's name as the caller knows it.
        archive: String,
        /// What is wrong with it.
        problem: ArchiveProblem,
    },
    /// A layout from which an image cannot be taken.
    #[error("cannot take an image from the OCI layout `{}`: {problem}", folder.display())]
    Layout {
        /// The layout's folder.
        folder: PathBuf,
        /// What is wrong with it.
        problem: ArchiveProblem,
    },
    /// An archive that cannot be written.
    #[error("cannot write the archive: {}", reason(.0))]
    Write(#[source] std::io::Error),
    /// A root file system that cannot be imported.
    #[error("cannot import `{archive}`: {problem}")]
    Import {
        /// The archive's name as the caller knows it.
        archive: String,
        /// What is wrong with it.
        problem: ArchiveProblem,
    },
}

/// What is wrong with an archive.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveProblem {
    /// Reading it failed.
    #[error("it cannot be read: {}", reason(.0))]
    Read(#[source] std::io::Error),
    /// It is no tar.
    #[error("it is not a tar archive: {0}")]
    NotATar(std::io::Error),
    /// It ends too early.
    #[error("it is cut short: {0}")]
    Truncated(String),
    /// It is a tar, but not of an image.
    #[error(
        "it is not an archive of images: neither `index.json` (OCI) nor `manifest.json` (docker) is in it{}", hint(*root_file_system)
    )]
    NotImages {
        /// Whether it looks like a root file system.
        root_file_system: RootFileSystem,
    },
    /// A path that leads out of the archive.
    #[error("the entry `{0}` leads out of the archive")]
    Escape(String),
    /// Two entries of one name.
    #[error("it has two entries `{0}`")]
    Duplicate(String),
    /// An entry that is no file, folder or link.
    #[error("the entry `{0}` is no file, folder or link")]
    EntryType(String),
    /// A link that leads nowhere, or in circles.
    #[error("the link `{0}` leads to no file of the archive")]
    Link(String),
    /// A document that is longer than any honest one.
    #[error("`{0}` is longer than {limit} MiB", limit = crate::image::document::LIMIT >> 20)]
    TooLong(String),
    /// A blob that is not what its name says.
    #[error("the blob `{path}` has the digest `{found}`")]
    Digest {
        /// Its name in the archive.
        path: String,
        /// The digest of its content.
        found: Digest,
    },
    /// A descriptor and its blob contradict each other.
    #[error("the blob `{digest}` has {found} bytes, not {expected}")]
    Size {
        /// The blob.
        digest: Digest,
        /// What the descriptor says, in bytes.
        expected: u64,
        /// What is there, in bytes.
        found: u64,
    },
    /// A blob that is referred to and not there.
    #[error("the {what} `{digest}` is missing")]
    Missing {
        /// What it is.
        what: &'static str,
        /// Its digest.
        digest: Digest,
    },
    /// A file that docker's `manifest.json` refers to and that is not there.
    #[error("`manifest.json` names `{0}`, which is not in the archive")]
    MissingFile(String),
    /// A layer that does not unpack to what the configuration says.
    #[error("the layer `{path}` unpacks to `{found}`, not to the diff id `{expected}`")]
    DiffId {
        /// Its name in the archive.
        path: String,
        /// What the configuration says.
        expected: Digest,
        /// What it is.
        found: Digest,
    },
    /// A list or layout file that cannot be read.
    #[error("`{file}` is not readable: {source}")]
    Json {
        /// Which.
        file: &'static str,
        /// What the parser says, with the place.
        source: serde_json::Error,
    },
    /// A layout of a version to come.
    #[error("the layout version is `{0}`; this version reads 1.x")]
    Version(String),
    /// A document that is not what it must be.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// A decompressor that is not installed.
    #[error("it is compressed by {0}, and the program `{0}` is not installed")]
    NoDecompressor(&'static str),
    /// A folder that is no layout.
    #[error("it is no layout: it has no file `index.json`")]
    NotALayout,
    /// A tag that no image has.
    #[error("it has no image with the tag `{tag}`{}", known_tags(known))]
    NoTag {
        /// What was asked for.
        tag: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// No image is for the platform.
    #[error("it has no image for {wanted}, only for {}", platforms.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    NotFor {
        /// What was asked for.
        wanted: Box<Platform>,
        /// Those there are.
        platforms: Vec<Platform>,
    },
    /// It holds nothing.
    #[error("it holds no image")]
    Empty,
}

/// Whether an archive that holds no image looks like a root file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RootFileSystem {
    /// It does.
    Likely,
    /// It does not.
    Unlikely,
}

fn hint(root_file_system: RootFileSystem) -> &'static str {
    match root_file_system {
        RootFileSystem::Likely => "; it looks like a root file system: use `layercake import`",
        RootFileSystem::Unlikely => "",
    }
}

fn known_tags(known: &[String]) -> String {
    if known.is_empty() { String::new() } else { format!("; there are {}", known.join(", ")) }
}

fn list(digests: &[Digest]) -> String {
    digests.iter().map(|digest| format!("`{digest}`")).collect::<Vec<_>>().join(", ")
}

impl Error {
    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Archive { problem, .. } | Self::Import { problem, .. } | Self::Layout { problem, .. } => {
                match problem {
                    ArchiveProblem::Read(_) | ArchiveProblem::NoDecompressor(_) => Fault::Environment,
                    _ => Fault::Input,
                }
            }
            // The user named an archive that is not there.
            Self::Path(error) if error.source.kind() == std::io::ErrorKind::NotFound => Fault::Input,
            Self::Store(_) | Self::Path(_) | Self::Write(_) => Fault::Environment,
            Self::Layer(error) => error.fault(),
            Self::Document(_) | Self::AmbiguousId { .. } | Self::Incomplete { .. } => Fault::Input,
        }
    }
}
