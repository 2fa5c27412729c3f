//! `images`, `history`, `inspect`, `tag`, `rmi`: what is in the store, in docker's columns.

use layercake_cache::Store;
use layercake_compiler::platform::Platform;
use layercake_executor::image::local::{Images, LocalImage, NamedImage};
use layercake_executor::image::reference::Reference;
use serde_json::{Value, json};

use super::inputs::host_platform;
use crate::arguments::images as arguments;
use crate::arguments::images::Format;
use crate::failure::Failure;
use crate::settings::Settings;
use crate::terminal::{output, table};

/// `layercake images`.
///
/// # Errors
/// If the store cannot be read.
pub fn list(arguments: &arguments::Images) -> Result<(), Failure> {
    let store = open_store()?;
    let images = Images::new(&store);
    let wanted = arguments.name.as_deref().map(str::parse::<Reference>).transpose().map_err(Failure::input)?;
    let by_tag =
        arguments.name.as_deref().is_some_and(|name| name.rsplit('/').next().is_some_and(|name| name.contains(':')));
    let mut rows = vec![["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"].map(str::to_owned).to_vec()];
    for named in images.list()? {
        let fits = wanted.as_ref().is_none_or(|wanted| {
            named
                .reference
                .as_ref()
                .is_some_and(|found| found.name() == wanted.name() && (!by_tag || found.tag() == wanted.tag()))
        });
        if !fits {
            continue;
        }
        let image = images.any(named.reference.as_ref(), &named.descriptor, &host_platform())?;
        match arguments.format {
            _ if arguments.quiet => output::line(&shortened(&named.descriptor.digest.to_string(), arguments.no_trunc))?,
            Format::Json => output::line(&described(&named, image.as_ref()).to_string())?,
            Format::Table => rows.push(row(&named, image.as_ref(), arguments.no_trunc)),
        }
    }
    if arguments.format == Format::Table && !arguments.quiet { output::result(&table::render(&rows)) } else { Ok(()) }
}

fn row(named: &NamedImage, image: Option<&LocalImage>, no_trunc: bool) -> Vec<String> {
    let (repository, tag) = name_and_tag(named);
    let created = image.and_then(|image| image.config.created.as_deref()).and_then(age);
    vec![
        repository,
        tag,
        shortened(&named.descriptor.digest.to_string(), no_trunc),
        created.unwrap_or_else(|| "N/A".to_owned()),
        image.map_or_else(|| "N/A".to_owned(), |image| table::size(size(image))),
    ]
}

fn described(named: &NamedImage, image: Option<&LocalImage>) -> Value {
    let (repository, tag) = name_and_tag(named);
    json!({
        "Repository": repository,
        "Tag": tag,
        "ID": named.descriptor.digest,
        "ImageID": image.map(|image| image.manifest.config.digest),
        "CreatedAt": image.and_then(|image| image.config.created.clone()),
        "Size": image.map(size),
        "Platform": image.map(|image| image.config.platform().to_string()),
    })
}

fn name_and_tag(named: &NamedImage) -> (String, String) {
    let none = || "<none>".to_owned();
    match &named.reference {
        Some(reference) => (reference.familiar_name(), reference.tag().map_or_else(none, str::to_owned)),
        None => (none(), none()),
    }
}

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

