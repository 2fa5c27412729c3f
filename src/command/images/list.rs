//! `images`: the list of images.

use layercake_executor::image::local::{Images, LocalImage, NamedImage};
use layercake_executor::image::reference::Reference;
use serde_json::Value;

use super::super::inputs::host_platform;
use super::filter::{Candidate, Filters};
use super::{age, open_store, shortened, size};
use crate::arguments::images as arguments;
use crate::failure::Failure;
use crate::terminal::listing::{Field, Form, Listing};
use crate::terminal::{output, table};

/// Docker's, and the platform.
const FIELDS: [Field; 12] = [
    Field { name: "Containers", heading: "CONTAINERS" },
    Field { name: "CreatedAt", heading: "CREATED AT" },
    Field { name: "CreatedSince", heading: "CREATED" },
    Field { name: "Digest", heading: "DIGEST" },
    Field { name: "ID", heading: "IMAGE ID" },
    Field { name: "Platform", heading: "PLATFORM" },
    Field { name: "Repository", heading: "REPOSITORY" },
    Field { name: "SharedSize", heading: "SHARED SIZE" },
    Field { name: "Size", heading: "SIZE" },
    Field { name: "Tag", heading: "TAG" },
    Field { name: "UniqueSize", heading: "UNIQUE SIZE" },
    Field { name: "VirtualSize", heading: "SIZE" },
];
const COLUMNS: [&str; 5] = ["Repository", "Tag", "ID", "CreatedSince", "Size"];
const WITH_DIGESTS: [&str; 6] = ["Repository", "Tag", "Digest", "ID", "CreatedSince", "Size"];
/// What docker shows for what it does not know.
const UNKNOWN: &str = "N/A";
pub(super) const NONE: &str = "<none>";

/// `layercake images`.
///
/// # Errors
/// If the store cannot be read, or a filter or the format means nothing.
pub fn run(arguments: &arguments::Images) -> Result<(), Failure> {
    let form: Form = arguments.format.parse().map_err(Failure::input)?;
    let store = open_store()?.onlooking();
    let images = Images::new(&store);
    let mut filters = Filters::read(&arguments.filter, &images)?;
    filters.name = arguments.name.clone();
    let mut all: Vec<Candidate> = images.list()?.into_iter().map(|named| candidate(&images, named)).collect();
    // The newest first, as docker has it; what is equally old by its name.
    let name = |candidate: &Candidate| candidate.named.reference.as_ref().map(Reference::familiar);
    all.sort_by_cached_key(|candidate| (std::cmp::Reverse(candidate.created()), name(candidate)));
    all.retain(|candidate| filters.fits(candidate));
    if arguments.quiet {
        let id = |candidate: &Candidate| shortened(&candidate.named.descriptor.digest.to_string(), arguments.no_trunc);
        return all.iter().try_for_each(|candidate| output::line(&id(candidate)));
    }
    let rows = all.iter().map(|candidate| row(candidate, arguments.no_trunc)).collect();
    let columns: &[&str] = if arguments.digests { &WITH_DIGESTS } else { &COLUMNS };
    let listing = Listing { fields: &FIELDS, columns, rows };
    output::result(&listing.render(&form).map_err(Failure::input)?)
}

/// An image whose documents are gone or damaged is still listed: how else would anybody know of it?
fn candidate(images: &Images<'_>, named: NamedImage) -> Candidate {
    let documents = images.any(named.reference.as_ref(), &named.descriptor, &host_platform());
    let image = documents.unwrap_or_else(|error| {
        output::tell(&format!("note: an image is listed without its particulars: {error}\n"));
        None
    });
    Candidate { named, image }
}

fn row(candidate: &Candidate, no_trunc: bool) -> Vec<Value> {
    let Candidate { named, image } = candidate;
    let (repository, tag) = name_and_tag(named);
    let of_image = |tell: &dyn Fn(&LocalImage) -> Option<String>| {
        Value::from(image.as_ref().and_then(tell).unwrap_or_else(|| UNKNOWN.to_owned()))
    };
    let size = of_image(&|image| Some(table::size(size(image))));
    FIELDS
        .iter()
        .map(|field| match field.name {
            "CreatedAt" => of_image(&|image| created_at(image.config.created.as_deref()?)),
            "CreatedSince" => of_image(&|image| age(image.config.created.as_deref()?)),
            "Digest" => Value::from(named.descriptor.digest.to_string()),
            "ID" => Value::from(shortened(&named.descriptor.digest.to_string(), no_trunc)),
            "Platform" => of_image(&|image| Some(image.config.platform().to_string())),
            "Repository" => Value::from(repository.as_str()),
            "Size" | "VirtualSize" => size.clone(),
            "Tag" => Value::from(tag.as_str()),
            _ => Value::from(UNKNOWN),
        })
        .collect()
}

/// As Go prints a time: `2026-11-22 17:42:56 +0000 UTC`.
fn created_at(created: &str) -> Option<String> {
    let created: jiff::Timestamp = created.parse().ok()?;
    Some(created.strftime("%Y-%m-%d %H:%M:%S +0000 UTC").to_string())
}

fn name_and_tag(named: &NamedImage) -> (String, String) {
    let none = || NONE.to_owned();
    match &named.reference {
        Some(reference) => (reference.familiar_name(), reference.tag().map_or_else(none, str::to_owned)),
        None => (none(), none()),
    }
}
