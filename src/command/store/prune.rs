//! `prune`: making room.

use std::collections::BTreeMap;
use std::time::SystemTime;

use layercake_executor::image::local::{Images, NamedImage};
use layercake_executor::usage::choice::{Choice, Named, Policy};
use layercake_executor::usage::{Kind, Usage};

use super::super::images::filter::moment;
use super::{alone, open, short, since};
use crate::arguments::store::Prune;
use crate::failure::Failure;
use crate::terminal::{output, table};

/// `layercake prune`.
///
/// # Errors
/// If the store cannot be read or written to, or an argument means nothing.
pub fn run(arguments: &Prune) -> Result<(), Failure> {
    let policy = policy(arguments)?;
    let store = open()?;
    let usage = Usage::read(&store)?;
    if arguments.dry_run {
        let choice = usage.choose(&policy);
        output::result(&told(&usage, &choice, "Would be untagged"))?;
        return output::line(&format!("Total that would be reclaimed: {}", table::size(choice.freed)));
    }
    // From here on nobody begins to use anything that is about to go. What takes its time was before, and comes after.
    let alone = alone(&store)?;
    let usage = usage.again(&store)?;
    usage.unreadable.iter().for_each(|what| output::tell(&format!("warning: {what}\n")));
    let choice = usage.choose(&policy);
    // Names first: one that leads to nothing would be worse than an image that nobody can name.
    let images = Images::new(&store);
    for NamedImage { reference, descriptor } in choice.images.iter().flat_map(|at| &usage.images[*at].names) {
        match reference {
            Some(reference) => images.untag(reference)?,
            None => images.unkeep(&descriptor.digest)?,
        };
    }
    for at in &choice.pieces {
        alone.discard(&usage.pieces[*at].part)?;
    }
    drop(alone);
    output::result(&told(&usage, &choice, "Untagged"))?;
    output::line(&format!("Total reclaimed space: {}", table::size(choice.freed)))
}

fn told(usage: &Usage, choice: &Choice, untagged: &str) -> String {
    let names = choice.images.iter().flat_map(|at| &usage.images[*at].names);
    let names = names.filter_map(|named| named.reference.as_ref());
    let mut text: String = names.map(|name| format!("{untagged}: {}\n", name.familiar())).collect();
    let mut rows = vec![["ID", "TYPE", "SIZE", "LAST ACCESSED"].map(str::to_owned).to_vec()];
    let mut small: BTreeMap<Kind, (usize, u64)> = BTreeMap::new();
    for piece in choice.pieces.iter().map(|at| &usage.pieces[*at]) {
        if piece.kind.is_small() {
            let (count, size) = small.entry(piece.kind).or_default();
            (*count, *size) = (*count + 1, *size + piece.size);
        } else {
            rows.push(vec![short(piece), piece.kind.name().to_owned(), table::size(piece.size), since(piece.used)]);
        }
    }
    for (kind, (count, size)) in small {
        rows.push(vec![format!("{count} pieces"), kind.name().to_owned(), table::size(size), String::new()]);
    }
    if rows.len() > 1 {
        text.push_str(&table::render(&rows));
    }
    text
}

fn policy(arguments: &Prune) -> Result<Policy, Failure> {
    let wrong = |name: &str, value: &str, help: &str| Failure::input(format!("`{name}` is `{value}`")).help(help);
    let age = "write a length of time such as `24h` or `7d`";
    let before = match (&arguments.older_than, &arguments.filter) {
        (Some(text), _) => {
            let ago = super::super::images::filter::seconds(text).and_then(|_| moment(text));
            Some(ago.ok_or_else(|| wrong("--older-than", text, age))?)
        }
        (None, Some(filter)) => {
            let time = filter.strip_prefix("until=").and_then(moment);
            Some(time.ok_or_else(|| wrong("--filter", filter, "write `until=24h` or `until=2026-01-31T12:00:00Z`"))?)
        }
        (None, None) => None,
    };
    let until = match &arguments.keep_storage {
        Some(text) => {
            let help = "write a size such as `10GB` or `512MB`";
            Some(bytes(text).ok_or_else(|| wrong("--keep-storage", text, help))?)
        }
        None => None,
    };
    Ok(Policy {
        images: if arguments.all { Named::Dropped } else { Named::Kept },
        before: before.map(SystemTime::from),
        until,
    })
}

/// A size as docker reads it: decimal units, and binary ones with an `i`; without a unit, bytes.
fn bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|letter: char| !(letter.is_ascii_digit() || letter == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim().to_ascii_lowercase();
    let unit = unit.strip_suffix('b').unwrap_or(&unit);
    let (unit, base) = unit.strip_suffix('i').map_or((unit, 1000_u64), |unit| (unit, 1024));
    let power = ["", "k", "m", "g", "t", "p"].iter().position(|known| *known == unit)?;
    let scale = base.checked_pow(u32::try_from(power).ok()?)?;
    match number.split_once('.') {
        None => number.parse::<u64>().ok()?.checked_mul(scale),
        Some((whole, part)) => {
            let part = part.get(..part.len().min(6))?;
            let digits = u32::try_from(part.len()).ok()?;
            let fraction = u128::from(part.parse::<u64>().ok()?) * u128::from(scale) / 10_u128.pow(digits);
            whole.parse::<u64>().ok()?.checked_mul(scale)?.checked_add(u64::try_from(fraction).ok()?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let cases = [
            ("10GB", Some(10_000_000_000)),
            ("1.5g", Some(1_500_000_000)),
            ("512MiB", Some(512 << 20)),
            ("2k", Some(2000)),
            ("0", Some(0)),
            ("7", Some(7)),
            ("", None),
            ("GB", None),
            ("5 lb", None),
            ("99999999999PB", None),
        ];
        for (text, expected) in cases {
            assert_eq!(bytes(text), expected, "{text}");
        }
    }
}
