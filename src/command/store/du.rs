//! `du`: what takes the room, in the columns of `docker buildx du`.

use std::fmt::Write;

use layercake_executor::usage::{Kind, Piece, Usage};
use serde_json::Value;

use super::super::images::filter::moment;
use super::{open, short, since};
use crate::arguments::store::Du;
use crate::failure::Failure;
use crate::terminal::listing::{Field, Form, Listing};
use crate::terminal::{output, table};

/// Docker's, and what it does not know.
const FIELDS: [Field; 9] = [
    Field { name: "ID", heading: "ID" },
    Field { name: "Type", heading: "TYPE" },
    Field { name: "Reclaimable", heading: "RECLAIMABLE" },
    Field { name: "Shared", heading: "SHARED" },
    Field { name: "Size", heading: "SIZE" },
    Field { name: "LastUsedSince", heading: "LAST ACCESSED" },
    Field { name: "LastUsedAt", heading: "LAST ACCESSED AT" },
    Field { name: "Description", heading: "DESCRIPTION" },
    Field { name: "UsedBy", heading: "USED BY" },
];
const COLUMNS: [&str; 5] = ["ID", "Reclaimable", "Size", "LastUsedSince", "Type"];

/// What has to fit a piece to be shown.
#[derive(Default)]
struct Filters {
    kinds: Vec<String>,
    id: Option<String>,
    image: Option<String>,
    is_reclaimable: Option<bool>,
    is_shared: Option<bool>,
    before: Option<jiff::Timestamp>,
}

/// `layercake du`.
///
/// # Errors
/// If the store cannot be read, or a filter or the format means nothing. A piece that cannot be read is named, no more.
pub fn run(arguments: &Du) -> Result<(), Failure> {
    let form: Form = arguments.format.parse().map_err(Failure::input)?;
    let filters = Filters::read(&arguments.filter)?;
    let store = open()?;
    let usage = Usage::read(&store)?;
    usage.unreadable.iter().for_each(|what| output::tell(&format!("warning: {what}\n")));
    let mut shown: Vec<&Piece> = usage.pieces.iter().filter(|piece| filters.fit(&usage, piece)).collect();
    shown.sort_by(|a, b| (b.size, &a.part.name).cmp(&(a.size, &b.part.name)));
    if arguments.verbose && matches!(form, Form::Table) {
        let text: String = shown.iter().map(|piece| particulars(&usage, piece)).collect();
        return output::result(&(text + &summary(&shown)));
    }
    // Thousands of records are one line: nobody looks for one of them, unless by name.
    let is_told = |piece: &&&Piece| !matches!(form, Form::Table) || !piece.kind.is_small() || !filters.kinds.is_empty();
    let rows = shown.iter().filter(is_told).map(|piece| row(&usage, piece)).collect();
    let text = Listing { fields: &FIELDS, columns: &COLUMNS, rows }.render(&form).map_err(Failure::input)?;
    output::result(&if matches!(form, Form::Table) { format!("{text}\n{}", summary(&shown)) } else { text })
}

fn is_reclaimable(piece: &Piece) -> bool {
    piece.images.is_empty()
}

/// Whether several images need it.
fn is_shared(piece: &Piece) -> bool {
    piece.images.len() > 1
}

fn last_used(piece: &Piece) -> String {
    jiff::Timestamp::try_from(piece.used)
        .map_or_else(|_| String::new(), |time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

fn row(usage: &Usage, piece: &Piece) -> Vec<Value> {
    vec![
        Value::from(short(piece)),
        Value::from(piece.kind.name()),
        Value::from(is_reclaimable(piece)),
        Value::from(is_shared(piece)),
        Value::from(table::size(piece.size)),
        Value::from(since(piece.used)),
        Value::from(last_used(piece)),
        Value::from(piece.description.as_str()),
        Value::from(usage.needed_by(piece).join(", ")),
    ]
}

fn particulars(usage: &Usage, piece: &Piece) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(text, "{:<14}{value}", format!("{name}:"));
        }
    };
    line("ID", &piece.part.name);
    line("Type", piece.kind.name());
    line("Reclaimable", if is_reclaimable(piece) { "true" } else { "false" });
    line("Shared", if is_shared(piece) { "true" } else { "false" });
    line("Size", &table::size(piece.size));
    line("Last used", &format!("{} ({})", since(piece.used), last_used(piece)));
    line("Description", &piece.description);
    line("Used by", &usage.needed_by(piece).join(", "));
    line("Path", &piece.part.path.display().to_string());
    text + "\n"
}

