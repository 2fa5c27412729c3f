//! `Http`: a file from its address, as a tree with nothing else in it.
//!
//! Name, mode, owner and time of the file are those of BuildKit's `source/http`.

use std::cell::{Cell, RefCell};
use std::ffi::OsStr;
use std::fs::{self, File, FileTimes};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use layercake_cache::ContentKey;
use layercake_compiler::operation::Http;
use layercake_compiler::plan::Step;

use crate::build::cancel::Cancel;
use crate::build::error::Error;
use crate::build::event::{Event, Finish};
use crate::build::key::Ingredients;
use crate::build::product::Made;
use crate::build::site::{Reuse, Site};
use crate::build::workspace::Workspace;
use crate::build::{past, record};
use crate::fault::{At, PathError};
use crate::http::address::Address;
use crate::http::checksum::Checksum;
use crate::http::error::Error as HttpError;
use crate::http::source::{Arrived, Freshness, How, Source, Stored};

/// The mode of a file that was fetched.
const MODE: u32 = 0o600;

/// The longest name that a file may have, in bytes.
const LONGEST_NAME: usize = 255;

/// Brings the file. What was made of the same content before is taken from the store.
///
/// # Errors
/// If the file cannot be had, is another one than was wanted, or cannot be stored.
pub fn bring(http: &Http, step: &Step, site: &Site<'_>, cancel: &Cancel) -> Result<Made, Error> {
    let address = Address::parse(&http.url).and_then(|address| address.with_secrets(&site.surroundings.secrets))?;
    let name = name(&http.filename, &address)?;
    let checksum = http.checksum.as_deref().map(Checksum::parse).transpose().map_err(HttpError::from)?;
    let (shown, reuse) = (address.to_string(), (site.reuse)(step));
    let source = Source {
        store: site.store,
        client: site.client,
        address: &address,
        checksum: checksum.as_ref(),
        freshness: freshness(reuse),
        retrying: &|error, wait| {
            let text = format!("{error}; trying again in {:.1} s", wait.as_secs_f64());
            (site.listener)(Event::Note { text: &text });
        },
        interrupted: &|| cancel.check().is_err(),
    };
    let (start, started) = (Instant::now(), Cell::new(false));
    // What it turned out to be.
    let content = RefCell::new(String::new());
    let begin = |size| {
        if !started.replace(true) {
            (site.listener)(Event::Started { step: step.id });
        }
        (site.listener)(Event::Transfer { action: "fetch", what: &shown, size });
        Fetching::begin(site, name)
    };
    let keep = |arrived: Arrived<Fetching>| {
        let made = arrived.writer.finish(site, arrived.modified)?;
        // Whoever asks for it later may name any checksum that is known of it.
        for digest in [Some(arrived.digest.to_string()), http.checksum.clone()].into_iter().flatten() {
            record::keep(site.store, &key(name, &digest), made, start.elapsed())?;
            *content.borrow_mut() = digest;
        }
        Ok(made)
    };
    let find = |digest: &str| {
        let found = record::find(site.store, &key(name, digest))?;
        digest.clone_into(&mut content.borrow_mut());
        Ok(found)
    };
    let result = source.bring(find, begin, keep);
    if result.is_ok() {
        let ingredients = ingredients(name, &content.borrow());
        (site.listener)(Event::Described { step: step.id, ingredients: &ingredients, reuse });
    }
    let how = match &result {
        Ok((_, How::Stored)) => Some(Finish::Cached),
        Ok((_, How::Fetched)) => Some(Finish::Done(start.elapsed())),
        Err(_) => started.get().then(|| Finish::Failed(start.elapsed())),
    };
    if let Some(Finish::Done(took)) = how {
        past::keep(site.store, step, took)?;
    }
    if let Some(how) = how {
        (site.listener)(Event::Finished { step: step.id, how });
    }
    match result {
        Err(Error::Http(HttpError::Stopped)) => Err(Error::Cancelled),
        result => result.map(|(made, _)| made),
    }
}

