//! Contexts that are archives: unpacked for one build, and the Dockerfile found among their files.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use layercake_cache::{Scratch, Store};
use layercake_compiler::ignore::Ignore;
use layercake_executor::archive::{self, Top};
use layercake_executor::build::site::ContextFolder;
use layercake_executor::fault::{help_if_full, reason};
use layercake_executor::root::{LastLink, Root, kind};
use rustix::fs::FileType;
use rustix::process::{getegid, geteuid};

use super::folder::{Dockerfile, looks_like_dockerfile};
use super::{LONGEST, Opened, Place, ignore, text};
use crate::failure::Failure;

/// A folder that a context was unpacked into. It goes when this is dropped.
pub struct Unpacked {
    folder: Scratch,
    // A store that is closed takes its unfinished work along.
    _store: Store,
}

/// A context that has been unpacked.
pub(super) struct Context {
    /// What people know it as.
    name: String,
    unpacked: Unpacked,
    root: Root,
}

impl Unpacked {
    /// An empty folder in a store.
    pub(super) fn begin(store: Store) -> Result<Self, Failure> {
        let folder = store.scratch()?;
        // As folders are where nothing else is said; keys of what is copied know the mode.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).map_err(|error| {
            Failure::environment(format!("cannot set the mode of `{}`: {}", folder.path().display(), reason(&error)))
        })?;
        Ok(Self { folder, _store: store })
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Context {
    /// Unpacks an archive; `name` is what people know it as.
    ///
    /// # Errors
    /// If it is damaged, or the disk refuses something.
    pub(super) fn unpack(input: Box<dyn Read + Send>, name: String, store: Store) -> Result<Self, Failure> {
        let unpacked = Unpacked::begin(store)?;
        // Whose the files were on another machine does not matter: a context's files are root's in the image.
        let owner = Some((geteuid().as_raw(), getegid().as_raw()));
        archive::unpack(input, unpacked.path(), Top::Taken, owner).map_err(|error| {
            let help = help_if_full(&error);
            Failure::new(error.fault(), format!("cannot unpack the context `{name}`: {error}")).perhaps_help(help)
        })?;
        Self::of(unpacked, name)
    }

    /// A folder that has been filled.
    pub(super) fn of(unpacked: Unpacked, name: String) -> Result<Self, Failure> {
        let root = Root::open(unpacked.path())
            .map_err(|error| Failure::environment(format!("cannot open the context: {error}")))?;
        Ok(Self { name, unpacked, root })
    }

    /// With the Dockerfile that lies in it, `file` or the usual one.
    pub(super) fn place(self, file: Option<&Path>) -> Result<Place, Failure> {
        let dockerfile = self.dockerfile(file)?;
        self.with(dockerfile)
    }

    /// With a Dockerfile from elsewhere, or from in it.
    pub(super) fn with(self, dockerfile: Dockerfile) -> Result<Place, Failure> {
        let Dockerfile { file, path, text, ignore } = dockerfile;
        Ok(Place { file, path, text, context: Some(self.open(ignore)?) })
    }

    /// As a context that hides what `own` says, or its own ignore file.
    pub(super) fn open(self, own: Option<Ignore>) -> Result<Opened, Failure> {
        let ignore = match own {
            Some(ignore) => ignore,
            None => self.ignore_file(Path::new(".dockerignore"))?.unwrap_or_default(),
        };
        // The folder is another one each time, so it is known by what it was made of.
        let folder = ContextFolder { root: self.root, path: PathBuf::from(self.name), ignore };
        Ok(Opened { folder, unpacked: Some(self.unpacked) })
    }

    fn dockerfile(&self, file: Option<&Path>) -> Result<Dockerfile, Failure> {
        let path = match file {
            Some(file) => file,
            None if !self.has(Path::new("Dockerfile")) && self.has(Path::new("dockerfile")) => Path::new("dockerfile"),
            None => Path::new("Dockerfile"),
        };
        let shown = path.strip_prefix(".").unwrap_or(path).display().to_string();
        let Some(bytes) = self.read(path)? else {
            let failure = Failure::input(format!("there is no Dockerfile `{shown}` in the context `{}`", self.name));
            return Err(match self.near() {
                Some(near) => failure.help(format!("name it with `-f`: there is a `{}`", near.display())),
                None => failure.help("name it with `-f FILE`, as a path in the context"),
            });
        };
        let mut own = path.as_os_str().to_owned();
        own.push(".dockerignore");
        Ok(Dockerfile { file: shown, path: None, text: text(bytes), ignore: self.ignore_file(Path::new(&own))? })
    }

    /// A file that may be meant, at the top or in a folder there: many archives hold one folder with everything in it.
    fn near(&self) -> Option<PathBuf> {
        let children = |folder: &Path| {
            let mut all: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().collect();
            all.sort_by_key(fs::DirEntry::file_name);
            all
        };
        let is = |entry: &fs::DirEntry, kind: fn(&fs::FileType) -> bool| entry.file_type().is_ok_and(|own| kind(&own));
        let top = children(self.unpacked.path());
        let folders = top.iter().filter(|entry| is(entry, fs::FileType::is_dir)).map(fs::DirEntry::path);
        let below: Vec<_> = folders.flat_map(|folder| children(&folder)).collect();
        let mut near = top.iter().chain(&below).filter(|entry| {
            is(entry, fs::FileType::is_file) && looks_like_dockerfile(&entry.file_name().to_string_lossy())
        });
        near.next()?.path().strip_prefix(self.unpacked.path()).ok().map(Path::to_owned)
    }

    fn ignore_file(&self, path: &Path) -> Result<Option<Ignore>, Failure> {
        let bytes = self.read(path)?;
        bytes.map(|bytes| ignore(&text(bytes), &path.display().to_string())).transpose()
    }

    /// Reads a file of it, as far as a Dockerfile is read. Links in it lead nowhere else.
    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, Failure> {
        let failed = |error: io::Error| {
            let message =
                format!("cannot read `{}` of the context `{}`: {}", path.display(), self.name, reason(&error));
            Failure::input(message)
        };
        let resolved = self.root.resolve(path, LastLink::Follow).map_err(failed)?;
        match self.root.stat(&resolved).map_err(failed)? {
            None => Ok(None),
            // A fifo would be waited for.
            Some(stat) if kind(&stat) != FileType::RegularFile => {
                Err(Failure::input(format!("`{}` of the context `{}` is no file", path.display(), self.name)))
            }
            Some(_) => {
                let mut bytes = Vec::new();
                let read = |file: fs::File| file.take(LONGEST).read_to_end(&mut bytes);
                self.root.open_file(&resolved).and_then(read).map_err(failed)?;
                Ok(Some(bytes))
            }
        }
    }

    fn has(&self, path: &Path) -> bool {
        let resolved = self.root.resolve(path, LastLink::Follow);
        resolved.and_then(|resolved| self.root.stat(&resolved)).is_ok_and(|stat| stat.is_some())
    }
}
