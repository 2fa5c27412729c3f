//! `--lock`: asks what everything is now, and writes it down.

use layercake_cache::Store;
use layercake_compiler::Compilation;
use layercake_compiler::operation::{Git, Http, Operation};
use layercake_executor::build::cancel::Cancel;
use layercake_executor::build::site::Bases;
use layercake_executor::git;
use layercake_executor::http::address::Address;
use layercake_executor::http::blob;
use layercake_executor::http::checksum::Checksum;
use layercake_executor::http::error::Error as HttpError;
use layercake_executor::http::source::{Freshness, Source};
use layercake_executor::registry::client::Client;

use super::entry::{self, Commit, Image};
use super::file::Entries;
use super::{Absent, LockFile, no_place, place};
use crate::arguments::inputs as arguments;
use crate::command::inputs::{Inputs, secret};
use crate::failure::Failure;
use crate::terminal::output;
use crate::terminal::paint::Paint;

/// Who is asked what git references and URLs are.
pub struct Servers<'a> {
    /// What remembers what was asked before.
    pub store: &'a Store,
    /// Asks for files; `None`: nobody may.
    pub client: Option<&'a Client>,
    /// Asks for references.
    pub git: &'a git::Client,
}

/// Writes what the plans' images, git references and URLs are now, and holds the plans to it. What the file has of other plans
/// stays: a plan is for one target and one platform.
///
/// # Errors
/// If something cannot be found out, or the file cannot be written.
pub fn renew(
    compilations: &mut [Compilation],
    bases: &Bases,
    inputs: &Inputs,
    arguments: &arguments::Inputs,
    servers: &Servers<'_>,
    paint: Paint,
) -> Result<LockFile, Failure> {
    let path = place(inputs.path.as_deref(), arguments).ok_or_else(no_place)?;
    let mut entries = Entries::read(&path)?.unwrap_or_default();
    let mut found = Entries::default();
    for ((reference, platform), image) in bases {
        let image_entry = Image { reference: reference.clone(), platform: platform.clone() };
        found.images.insert(image_entry, image.manifest_digest);
    }
    let secrets = arguments.secret.iter().map(|text| secret(text)).collect::<Result<_, _>>()?;
    for step in compilations.iter().flat_map(|one| &one.plan.steps) {
        match &step.operation {
            Operation::Git(git) => {
                found.commits.insert(entry::git(git), commit(git, servers)?);
            }
            Operation::Http(http) => {
                found.files.insert(entry::url(http), checksum(http, servers, &secrets)?);
            }
            _ => {}
        }
    }
    let count = found.images.len() + found.commits.len() + found.files.len();
    entries.extend(found);
    entries.write(&path)?;
    let shown = path.display();
    let entries_word = if count == 1 { "entry" } else { "entries" };
    output::tell(&format!("{} {count} {entries_word} in `{shown}`\n", paint.green("locked")));
    let lock = LockFile { path, entries, absent: Absent::Refused };
    lock.pin(compilations.iter_mut().map(|one| &mut one.plan), paint)?;
    Ok(lock)
}

fn commit(git: &Git, servers: &Servers<'_>) -> Result<Commit, Failure> {
    let pin = servers
        .git
        .pin(git, &Cancel::default())
        .map_err(|error| Failure::new(error.fault(), &error).perhaps_help(error.help()))?;
    let object = (pin.object != pin.commit).then_some(pin.object);
    Ok(Commit { commit: pin.commit, object, name: pin.reference })
}

/// The checksum of the file at an address: the one that the Dockerfile demands, or that of what is there now.
fn checksum(
    http: &Http,
    servers: &Servers<'_>,
    secrets: &std::collections::BTreeMap<String, Vec<u8>>,
) -> Result<String, Failure> {
    if let Some(demanded) = &http.checksum {
        return Ok(Checksum::parse(demanded).map_err(HttpError::from)?.to_string());
    }
    let address = Address::parse(&http.url).and_then(|address| address.with_secrets(secrets))?;
    let source = Source {
        store: servers.store,
        client: servers.client,
        address: &address,
        checksum: None,
        freshness: Freshness::Checked,
        retrying: &|error, wait| {
            output::tell(&format!("note: {error}; trying again in {:.1} s\n", wait.as_secs_f64()));
        },
        interrupted: &|| false,
    };
    Ok(blob::bring(&source)?.0.to_string())
}
