//! Finding the Dockerfile, the build context and the named contexts, and what their ignore files hide.

pub(super) mod git;

use std::ffi::OsStr;
use std::fs;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use layercake_compiler::NamedContext;
use layercake_compiler::ignore::Ignore;
use layercake_executor::build::site::ContextFolder;
use layercake_executor::fault::reason;
use layercake_executor::root::Root;

use super::{Fetching, Named, arguments};
use crate::failure::Failure;

/// What was found.
pub(super) struct Place {
    /// What people know the Dockerfile as.
    pub(super) file: String,
    /// Where it lies; `None` if it came on standard input.
    pub(super) path: Option<PathBuf>,
    /// Its text.
    pub(super) text: String,
    /// The build context; `None` where only a Dockerfile was given.
    pub(super) context: Option<ContextFolder>,
}

/// Finds the Dockerfile and the context that the arguments name.
pub(super) fn locate(arguments: &arguments::Inputs, fetching: &Fetching<'_>) -> Result<Place, Failure> {
    let context = arguments.context.as_str();
    if context == "-" {
        if arguments.file.is_some() {
            return Err(Failure::not_built("a context in a tar on standard input"));
        }
        let bytes = standard_input()?;
        // A tar names its format at 257; compressed ones begin with the magic of gzip, zstd, xz or bzip2.
        let magic: [&[u8]; 4] = [b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ", b"BZh"];
        if bytes.get(257..262) == Some(b"ustar") || magic.iter().any(|magic| bytes.starts_with(magic)) {
            return Err(Failure::not_built("a context in a tar on standard input"));
        }
        return Ok(Place { file: "Dockerfile".to_owned(), path: None, text: text(bytes), context: None });
    }
    if !Path::new(context).is_dir()
        && let Some(git) = git::parse(context)?
    {
        return git::locate(git, arguments, fetching);
    }
    if is_remote(context) {
        return Err(Failure::not_built(format!("`{context}`, a context from elsewhere,")));
    }
    let folder = Path::new(context);
    check_folder(folder, arguments)?;
    let Dockerfile { file, path, text, ignore: own_ignore } = dockerfile(folder, arguments.file.as_deref())?;
    let ignore = match own_ignore {
        Some(ignore) => ignore,
        None => ignore_file(&folder.join(".dockerignore"))?.unwrap_or_default(),
    };
    Ok(Place { file, path, text, context: Some(open(folder, ignore)?) })
}

/// What the name of an image in a layout begins with.
pub(super) const OCI_LAYOUT: &str = "oci-layout://";

/// A named context: a folder, an image, a git repository, or another target.
pub(super) fn named(value: &str) -> Result<Named, Failure> {
    if let Some(reference) = value.strip_prefix("docker-image://") {
        return Ok((NamedContext::Image(reference.to_owned()), None));
    }
    if let Some(target) = value.strip_prefix("target:") {
        return Ok((NamedContext::Stage(target.to_owned()), None));
    }
    if value.starts_with(OCI_LAYOUT) {
        return Ok((NamedContext::Image(value.to_owned()), None));
    }
    if let Some(git) = git::parse(value)? {
        return Ok((NamedContext::Git(git), None));
    }
    if is_remote(value) {
        return Err(Failure::not_built(format!("`--build-context` from `{value}`")));
    }
    let folder = Path::new(value);
    if !folder.is_dir() {
        return Err(Failure::input(format!("the named context `{value}` is not a folder"))
            .help("name a folder, or an image with `docker-image://NAME`"));
    }
    let ignore = ignore_file(&folder.join(".dockerignore"))?.unwrap_or_default();
    Ok((NamedContext::Folder, Some(open(folder, ignore)?)))
}

fn is_remote(context: &str) -> bool {
    ["http://", "https://"].iter().any(|prefix| context.starts_with(prefix))
}

fn check_folder(folder: &Path, arguments: &arguments::Inputs) -> Result<(), Failure> {
    let shown = folder.display();
    match fs::metadata(folder) {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => {
            let failure = Failure::input(format!("the context `{shown}` is a file, not a folder"));
            let looks_like_dockerfile = folder.file_name().is_some_and(|name| {
                let name = name.to_string_lossy().to_ascii_lowercase();
                name.contains("dockerfile") || name.contains("containerfile")
            });
            Err(if looks_like_dockerfile && arguments.file.is_none() {
                failure.help(format!(
                    "write `layercake build -f {shown} .`: the argument is the context, `-f` names the file"
                ))
            } else {
                failure.help("name the folder that `COPY` copies from, such as `.`")
            })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(Failure::input(format!("there is no folder `{shown}`"))
                .help("name the folder that `COPY` copies from, such as `.`"))
        }
        Err(error) => Err(Failure::environment(format!("cannot look at `{shown}`: {}", reason(&error)))),
    }
}

/// A Dockerfile, and the ignore file of its own.
struct Dockerfile {
    file: String,
    path: Option<PathBuf>,
    text: String,
    ignore: Option<Ignore>,
}

fn dockerfile(folder: &Path, file: Option<&Path>) -> Result<Dockerfile, Failure> {
    if file == Some(Path::new("-")) {
        return Ok(Dockerfile { file: "-".to_owned(), path: None, text: text(standard_input()?), ignore: None });
    }
    let path = match file {
        // As docker: a path that is not there may be meant from the context's folder.
        Some(file) if !file.exists() && folder.join(file).exists() => folder.join(file),
        Some(file) => file.to_owned(),
        None => default_dockerfile(folder),
    };
    let shown = path.strip_prefix(".").unwrap_or(&path).display().to_string();
    match fs::read(&path) {
        Ok(bytes) => {
            let own = path.with_file_name(
                [path.file_name().unwrap_or_default(), OsStr::new(".dockerignore")].join(OsStr::new("")),
            );
            Ok(Dockerfile { file: shown, text: text(bytes), ignore: ignore_file(&own)?, path: Some(path) })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(missing(&shown, folder)),
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
            Err(Failure::input(format!("the Dockerfile `{shown}` is a folder")).help("name a file with `-f FILE`"))
        }
        Err(error) => Err(Failure::environment(format!("cannot read the Dockerfile `{shown}`: {}", reason(&error)))),
    }
}

/// `Dockerfile`, or as docker has it `dockerfile` where only that exists.
fn default_dockerfile(folder: &Path) -> PathBuf {
    let usual = folder.join("Dockerfile");
    let small = folder.join("dockerfile");
    if !usual.exists() && small.exists() { small } else { usual }
}

fn missing(shown: &str, folder: &Path) -> Failure {
    let names = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let near = names.filter_map(|name| name.into_string().ok()).find(|name| {
        let name = name.to_ascii_lowercase();
        (name.contains("dockerfile") && !name.ends_with(".dockerignore")) || name.contains("containerfile")
    });
    let failure = Failure::input(format!("there is no Dockerfile `{shown}`"));
    match near {
        Some(near) => failure.help(format!("name it with `-f`: there is a `{}`", folder.join(near).display())),
        None => failure.help("name the Dockerfile with `-f FILE`, and as the argument the folder that it copies from"),
    }
}

fn ignore_file(path: &Path) -> Result<Option<Ignore>, Failure> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => {
            return Err(Failure::environment(format!("cannot read `{}`: {}", path.display(), reason(&error))));
        }
    };
    let ignore =
        Ignore::parse(&text(bytes)).map_err(|error| Failure::input(format!("`{}`: {error}", path.display())))?;
    Ok(Some(ignore))
}

fn open(folder: &Path, ignore: Ignore) -> Result<ContextFolder, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::environment(format!("cannot open the context: {error}"));
    let path = fs::canonicalize(folder).map_err(|error| failed(&error))?;
    let root = Root::open(&path).map_err(|error| failed(&error))?;
    Ok(ContextFolder { root, path, ignore })
}

fn standard_input() -> Result<Vec<u8>, Failure> {
    let mut input = io::stdin().lock();
    if input.is_terminal() {
        return Err(Failure::input("the Dockerfile would be read from the terminal")
            .help("redirect the input, or name a file with `-f FILE`"));
    }
    let mut bytes = Vec::new();
    input
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::environment(format!("cannot read standard input: {}", reason(&error))))?;
    Ok(bytes)
}

/// A text; what is no UTF-8 in it becomes U+FFFD.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}
