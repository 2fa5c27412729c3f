//! Contexts that are folders of this machine.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use layercake_compiler::ignore::Ignore;
use layercake_executor::build::site::ContextFolder;
use layercake_executor::fault::reason;
use layercake_executor::root::Root;

use super::{LONGEST, Opened, Place, arguments, http, ignore, is_url, stdin, text};
use crate::failure::Failure;
use crate::settings::Settings;

/// The Dockerfile and the context.
pub(super) fn locate(folder: &Path, arguments: &arguments::Inputs, settings: &Settings) -> Result<Place, Failure> {
    check_folder(folder, arguments)?;
    let Dockerfile { file, path, text, ignore: own_ignore } = dockerfile(folder, arguments, settings)?;
    let ignore = match own_ignore {
        Some(ignore) => ignore,
        None => ignore_file(&folder.join(".dockerignore"))?.unwrap_or_default(),
    };
    Ok(Place { file, path, text, context: Some(open(folder, ignore)?) })
}

/// A named context.
pub(super) fn named(folder: &Path) -> Result<Opened, Failure> {
    if !folder.is_dir() {
        return Err(Failure::input(format!("the named context `{}` is not a folder", folder.display()))
            .help("name a folder, or an image with `docker-image://NAME`"));
    }
    let ignore = ignore_file(&folder.join(".dockerignore"))?.unwrap_or_default();
    open(folder, ignore)
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
pub(super) struct Dockerfile {
    pub(super) file: String,
    pub(super) path: Option<PathBuf>,
    pub(super) text: String,
    pub(super) ignore: Option<Ignore>,
}

pub(super) fn dockerfile(
    folder: &Path,
    arguments: &arguments::Inputs,
    settings: &Settings,
) -> Result<Dockerfile, Failure> {
    let path = match arguments.file.as_deref() {
        Some(file) if file == Path::new("-") => return stdin::dockerfile(),
        Some(file) if file.to_str().is_some_and(is_url) => {
            return http::dockerfile(&file.to_string_lossy(), arguments, settings);
        }
        // As docker: a path that is not there may be meant from the context's folder.
        Some(file) if !file.exists() && folder.join(file).exists() => folder.join(file),
        Some(file) => file.to_owned(),
        None => default_dockerfile(folder),
    };
    read_dockerfile(path, folder)
}

/// Reads a Dockerfile of this machine; `folder` is looked through if it is not there.
pub(super) fn read_dockerfile(path: PathBuf, folder: &Path) -> Result<Dockerfile, Failure> {
    let shown = path.strip_prefix(".").unwrap_or(&path).display().to_string();
    match read_bounded(&path) {
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

/// Reads a file as far as a Dockerfile is read.
fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// `Dockerfile`, or as docker has it `dockerfile` where only that exists.
pub(in crate::command::inputs) fn default_dockerfile(folder: &Path) -> PathBuf {
    let usual = folder.join("Dockerfile");
    let small = folder.join("dockerfile");
    if !usual.exists() && small.exists() { small } else { usual }
}

fn missing(shown: &str, folder: &Path) -> Failure {
    let names = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let near = names.filter_map(|name| name.into_string().ok()).find(|name| looks_like_dockerfile(name));
    let failure = Failure::input(format!("there is no Dockerfile `{shown}`"));
    match near {
        Some(near) => failure.help(format!("name it with `-f`: there is a `{}`", folder.join(near).display())),
        None => failure.help("name the Dockerfile with `-f FILE`, and as the argument the folder that it copies from"),
    }
}

/// Whether a file of this name is probably a Dockerfile.
pub(super) fn looks_like_dockerfile(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    (name.contains("dockerfile") && !name.ends_with(".dockerignore")) || name.contains("containerfile")
}

fn ignore_file(path: &Path) -> Result<Option<Ignore>, Failure> {
    match fs::read(path) {
        Ok(bytes) => ignore(&text(bytes), &path.display().to_string()).map(Some),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(Failure::environment(format!("cannot read `{}`: {}", path.display(), reason(&error)))),
    }
}

fn open(folder: &Path, ignore: Ignore) -> Result<Opened, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::environment(format!("cannot open the context: {error}"));
    let path = fs::canonicalize(folder).map_err(|error| failed(&error))?;
    let root = Root::open(&path).map_err(|error| failed(&error))?;
    Ok(Opened { folder: ContextFolder { root, path, ignore }, unpacked: None })
}
