//! Contexts on servers: a tar is unpacked; anything else is the Dockerfile, and a context that has nothing but it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use layercake_cache::Store;
use layercake_executor::archive::{BEGINNING, begins_archive};
use layercake_executor::fault::reason;
use layercake_executor::http::address::Address;
use layercake_executor::http::blob;
use layercake_executor::http::source::{Freshness, Source};

use super::archive::{Context, Unpacked};
use super::folder::{Dockerfile, read_dockerfile};
use super::{LONGEST, Opened, Place, arguments, is_url, stdin, text};
use crate::command::inputs::{open_store, secret};
use crate::command::registry::client_unless;
use crate::failure::Failure;
use crate::settings::Settings;
use crate::terminal::output;

/// What a file is called in the context that it makes, as BuildKit has it.
const NAME: &str = "context";

/// The build context at an address, and its Dockerfile. As for docker, `-f` is a path in the context, unless it is
/// absolute, an address or `-`.
pub(super) fn locate(url: &str, arguments: &arguments::Inputs, settings: &Settings) -> Result<Place, Failure> {
    let elsewhere = match arguments.file.as_deref() {
        Some(file) if file == Path::new("-") => Some(stdin::dockerfile()?),
        Some(file) if file.to_str().is_some_and(is_url) => {
            Some(dockerfile(&file.to_string_lossy(), arguments, settings)?)
        }
        Some(file) if file.is_absolute() => {
            Some(read_dockerfile(file.to_owned(), file.parent().unwrap_or(Path::new("/")))?)
        }
        _ => None,
    };
    let wanted = if elsewhere.is_some() { Wanted::Anything } else { Wanted::Dockerfile };
    let (context, what) = fetch(url, wanted, arguments, settings)?;
    match (elsewhere, what) {
        (Some(dockerfile), _) => context.with(dockerfile),
        (None, What::Archive) => context.place(arguments.file.as_deref()),
        // Whatever else is named, there is no other file.
        (None, What::File(address)) => Ok(Place { file: address.to_string(), ..context.place(Some(Path::new(NAME)))? }),
    }
}

/// A named context at an address.
pub(super) fn named(url: &str, arguments: &arguments::Inputs, settings: &Settings) -> Result<Opened, Failure> {
    fetch(url, Wanted::Anything, arguments, settings)?.0.open(None)
}

/// A Dockerfile at an address.
pub(super) fn dockerfile(url: &str, arguments: &arguments::Inputs, settings: &Settings) -> Result<Dockerfile, Failure> {
    let store = open_store(settings)?;
    let (address, file) = bring(url, &store, arguments, settings)?;
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes).map_err(|error| unreadable(&address, &error))?;
    Ok(Dockerfile { file: address.to_string(), path: None, text: text(bytes), ignore: None })
}

/// What was found at an address.
enum What {
    /// An archive, which has been unpacked.
    Archive,
    /// Anything else: a file called [`NAME`].
    File(Address),
}

/// What a file has to be that is no archive.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// The Dockerfile.
    Dockerfile,
    /// Whatever is copied from there.
    Anything,
}

/// The files at an address.
fn fetch(
    url: &str,
    wanted: Wanted,
    arguments: &arguments::Inputs,
    settings: &Settings,
) -> Result<(Context, What), Failure> {
    let store = open_store(settings)?;
    let (address, mut file) = bring(url, &store, arguments, settings)?;
    let unreadable = |error: io::Error| unreadable(&address, &error);
    let mut beginning = Vec::new();
    file.by_ref().take(BEGINNING as u64).read_to_end(&mut beginning).map_err(unreadable)?;
    file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
    if begins_archive(&beginning) {
        return Ok((Context::unpack(Box::new(file), address.to_string(), store)?, What::Archive));
    }
    let mut file = file.take(if wanted == Wanted::Dockerfile { LONGEST } else { u64::MAX });
    let unpacked = Unpacked::begin(store)?;
    let path = unpacked.path().join(NAME);
    let written = File::create(&path).and_then(|mut to| io::copy(&mut file, &mut to)).and_then(|_| {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))
    });
    written.map_err(|error| Failure::environment(format!("cannot write `{}`: {}", path.display(), reason(&error))))?;
    Ok((Context::of(unpacked, address.to_string())?, What::File(address)))
}

/// The file at an address, in the store.
fn bring(
    url: &str,
    store: &Store,
    arguments: &arguments::Inputs,
    settings: &Settings,
) -> Result<(Address, File), Failure> {
    let secrets = arguments.secret.iter().map(|text| secret(text)).collect::<Result<BTreeMap<_, _>, _>>()?;
    let address = Address::parse(url)?.with_secrets(&secrets)?;
    let client = client_unless(arguments.offline, settings);
    let source = Source {
        store,
        client: client.as_ref(),
        address: &address,
        checksum: None,
        freshness: if arguments.no_cache { Freshness::Refetched } else { Freshness::Checked },
        retrying: &|error, wait| {
            output::tell(&format!("note: {error}; trying again in {:.1} s\n", wait.as_secs_f64()));
        },
        interrupted: &|| false,
    };
    let (digest, _) = blob::bring(&source)?;
    let file = store
        .open_blob(&digest)?
        .ok_or_else(|| Failure::environment(format!("the blob `{digest}` of `{address}` is no longer in the store")))?;
    Ok((address, file))
}

fn unreadable(address: &Address, error: &io::Error) -> Failure {
    Failure::environment(format!("cannot read what was fetched from `{address}`: {}", reason(error)))
}
