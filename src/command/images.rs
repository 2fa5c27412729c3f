//! `images`, `history`, `inspect`, `tag`, `rmi`: what is in the store, in docker's columns.

pub(super) mod filter;
pub mod history;
pub mod inspect;
pub mod list;
pub mod remove;

use layercake_cache::Store;
use layercake_compiler::platform::Platform;
use layercake_executor::image::local::{Images, LocalImage};
use layercake_executor::image::reference::Reference;
use layercake_executor::usage::doubt;

use super::inputs::host_platform;
use crate::arguments::images as arguments;
use crate::failure::Failure;
use crate::settings::Settings;
use crate::terminal::table;

/// The bytes of its blobs, as they lie in the store and travel.
fn size(image: &LocalImage) -> u64 {
    image.manifest.blobs().map(|blob| blob.size).sum()
}

/// How long ago an RFC 3339 time was.
fn age(created: &str) -> Option<String> {
    let created: jiff::Timestamp = created.parse().ok()?;
    Some(table::ago(jiff::Timestamp::now().as_second() - created.as_second()))
}

fn shortened(digest: &str, no_trunc: bool) -> String {
    if no_trunc { digest.to_owned() } else { digest.trim_start_matches("sha256:").chars().take(12).collect() }
}

/// `layercake tag`.
///
/// # Errors
/// If there is no such image, or the new name is none.
pub fn tag(arguments: &arguments::Tag) -> Result<(), Failure> {
    let store = open_store()?;
    let image = find(&store, &arguments.source, &host_platform())?;
    let target: Reference = arguments.target.parse().map_err(Failure::input)?;
    if target.digest().is_some() {
        return Err(Failure::input(format!(
            "`{}` names an image by its digest, which cannot be given to it",
            arguments.target
        ))
        .help("give it a tag: `NAME[:TAG]`"));
    }
    Ok(Images::new(&store).tag(&target, &image.descriptor)?)
}

/// The image of this name or id; of an index, that for the platform, or else its first.
///
/// # Errors
/// If the store has none.
pub fn find(store: &Store, name: &str, platform: &Platform) -> Result<LocalImage, Failure> {
    Images::new(store).find_any(name, platform)?.ok_or_else(|| unknown(name))
}

fn unknown(name: &str) -> Failure {
    Failure::input(format!("there is no image `{name}` in the store"))
        .help("list the images with `layercake images`, or fetch it with `layercake pull`")
}

/// The store of the settings, for commands that have no project.
///
/// # Errors
/// If it cannot be opened.
pub fn open_store() -> Result<Store, Failure> {
    let settings = Settings::read(std::path::Path::new("."))?;
    Ok(doubt::open(&settings.home)?)
}
