//! `inspect`: the documents of images, in the form of `docker image inspect`.

use layercake_cache::Store;
use layercake_executor::image::local::{Images, LocalImage, NamedImage};
use layercake_executor::image::reference::Reference;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::super::inputs::host_platform;
use super::{open_store, size, unknown};
use crate::arguments::images as arguments;
use crate::failure::Failure;
use crate::terminal::output;
use crate::terminal::template::{Subject, Template, Value as Seen};

/// What docker writes for an image that was never named.
const NEVER: &str = "0001-01-01T00:00:00Z";
/// Settings that docker writes even where they are empty: scripts compare them with `null`.
const ALWAYS: [(&str, Value); 8] = [
    ("User", Value::String(String::new())),
    ("Env", Value::Null),
    ("Cmd", Value::Null),
    ("Volumes", Value::Null),
    ("WorkingDir", Value::String(String::new())),
    ("Entrypoint", Value::Null),
    ("OnBuild", Value::Null),
    ("Labels", Value::Null),
];
/// Those that only templates see: asking for them is no mistake, but docker leaves them out.
const SOMETIMES: [&str; 5] = ["ExposedPorts", "Healthcheck", "Shell", "StopSignal", "ArgsEscaped"];

/// `layercake inspect`.
///
/// # Errors
/// If there is no such image, or the format means nothing. Those that there are have been shown then.
pub fn run(arguments: &arguments::Inspect) -> Result<(), Failure> {
    let template = match arguments.format.as_deref() {
        None | Some("" | "json") => None,
        Some(text) => Some(Template::parse(text).map_err(Failure::input)?),
    };
    let store = open_store()?.onlooking();
    let named = Images::new(&store).list()?;
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for name in &arguments.image {
        match Images::new(&store).find_any(name, &host_platform())? {
            Some(image) => found.push(document(&image, &named, &store)),
            None => missing.push(unknown(name)),
        }
    }
    match (&template, arguments.format.as_deref()) {
        (Some(template), _) => {
            for document in &found {
                let seen = Seen::of(&seen(document));
                output::line(&template.render(&seen, Subject::Values).map_err(Failure::input)?)?;
            }
        }
        (None, Some("json")) => output::line(&Value::Array(found).to_string())?,
        (None, _) => output::line(&indented(&found))?,
    }
    missing.into_iter().next().map_or(Ok(()), Err)
}

/// By four blanks, as docker does: there are scripts that look for lines.
fn indented(documents: &[Value]) -> String {
    let mut text = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, formatter);
    documents.serialize(&mut serializer).expect("documents have only text keys");
    String::from_utf8(text).expect("JSON is UTF-8")
}

/// The settings, with those that docker writes although they are empty.
fn settings(image: &LocalImage) -> Value {
    let config = serde_json::to_value(&image.config.config).expect("a configuration has only text keys");
    let mut known = match config {
        Value::Object(known) => known,
        _ => Map::new(),
    };
    let mut all = Map::new();
    for (name, empty) in ALWAYS {
        let value = known.remove(name).unwrap_or(empty);
        all.insert(name.to_owned(), value);
    }
    all.extend(known);
    Value::Object(all)
}

/// The document as a template sees it.
fn seen(document: &Value) -> Value {
    let mut document = document.clone();
    if let Some(Value::Object(config)) = document.get_mut("Config") {
        for name in SOMETIMES {
            let empty = match name {
                "StopSignal" => Value::from(""),
                "ArgsEscaped" => Value::from(false),
                _ => Value::Null,
            };
            config.entry(name).or_insert(empty);
        }
    }
    document
}

fn document(image: &LocalImage, named: &[NamedImage], store: &Store) -> Value {
    let names = || {
        let same = named.iter().filter(|named| named.descriptor.digest == image.descriptor.digest);
        same.filter_map(|named| named.reference.as_ref())
    };
    let mut digests: Vec<String> =
        names().map(|name| format!("{}@{}", name.familiar_name(), image.descriptor.digest)).collect();
    digests.dedup();
    let tagged = names().filter_map(|name| Images::new(store).tagged(name)).max();
    let tagged = tagged.and_then(|time| jiff::Timestamp::try_from(time).ok());
    // What no build has read yet stays where it came from.
    let missing: Vec<_> = image.missing_layers(store).map(|layer| layer.digest).collect();
    let size = size(image);
    json!({
        "Id": image.descriptor.digest,
        "RepoTags": names().filter(|name| name.tag().is_some()).map(Reference::familiar).collect::<Vec<_>>(),
        "RepoDigests": digests,
        "Parent": "",
        "Comment": image.config.history.last().map_or("", |entry| entry.comment.as_str()),
        "Created": image.config.created.as_deref().unwrap_or(NEVER),
        "DockerVersion": image.config.other.get("docker_version").and_then(Value::as_str).unwrap_or_default(),
        "Author": image.config.author.as_deref().unwrap_or_default(),
        "Config": settings(image),
        "Architecture": image.config.architecture,
        "Variant": image.config.variant,
        "Os": image.config.os,
        "OsVersion": image.config.other.get("os.version").and_then(Value::as_str).unwrap_or_default(),
        "Size": size,
        "VirtualSize": size,
        "RootFS": {"Type": "layers", "Layers": image.config.rootfs.diff_ids},
        "Metadata": {"LastTagTime": tagged.map_or_else(|| NEVER.to_owned(), |time| time.to_string())},
        "Descriptor": image.descriptor.bare(),
        "Digest": image.manifest_digest,
        "Manifest": image.manifest,
        "History": image.config.history,
        "MissingLayers": missing,
    })
}
