//! `history`: how an image was made.

use serde_json::Value;

use super::super::inputs::host_platform;
use super::{age, find, open_store, shortened};
use crate::arguments::images as arguments;
use crate::failure::Failure;
use crate::terminal::listing::{Field, Form, Listing};
use crate::terminal::{output, table};

/// Docker's, and the layer's digest.
const FIELDS: [Field; 7] = [
    Field { name: "Comment", heading: "COMMENT" },
    Field { name: "CreatedAt", heading: "CREATED AT" },
    Field { name: "CreatedBy", heading: "CREATED BY" },
    Field { name: "CreatedSince", heading: "CREATED" },
    Field { name: "ID", heading: "IMAGE" },
    Field { name: "Layer", heading: "LAYER" },
    Field { name: "Size", heading: "SIZE" },
];
const COLUMNS: [&str; 5] = ["ID", "CreatedSince", "CreatedBy", "Size", "Comment"];
const FOR_PROGRAMS: [&str; 5] = ["ID", "CreatedAt", "CreatedBy", "Size", "Comment"];
/// The letters of an instruction that the table shows.
const LETTERS: usize = 45;
/// What docker shows for all but the image itself: what an instruction made before has no name of its own.
const MISSING: &str = "<missing>";

/// `layercake history`.
///
/// # Errors
/// If there is no such image, or the format means nothing.
pub fn run(arguments: &arguments::History) -> Result<(), Failure> {
    let form: Form = arguments.format.parse().map_err(Failure::input)?;
    let store = open_store()?.onlooking();
    let image = find(&store, &arguments.image, &host_platform())?;
    let id = shortened(&image.descriptor.digest.to_string(), arguments.no_trunc);
    let mut layers = image.manifest.layers.iter();
    let entries: Vec<_> = image
        .config
        .history
        .iter()
        .map(|entry| (entry, if entry.empty_layer { None } else { layers.next() }))
        .collect();
    // The newest first, as docker has it.
    let ids = std::iter::once(id.as_str()).chain(std::iter::repeat(MISSING));
    let entries = entries.into_iter().rev().zip(ids);
    if arguments.quiet {
        return entries.into_iter().try_for_each(|(_, id)| output::line(id));
    }
    let rows = entries.map(|((entry, layer), id)| {
        let created_by = entry.created_by.replace('\t', " ");
        let created_by = if arguments.no_trunc || created_by.chars().count() <= LETTERS {
            created_by
        } else {
            created_by.chars().take(LETTERS - 1).chain(['…']).collect()
        };
        let size = layer.map_or(0, |layer| layer.size);
        let created = entry.created.as_deref();
        let text = |text: String| Value::from(text);
        vec![
            text(entry.comment.clone()),
            text(created.map(seconds).unwrap_or_default()),
            text(created_by),
            text(created.and_then(age).unwrap_or_else(|| "N/A".to_owned())),
            text(id.to_owned()),
            text(layer.map(|layer| layer.digest.to_string()).unwrap_or_default()),
            text(if arguments.human { table::size(size) } else { size.to_string() }),
        ]
    });
    let columns = if arguments.human { &COLUMNS } else { &FOR_PROGRAMS };
    let mut listing = Listing { fields: &FIELDS, columns, rows: rows.collect() };
    if matches!(form, Form::Table) {
        // A table has a line for each row, whatever a heredoc has left in an instruction.
        for cell in listing.rows.iter_mut().flatten() {
            *cell = Value::from(cell.as_str().unwrap_or_default().replace('\n', " "));
        }
    }
    output::result(&listing.render(&form).map_err(Failure::input)?)
}

/// RFC 3339 without fractions of a second, as docker shows it.
fn seconds(time: &str) -> String {
    let parsed: Result<jiff::Timestamp, _> = time.parse();
    parsed.map_or_else(|_| time.to_owned(), |time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}
