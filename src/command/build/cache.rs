//! `--cache-from` and `--cache-to`: what travels between machines.

use std::collections::BTreeMap;

use layercake_cache::Store;
use layercake_compiler::platform::Platform;
use layercake_executor::image::pick::LayoutReference;
use layercake_executor::layer::blob::Options;
use layercake_executor::layer::compress::Compression;
use layercake_executor::registry::client::Client;
use layercake_executor::remote::ahead::Goods;
use layercake_executor::remote::caches::{Caches, Found};
use layercake_executor::remote::chunk::Packed;
use layercake_executor::remote::error::Error;
use layercake_executor::remote::export::{Choice, Mode, Skipped, Source};
use layercake_executor::remote::mounts::Mounts;
use layercake_executor::remote::place::Place;
use layercake_executor::remote::rate::Rates;
use layercake_executor::remote::worth::Skip;

use super::super::registry::show;
use crate::failure::Failure;
use crate::terminal::output::tell;
use crate::terminal::paint::Paint;

/// A place that a cache is put.
#[derive(Clone, Debug)]
pub(super) struct Target {
    destination: Destination,
    mode: Mode,
    compression: Compression,
    skip: Skip,
    mounts: Mounts,
    /// Whether a build goes on that cannot put it there.
    errors: Errors,
}

/// Where a cache is put.
#[derive(Clone, Debug)]
enum Destination {
    /// Where it is an image of its own.
    Place(Place),
    /// Into the image that is built.
    Image,
}

/// What it means that a cache cannot be put where it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Errors {
    /// The build has failed.
    Count,
    /// A word about it is enough.
    Ignored,
}

/// Opens the caches that a build for these platforms takes from: an image that is its own cache is another one for each. One
/// that is not there yet is no error: the first build makes it.
///
/// # Errors
/// If an argument means nothing.
pub(in crate::command) fn sources<'a>(
    arguments: &[String],
    store: &Store,
    client: Option<&'a Client>,
    platforms: &[Platform],
    paint: Paint,
) -> Result<Caches<'a>, Failure> {
    let mut caches = Caches::new(client);
    let mut notes: Vec<String> = Vec::new();
    let places = arguments.iter().map(|text| source(text)).collect::<Result<Vec<_>, _>>()?;
    for ((place, mounts), platform) in places.iter().flat_map(|place| platforms.iter().map(move |one| (place, one))) {
        let name = place.to_string();
        let note = match caches.add(store, place.clone(), platform, *mounts) {
            Ok(Found::Cache(_)) => continue,
            Ok(Found::Nothing) => format!("there is no cache `{name}` yet"),
            Ok(Found::NoCache) => format!("the image `{name}` carries no cache of this version of layercake"),
            Ok(Found::Foreign) => {
                format!("the image `{name}` carries a cache of BuildKit, whose keys mean nothing to layercake")
            }
            // A build is right without a cache.
            Err(error) => format!("the cache `{name}` cannot be used: {error}"),
        };
        // What is not there is there for no platform.
        if !notes.contains(&note) {
            tell(&format!("{} {note}\n", paint.yellow("note:")));
            notes.push(note);
        }
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

/// Whether the image that is built is to be its own cache.
pub(super) fn is_inline(targets: &[Target]) -> bool {
    targets.iter().any(|target| matches!(target.destination, Destination::Image))
}

/// What may be sent while the build goes on. `image`: how the layers of its image are packed, if there is one.
pub(super) fn goods(targets: &[Target], image: Option<Options>) -> Vec<Goods<'_>> {
    let goods = targets.iter().filter_map(|target| {
        let Destination::Place(place) = &target.destination else { return None };
        let options = Options { compression: target.compression, epoch: None };
        Some(Goods { place, mode: target.mode, options, image, skip: target.skip })
    });
    goods.collect()
}