/// By kind, as `docker system df`, and all together, as `docker buildx du`.
fn summary(shown: &[&Piece]) -> String {
    let mut rows = vec![["TYPE", "TOTAL", "ACTIVE", "SIZE", "RECLAIMABLE"].map(str::to_owned).to_vec()];
    let sum = |pieces: &mut dyn Iterator<Item = &&Piece>| pieces.map(|piece| piece.size).sum::<u64>();
    for kind in Kind::ALL {
        let all: Vec<&Piece> = shown.iter().copied().filter(|piece| piece.kind == kind).collect();
        if all.is_empty() {
            continue;
        }
        let active = all.iter().filter(|piece| !is_reclaimable(piece)).count();
        let (total, free) = (sum(&mut all.iter()), sum(&mut all.iter().filter(|piece| is_reclaimable(piece))));
        let percent = (free * 100).checked_div(total).unwrap_or(0);
        rows.push(vec![
            kind.name().to_owned(),
            all.len().to_string(),
            active.to_string(),
            table::size(total),
            format!("{} ({percent}%)", table::size(free)),
        ]);
    }
    let total = sum(&mut shown.iter());
    let shared = sum(&mut shown.iter().filter(|piece| is_shared(piece)));
    let free = sum(&mut shown.iter().filter(|piece| is_reclaimable(piece)));
    let totals = [("Shared:", shared), ("Private:", total - shared), ("Reclaimable:", free), ("Total:", total)];
    let totals: String = totals.iter().map(|(name, size)| format!("{name:<14}{}\n", table::size(*size))).collect();
    format!("{}\n{totals}", table::render(&rows))
}

impl Filters {
    fn read(texts: &[String]) -> Result<Self, Failure> {
        let mut filters = Self::default();
        for text in texts {
            let wrong = |what: &str| {
                Failure::input(format!("`--filter {text}`: {what}")).help(
                    "write `type=KIND`, `id=BEGINNING`, `image=NAME`, `reclaimable=true`, `shared=true` or `until=24h`",
                )
            };
            let (name, value) = text.split_once('=').ok_or_else(|| wrong("there is no `=`"))?;
            let truth = || match value {
                "true" | "1" => Ok(Some(true)),
                "false" | "0" => Ok(Some(false)),
                _ => Err(wrong("it is `true` or `false`")),
            };
            match name {
                "type" if Kind::ALL.iter().any(|kind| kind.name() == value) => filters.kinds.push(value.to_owned()),
                "type" => {
                    let known: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
                    return Err(wrong(&format!("there is no type `{value}`; there are {}", known.join(", "))));
                }
                "id" => filters.id = Some(value.to_owned()),
                "image" => filters.image = Some(value.to_owned()),
                "reclaimable" => filters.is_reclaimable = truth()?,
                "inuse" => filters.is_reclaimable = truth()?.map(|is_used| !is_used),
                "shared" => filters.is_shared = truth()?,
                "until" => filters.before = Some(moment(value).ok_or_else(|| wrong("that is no time"))?),
                _ => return Err(wrong(&format!("there is no filter `{name}`"))),
            }
        }
        Ok(filters)
    }

    fn fit(&self, usage: &Usage, piece: &Piece) -> bool {
        let is_of = |name: &String| {
            let names = usage.needed_by(piece);
            names.iter().any(|known| known == name || known.rsplit_once(':').is_some_and(|(known, _)| known == name))
        };
        (self.kinds.is_empty() || self.kinds.iter().any(|kind| kind == piece.kind.name()))
            && self.id.as_ref().is_none_or(|id| piece.part.name.starts_with(id.trim_start_matches("sha256:")))
            && self.image.as_ref().is_none_or(is_of)
            && self.is_reclaimable.is_none_or(|wanted| wanted == is_reclaimable(piece))
            && self.is_shared.is_none_or(|wanted| wanted == is_shared(piece))
            && self.before.is_none_or(|before| jiff::Timestamp::try_from(piece.used).is_ok_and(|used| used < before))
    }
}
