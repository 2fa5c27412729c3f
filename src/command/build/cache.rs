//! `--cache-from` and `--cache-to`: what travels between machines.

use layercake_cache::Store;
use layercake_compiler::platform::Platform;
use layercake_executor::image::pick::LayoutReference;
use layercake_executor::layer::compress::Compression;
use layercake_executor::registry::client::Client;
use layercake_executor::remote::caches::{Caches, Found};
use layercake_executor::remote::export::{Mode, Source};
use layercake_executor::remote::place::Place;

use super::super::registry::show;
use crate::failure::Failure;
use crate::terminal::output::tell;
use crate::terminal::paint::Paint;

/// A place that a cache is put.
#[derive(Clone, Debug)]
pub(super) struct Target {
    place: Place,
    mode: Mode,
    compression: Compression,
    /// Whether a build goes on that cannot put it there.
    errors: Errors,
}

/// What it means that a cache cannot be put where it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Errors {
    /// The build has failed.
    Count,
    /// A word about it is enough.
    Ignored,
}

/// Opens the caches that a build takes from. One that is not there yet is no error: the first build makes it.
///
/// # Errors
/// If an argument means nothing, or a cache cannot be read.
pub(super) fn sources<'a>(
    arguments: &[String],
    store: &Store,
    client: Option<&'a Client>,
    platform: &Platform,
    paint: Paint,
) -> Result<Caches<'a>, Failure> {
    let mut caches = Caches::new(client);
    for text in arguments {
        let place = source(text)?;
        let name = place.to_string();
        let note = match caches.add(store, place, platform) {
            Ok(Found::Cache(_)) => continue,
            Ok(Found::Nothing) => format!("there is no cache `{name}` yet"),
            Ok(Found::NoCache) => format!("the image `{name}` carries no cache of this version of layercake"),
            // A build is right without a cache.
            Err(error) => format!("the cache `{name}` cannot be used: {error}"),
        };
        tell(&format!("{} {note}\n", paint.yellow("note:")));
    }
    Ok(caches)
}

/// Reads what `--cache-to` says.
///
/// # Errors
/// If it means nothing.
pub(super) fn targets(arguments: &[String]) -> Result<Vec<Target>, Failure> {
    arguments.iter().map(|text| target(text)).collect()
}

/// Puts what a build has become where it is wanted. A cache that is as it was is not touched.
///
/// # Errors
/// If that does not work.
pub(super) fn put(
    targets: &[Target],
    source: Source<'_>,
    client: Option<&Client>,
    paint: Paint,
) -> Result<(), Failure> {
    for target in targets {
        let put = || {
            let index = source.index(target.mode, target.compression)?;
            let image = source.image(&index)?;
            if source.caches.has(&target.place, &image.digest) {
                return Ok(());
            }
            if let Place::Layout(_) = target.place {
                // A layout has all of it.
                let absent = index.layers.values().filter(|packed| !source.store.has_blob(&packed.blob.digest));
                for packed in absent {
                    source.caches.fetch(source.store, &packed.blob.digest, &|_| ())?;
                }
            }
            let events = |event| show(&event, false, paint);
            target.place.put(source.store, client, &image, &source.plan.platform, &events)
        };
        match put() {
            Ok(()) => (),
            Err(error) if target.errors == Errors::Ignored => {
                tell(&format!(
                    "{} the cache `{}` could not be put there: {error}\n",
                    paint.yellow("note:"),
                    target.place
                ));
            }
            Err(error) => {
                let message = format!("the cache `{}` could not be put there: {error}", target.place);
                return Err(Failure::new(error.fault(), message).perhaps_help(error.help()));
            }
        }
    }
    Ok(())
}

