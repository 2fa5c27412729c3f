//! Finding the Dockerfile, the build context and the named contexts, and what their ignore files hide: one file for each
//! kind of context.

mod archive;
pub(super) mod folder;
pub(super) mod git;
mod http;
mod stdin;

use std::path::{Path, PathBuf};

use layercake_compiler::ignore::Ignore;
use layercake_compiler::operation::Git;
use layercake_compiler::{MAX_SOURCE, NamedContext};
use layercake_executor::build::site::ContextFolder;

use super::{Fetching, arguments};
use crate::failure::Failure;
pub use archive::Unpacked;

/// What was found.
pub(super) struct Place {
    /// What people know the Dockerfile as.
    pub(super) file: String,
    /// Where it lies; `None` if it is no file that one could change.
    pub(super) path: Option<PathBuf>,
    /// Its text.
    pub(super) text: String,
    /// The build context; `None` where only a Dockerfile was given.
    pub(super) context: Option<Opened>,
}

/// A context, open.
pub(super) struct Opened {
    /// Its files.
    pub(super) folder: ContextFolder,
    /// Where they were put for this build only.
    pub(super) unpacked: Option<Unpacked>,
}

/// What a name of `--build-context` means to the compiler, and its files if it has some.
pub(super) type Named = (NamedContext, Option<Opened>);

/// How a context is written.
enum Kind<'a> {
    /// `-`: a tar or a Dockerfile on standard input.
    StandardInput,
    /// A folder of this machine.
    Folder(&'a Path),
    /// A git repository.
    Git(Git),
    /// A file on a server: a tar, or a Dockerfile.
    Http,
}

fn kind(context: &str) -> Result<Kind<'_>, Failure> {
    Ok(match context {
        "-" => Kind::StandardInput,
        // What is there is meant, whatever it is called.
        folder if Path::new(folder).is_dir() => Kind::Folder(Path::new(folder)),
        _ => match git::parse(context)? {
            Some(git) => Kind::Git(git),
            None if is_url(context) => Kind::Http,
            None => Kind::Folder(Path::new(context)),
        },
    })
}

/// Whether this is the address of a file on a server.
fn is_url(text: &str) -> bool {
    text.starts_with("http://") || text.starts_with("https://")
}

/// Finds the Dockerfile and the context that the arguments name.
pub(super) fn locate(arguments: &arguments::Inputs, fetching: &Fetching<'_>) -> Result<Place, Failure> {
    let context = arguments.context.as_str();
    let settings = fetching.settings;
    match kind(context)? {
        Kind::StandardInput => stdin::locate(arguments, settings),
        Kind::Folder(folder) => folder::locate(folder, arguments, settings),
        Kind::Git(git) => git::locate(git, arguments, fetching),
        Kind::Http => http::locate(context, arguments, settings),
    }
}

/// What the name of an image in a layout begins with.
pub(super) const OCI_LAYOUT: &str = "oci-layout://";

/// A named context: files, an image, a git repository, or another target.
pub(super) fn named(value: &str, arguments: &arguments::Inputs, fetching: &Fetching<'_>) -> Result<Named, Failure> {
    if let Some(reference) = value.strip_prefix("docker-image://") {
        return Ok((NamedContext::Image(reference.to_owned()), None));
    }
    if let Some(target) = value.strip_prefix("target:") {
        return Ok((NamedContext::Stage(target.to_owned()), None));
    }
    if value.starts_with(OCI_LAYOUT) {
        return Ok((NamedContext::Image(value.to_owned()), None));
    }
    let opened = match kind(value)? {
        Kind::Git(git) => return Ok((NamedContext::Git(git), None)),
        Kind::Http => http::named(value, arguments, fetching.settings)?,
        // A folder may be called `-`.
        Kind::StandardInput => folder::named(Path::new(value))?,
        Kind::Folder(folder) => folder::named(folder)?,
    };
    Ok((NamedContext::Folder, Some(opened)))
}

/// As much of a Dockerfile as is read, in bytes: what the compiler looks at and one more, for which it refuses it.
const LONGEST: u64 = MAX_SOURCE as u64 + 1;

/// An ignore file; `name` is what people know it as.
fn ignore(text: &str, name: &str) -> Result<Ignore, Failure> {
    Ignore::parse(text).map_err(|error| Failure::input(format!("`{name}`: {error}")))
}

/// A text; what is no UTF-8 in it becomes U+FFFD.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}