/// Puts what a build has become where it is wanted. A cache that is as it was is not touched. `mounts` gives what lies in cache
/// mounts, where that is to travel.
///
/// # Errors
/// If that does not work.
pub(super) fn put(
    targets: &[Target],
    source: Source<'_>,
    mounts: &dyn Fn() -> Result<BTreeMap<String, Packed>, Failure>,
    client: Option<&Client>,
    paint: Paint,
) -> Result<(), Failure> {
    for target in targets {
        let Destination::Place(place) = &target.destination else { continue };
        let put = || {
            let mounts = if target.mounts == Mounts::Travel { mounts()? } else { BTreeMap::new() };
            put_one(target, place, mounts, source, client, paint).map_err(|error| {
                let message = format!("the cache `{place}` could not be put there: {error}");
                Failure::new(error.fault(), message).perhaps_help(error.help())
            })
        };
        match put() {
            Err(failure) if target.errors == Errors::Ignored => {
                tell(&format!("{} {}\n", paint.yellow("note:"), failure.message()));
            }
            result => result?,
        }
    }
    Ok(())
}

fn put_one(
    target: &Target,
    place: &Place,
    mounts: BTreeMap<String, Packed>,
    source: Source<'_>,
    client: Option<&Client>,
    paint: Paint,
) -> Result<(), Error> {
    let host = match place {
        Place::Registry(reference) => Some(reference.host()),
        Place::Layout(_) => None,
    };
    let rates = host.map(|host| Rates::of(source.store, host)).transpose()?.unwrap_or_default();
    let choice = Choice { mode: target.mode, compression: target.compression, skip: target.skip, rates, host };
    let (mut index, skipped) = source.index(choice)?;
    index.mounts = mounts;
    let image = source.image(&index)?;
    if source.caches.has(place, &image.digest) {
        return Ok(());
    }
    // What goes into a layout, and what another cache than that of this registry has, comes here first.
    let is_known = |digest| matches!(place, Place::Registry(_)) && source.caches.is_known(digest);
    for blob in index.blobs() {
        if !source.store.has_blob(&blob.digest) && !is_known(&blob.digest) {
            source.caches.fetch(source.store, &blob.digest, &|_| ())?;
        }
    }
    place.put(source.store, client, &image, &source.plan.platform, &|event| show(&event, false, paint))?;
    if skipped.layers > 0 {
        let Skipped { of, layers, bytes, fetching, doing } = skipped;
        tell(&format!(
            "cache: {layers} of {of} layers not sent: fetching them would take longer than doing their steps ({} MB, about \
             {:.1} s against {:.1} s); `skip=off` sends all\n",
            bytes / 1_000_000,
            fetching.as_secs_f64(),
            doing.as_secs_f64(),
        ));
    }
    Ok(())
}

/// What `--cache-from` says: `type=registry,ref=NAME`, `type=local,src=FOLDER[,tag=TAG]`, or, as for docker, a bare name.
fn source(text: &str) -> Result<(Place, Mounts), Failure> {
    let wrong = |what: &str| {
        Failure::input(format!("`--cache-from {text}`: {what}")).help(
            "write `type=registry,ref=NAME`, `type=local,src=FOLDER[,tag=TAG]`, or the name of an image, and `,mounts=true` \
             if its cache mounts are to be trusted",
        )
    };
    if !text.contains('=') {
        return Ok((Place::Registry(text.parse().map_err(Failure::input)?), Mounts::Stay));
    }
    let pairs = pairs(text).map_err(|what| wrong(&what))?;
    check_type(&pairs, "--cache-from")?;
    let (mut fields, mut mounts) = (Fields::default(), Mounts::Stay);
    for (name, value) in pairs {
        match (name, value) {
            ("type", _) => fields.kind = value,
            ("ref", _) => fields.reference = value,
            ("src", _) => fields.folder = value,
            ("tag", _) => fields.tag = value,
            ("digest", _) => fields.digest = value,
            ("mounts", "true") => mounts = Mounts::Travel,
            ("mounts", "false") => mounts = Mounts::Stay,
            ("mounts", _) => return Err(wrong(&format!("`{value}` is nothing that `{name}` can be"))),
            _ => return Err(wrong(&format!("`{name}` means nothing"))),
        }
    }
    if fields.kind == "inline" {
        return Err(wrong("an inline cache is read from the image that has it, as `type=registry,ref=NAME`"));
    }
    Ok((fields.place("src").map_err(|what| wrong(&what))?, mounts))
}