/// What `--cache-from` says: `type=registry,ref=NAME`, `type=local,src=FOLDER[,tag=TAG]`, or, as for docker, a bare name.
fn source(text: &str) -> Result<Place, Failure> {
    let wrong = |what: &str| {
        Failure::input(format!("`--cache-from {text}`: {what}"))
            .help("write `type=registry,ref=NAME`, `type=local,src=FOLDER[,tag=TAG]`, or the name of an image")
    };
    if !text.contains('=') {
        return Ok(Place::Registry(text.parse().map_err(Failure::input)?));
    }
    let mut fields = Fields::default();
    for (name, value) in pairs(text).map_err(|what| wrong(&what))? {
        match name {
            "type" => fields.kind = value,
            "ref" => fields.reference = value,
            "src" => fields.folder = value,
            "tag" => fields.tag = value,
            "digest" => fields.digest = value,
            _ => return Err(wrong(&format!("`{name}` means nothing"))),
        }
    }
    fields.place("src").map_err(|what| wrong(&what))
}

/// What `--cache-to` says.
fn target(text: &str) -> Result<Target, Failure> {
    let wrong = |what: &str| {
        Failure::input(format!("`--cache-to {text}`: {what}")).help(
            "write `type=registry,ref=NAME[,mode=max]` or `type=local,dest=FOLDER[,mode=max]`, and if you like `,compression=zstd`",
        )
    };
    let (mut fields, mut mode, mut compression, mut errors) =
        (Fields::default(), Mode::default(), Compression::GZIP, Errors::Count);
    for (name, value) in pairs(text).map_err(|what| wrong(&what))? {
        match (name, value) {
            ("type", _) => fields.kind = value,
            ("ref", _) => fields.reference = value,
            ("dest", _) => fields.folder = value,
            ("tag", _) => fields.tag = value,
            ("mode", "min") => mode = Mode::Min,
            ("mode", "max") => mode = Mode::Max,
            ("compression", "gzip") => compression = Compression::GZIP,
            ("compression", "zstd") => compression = Compression::ZSTD,
            ("compression", "uncompressed" | "none") => compression = Compression::None,
            ("ignore-error", "true" | "false") => {
                errors = if value == "true" { Errors::Ignored } else { Errors::Count }
            }
            ("mode" | "compression" | "ignore-error", _) => {
                return Err(wrong(&format!("`{value}` is nothing that `{name}` can be")));
            }
            // What BuildKit has to be asked for, a cache of layercake always is.
            ("oci-mediatypes" | "image-manifest", "true") => (),
            _ => return Err(wrong(&format!("`{name}` means nothing"))),
        }
    }
    let place = fields.place("dest").map_err(|what| wrong(&what))?;
    Ok(Target { place, mode, compression, errors })
}

#[derive(Default)]
struct Fields<'a> {
    kind: &'a str,
    reference: &'a str,
    folder: &'a str,
    tag: &'a str,
    digest: &'a str,
}

impl Fields<'_> {
    fn place(&self, folder: &str) -> Result<Place, String> {
        match self.kind {
            "registry" if self.reference.is_empty() => Err("`ref=NAME` is missing".to_owned()),
            "registry" => Ok(Place::Registry(self.reference.parse().map_err(|error| format!("{error}"))?)),
            "local" if self.folder.is_empty() => Err(format!("`{folder}=FOLDER` is missing")),
            "local" => {
                let digest = Some(self.digest).filter(|digest| !digest.is_empty());
                Ok(Place::Layout(LayoutReference {
                    folder: self.folder.into(),
                    tag: Some(if self.tag.is_empty() { "latest" } else { self.tag }.to_owned()),
                    digest: digest.map(|digest| digest.parse().map_err(|error| format!("{error}"))).transpose()?,
                }))
            }
            "" => Err("the type is missing".to_owned()),
            kind @ ("gha" | "s3" | "azblob" | "inline") => Err(format!("`type={kind}` is not built yet")),
            kind => Err(format!("there is no type `{kind}`")),
        }
    }
}

fn pairs(text: &str) -> Result<Vec<(&str, &str)>, String> {
    text.split(',').map(|part| part.split_once('=').ok_or_else(|| format!("`{part}` has no value"))).collect()
}