/// `layercake history`.
///
/// # Errors
/// If there is no such image.
pub fn history(arguments: &arguments::History) -> Result<(), Failure> {
    let store = open_store()?;
    let image = find(&store, &arguments.image, &host_platform())?;
    let mut layers = image.manifest.layers.iter();
    let mut entries: Vec<(Value, Vec<String>)> = Vec::new();
    for entry in &image.config.history {
        let layer = if entry.empty_layer { None } else { layers.next() };
        let digest = layer.map(|layer| layer.digest.to_string());
        let size = layer.map_or(0, |layer| layer.size);
        let created_by = entry.created_by.split_whitespace().collect::<Vec<_>>().join(" ");
        let value = json!({
            "Layer": digest, "CreatedAt": entry.created, "CreatedBy": entry.created_by, "Size": size, "Comment": entry.comment,
        });
        let created_by = if arguments.no_trunc || created_by.chars().count() <= 45 {
            created_by
        } else {
            created_by.chars().take(44).chain(['…']).collect()
        };
        let row = vec![
            digest.map_or_else(|| "<none>".to_owned(), |digest| shortened(&digest, arguments.no_trunc)),
            entry.created.as_deref().and_then(age).unwrap_or_else(|| "N/A".to_owned()),
            created_by,
            table::size(size),
            entry.comment.clone(),
        ];
        entries.push((value, row));
    }
    // The newest first, as docker has it.
    entries.reverse();
    if arguments.quiet {
        return entries.iter().try_for_each(|(_, row)| output::line(&row[0]));
    }
    match arguments.format {
        Format::Json => entries.iter().try_for_each(|(value, _)| output::line(&value.to_string())),
        Format::Table => {
            let mut rows = vec![["LAYER", "CREATED", "CREATED BY", "SIZE", "COMMENT"].map(str::to_owned).to_vec()];
            rows.extend(entries.into_iter().map(|(_, row)| row));
            output::result(&table::render(&rows))
        }
    }
}

/// `layercake inspect`.
///
/// # Errors
/// If there is no such image.
pub fn inspect(arguments: &arguments::Inspect) -> Result<(), Failure> {
    let store = open_store()?;
    let mut all = Vec::new();
    for name in &arguments.image {
        let image = find(&store, name, &host_platform())?;
        let names =
            Images::new(&store).list()?.into_iter().filter(|named| named.descriptor.digest == image.descriptor.digest);
        let names: Vec<String> = names.filter_map(|named| named.reference).map(|name| name.familiar()).collect();
        all.push(json!({
            "Id": image.descriptor.digest,
            "RepoTags": names,
            "Manifest": image.manifest,
            "Digest": image.manifest_digest,
            "Created": image.config.created,
            "Author": image.config.author,
            "Os": image.config.os,
            "Architecture": image.config.architecture,
            "Variant": image.config.variant,
            "Config": image.config.config,
            "RootFS": {"Type": "layers", "Layers": image.config.rootfs.diff_ids},
            "History": image.config.history,
            "Size": size(&image),
        }));
    }
    output::line(&serde_json::to_string_pretty(&all).expect("documents have only text keys"))
}

/// `layercake tag`.
///
/// # Errors
/// If there is no such image, or the new name is none.
pub fn tag(arguments: &arguments::Tag) -> Result<(), Failure> {
    let store = open_store()?;
    let image = find(&store, &arguments.source, &host_platform())?;
    let target: Reference = arguments.target.parse().map_err(Failure::input)?;
    Ok(Images::new(&store).tag(&target, &image.descriptor)?)
}

/// `layercake rmi`.
///
/// # Errors
/// If there is no such name.
pub fn remove(arguments: &arguments::Rmi) -> Result<(), Failure> {
    let store = open_store()?;
    let images = Images::new(&store);
    for name in &arguments.image {
        let reference = name.parse::<Reference>().ok();
        let known = match &reference {
            Some(reference) => images.untag(reference)?,
            None => false,
        };
        if known {
            output::line(&format!("Untagged: {}", reference.map_or_else(|| name.clone(), |name| name.familiar())))?;
            continue;
        }
        match images.find_any(name, &host_platform())? {
            Some(image) => {
                for named in images.list()?.iter().filter(|named| named.descriptor.digest == image.descriptor.digest) {
                    match &named.reference {
                        Some(reference) => {
                            images.untag(reference)?;
                            output::line(&format!("Untagged: {}", reference.familiar()))?;
                        }
                        None => {
                            images.unkeep(&named.descriptor.digest)?;
                            output::line(&format!("Deleted: {}", named.descriptor.digest))?;
                        }
                    }
                }
            }
            None if arguments.force => (),
            None => return Err(unknown(name)),
        }
    }
    Ok(())
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
    Ok(Store::open(&settings.home)?)
}