/// What `--cache-to` says.
fn target(text: &str) -> Result<Target, Failure> {
    let wrong = |what: &str| {
        Failure::input(format!("`--cache-to {text}`: {what}")).help(
            "write `type=registry,ref=NAME[,mode=max]`, `type=local,dest=FOLDER[,mode=max]` or `type=inline`, and if you like \
             `,mounts=true`, `,compression=zstd`, `,skip=off`, `,ignore-error=true`",
        )
    };
    let pairs = pairs(text).map_err(|what| wrong(&what))?;
    check_type(&pairs, "--cache-to")?;
    let mut fields = Fields::default();
    let (mut mode, mut compression, mut errors) = (None, Compression::GZIP, Errors::Count);
    let (mut skip, mut mounts) = (None, Mounts::Stay);
    for (name, value) in pairs {
        match (name, value) {
            ("type", _) => fields.kind = value,
            ("ref", _) => fields.reference = value,
            ("dest", _) => fields.folder = value,
            ("tag", _) => fields.tag = value,
            ("mode", "min") => mode = Some(Mode::Min),
            ("mode", "max") => mode = Some(Mode::Max),
            ("compression", "gzip") => compression = Compression::GZIP,
            ("compression", "zstd") => compression = Compression::ZSTD,
            ("compression", "uncompressed" | "none") => compression = Compression::None,
            ("skip", "auto") => skip = Some(Skip::Auto),
            ("skip", "off") => skip = Some(Skip::Off),
            ("mounts", "true") => mounts = Mounts::Travel,
            ("mounts", "false") => mounts = Mounts::Stay,
            ("ignore-error", "true" | "false") => {
                errors = if value == "true" { Errors::Ignored } else { Errors::Count }
            }
            ("mode" | "compression" | "ignore-error" | "mounts" | "skip", _) => {
                return Err(wrong(&format!("`{value}` is nothing that `{name}` can be")));
            }
            // What BuildKit has to be asked for, a cache of layercake always is.
            ("oci-mediatypes" | "image-manifest", "true") => (),
            _ => return Err(wrong(&format!("`{name}` means nothing"))),
        }
    }
    let destination = match fields.kind {
        "inline" if mode == Some(Mode::Max) => {
            return Err(wrong("an image has no layers of other stages: only `mode=min`"));
        }
        "inline" if mounts == Mounts::Travel => {
            return Err(wrong("what lies in cache mounts has no place in an image that people run"));
        }
        "inline" => Destination::Image,
        _ => Destination::Place(fields.place("dest").map_err(|what| wrong(&what))?),
    };
    // How long it takes to have a folder on another machine, nobody here knows.
    let skip = skip.unwrap_or(if fields.kind == "registry" { Skip::Auto } else { Skip::Off });
    Ok(Target { destination, mode: mode.unwrap_or_default(), compression, skip, mounts, errors })
}

/// Refuses places that others know, whatever else is said of them.
fn check_type(pairs: &[(&str, &str)], argument: &str) -> Result<(), Failure> {
    match pairs.iter().find(|(name, _)| *name == "type") {
        Some((_, kind @ ("gha" | "s3" | "azblob"))) => {
            let help = "use `type=registry`, or `type=local` and let the CI system carry the folder";
            Err(Failure::not_built(format!("`{argument} type={kind}`")).help(help))
        }
        _ => Ok(()),
    }
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
            kind => Err(format!("there is no type `{kind}`")),
        }
    }
}

fn pairs(text: &str) -> Result<Vec<(&str, &str)>, String> {
    text.split(',').map(|part| part.split_once('=').ok_or_else(|| format!("`{part}` has no value"))).collect()
}