/// What the store has of the file, with what that is made from where it is known. Nobody is asked.
///
/// # Errors
/// If what is written is no address, name or checksum, or the store cannot be read.
pub fn stored(http: &Http, step: &Step, site: &Site<'_>) -> Result<(Option<Ingredients>, Stored<Made>), Error> {
    let address = Address::parse(&http.url).and_then(|address| address.with_secrets(&site.surroundings.secrets))?;
    let name = name(&http.filename, &address)?;
    let checksum = http.checksum.as_deref().map(Checksum::parse).transpose().map_err(HttpError::from)?;
    let source = Source {
        store: site.store,
        client: site.client,
        address: &address,
        checksum: checksum.as_ref(),
        freshness: freshness((site.reuse)(step)),
        retrying: &|_, _| (),
        interrupted: &|| false,
    };
    let asked_for = RefCell::new(checksum.as_ref().map(|checksum| ingredients(name, &checksum.to_string())));
    let stored = source.stored(|digest| {
        let wanted = ingredients(name, digest);
        let found = record::find(site.store, &wanted.key())?;
        *asked_for.borrow_mut() = Some(wanted);
        Ok::<_, Error>(found)
    })?;
    Ok((asked_for.into_inner(), stored))
}

/// A step whose result is not to come from the cache is fetched whatever its server says.
fn freshness(reuse: Reuse) -> Freshness {
    match reuse {
        Reuse::Allowed => Freshness::Checked,
        Reuse::Refused => Freshness::Refetched,
    }
}

/// The key of a file of this name and content, wherever it comes from.
fn key(name: &OsStr, digest: &str) -> ContentKey {
    ingredients(name, digest).key()
}

fn ingredients(name: &OsStr, digest: &str) -> Ingredients {
    let mut ingredients = Ingredients::default();
    ingredients.add("operation", "http").add("filename", Path::new(name).display()).add("content", digest);
    ingredients
}

/// The name of a file, if it is one.
fn name<'a>(name: &'a str, address: &Address) -> Result<&'a OsStr, HttpError> {
    let mut components = Path::new(name).components();
    match (components.next(), components.next()) {
        (Some(Component::Normal(only)), None) if only == name && name.len() <= LONGEST_NAME && !name.contains('\0') => {
            Ok(only)
        }
        _ => Err(HttpError::Filename { address: address.to_string(), name: PathBuf::from(name) }),
    }
}

/// A file on its way into a tree.
struct Fetching {
    workspace: Workspace,
    path: PathBuf,
    file: File,
}

impl Fetching {
    fn begin(site: &Site<'_>, name: &OsStr) -> Result<Self, Error> {
        let workspace = Workspace::new(site.store, Vec::new())?;
        let path = workspace.overlay().upper.expect("a workspace has one").upper.join(name);
        let file = File::options().write(true).create_new(true).mode(MODE).open(&path).at("create", &path)?;
        Ok(Self { workspace, path, file })
    }

    /// Gives the file its attributes, and stores it.
    fn finish(self, site: &Site<'_>, modified: Option<i64>) -> Result<Made, Error> {
        let Self { workspace, path, file } = self;
        fs::set_permissions(&path, fs::Permissions::from_mode(MODE)).at("set the mode of", &path)?;
        let time = time(modified.unwrap_or(0));
        let times = FileTimes::new().set_modified(time).set_accessed(time);
        file.set_times(times).map_err(|error| PathError::new("set the time of", &path, error))?;
        drop(file);
        Ok(Made { change: workspace.finish(None, site.store)?, at: jiff::Timestamp::now().as_second() })
    }
}

impl std::io::Write for Fetching {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

/// A point in time, from seconds since 1970.
fn time(seconds: i64) -> SystemTime {
    let distance = Duration::from_secs(seconds.unsigned_abs());
    let time = if seconds < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(distance)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(distance)
    };
    time.unwrap_or(SystemTime::UNIX_EPOCH)
}
