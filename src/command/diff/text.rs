//! What two images differ in, for people: what only the first has begins with `-` or `D`, what only the second has with `+` or
//! `A`, and what both have otherwise with `C`, as docker has it.

use std::fmt::Write;

use layercake_executor::compare::files::{Aspect, Change, Entry};
use rustix::fs::FileType;
use serde_json::Value;

use super::report::{Layer, Report, kind, shown};
use crate::terminal::paint::Paint;
use crate::terminal::table::size;

/// Digits of a digest.
const DIGITS: usize = 12;

/// All of it.
pub(super) fn render(report: &Report<'_>, paint: Paint) -> String {
    let [(first, one), (second, other)] = report.images;
    if report.is_empty() {
        let of_both = if one.manifest_digest == other.manifest_digest {
            "are the same image"
        } else if one.config.rootfs == other.config.rootfs {
            "have the same layers and settings"
        } else {
            "have the same files and settings; only their layers, or times, are others"
        };
        return format!("`{first}` and `{second}` {of_both}\n");
    }
    let mut text = String::new();
    for (mark, name, image) in [("---", first, one), ("+++", second, other)] {
        let _ = writeln!(text, "{mark} {name} {}", paint.dim(short(&image.manifest_digest.hex())));
    }
    if !report.settings.is_empty() {
        let _ = writeln!(text, "\nsettings: {}", count(report.settings.len(), "difference"));
        for setting in &report.settings {
            let name = paint.cyan(&setting.name);
            let _ = match (&setting.was, &setting.is) {
                (Some(was), Some(is)) => writeln!(text, "{} {name} {} -> {}", mark('C', paint), value(was), value(is)),
                (Some(was), None) => writeln!(text, "{} {name} {}", mark('D', paint), value(was)),
                (None, Some(is)) => writeln!(text, "{} {name} {}", mark('A', paint), value(is)),
                (None, None) => Ok(()),
            };
        }
    }
    let [old, new] = report.layers();
    if !old.is_empty() || !new.is_empty() {
        let _ = writeln!(text, "\nlayers: the lowest {} are the same", report.shared());
        old.iter().for_each(|layer| text.push_str(&line(layer, &paint.red("-"), paint)));
        new.iter().for_each(|layer| text.push_str(&line(layer, &paint.green("+"), paint)));
    }
    if !report.files.is_empty() {
        let _ = writeln!(text, "\nfiles: {}", count(report.files.len(), "difference"));
        for file in &report.files {
            let path = harmless(&shown(&file.path));
            let _ = match &file.change {
                Change::Added(entry) => writeln!(text, "{} {path} {}", mark('A', paint), paint.dim(what(entry))),
                Change::Removed(entry) => writeln!(text, "{} {path} {}", mark('D', paint), paint.dim(what(entry))),
                Change::Changed(aspects) => {
                    let aspects: Vec<String> = aspects.iter().map(aspect).collect();
                    writeln!(text, "{} {path} {}", mark('C', paint), paint.dim(aspects.join(", ")))
                }
            };
        }
    }
    text
}

fn mark(letter: char, paint: Paint) -> String {
    match letter {
        'A' => paint.green(letter),
        'D' => paint.red(letter),
        _ => paint.yellow(letter),
    }
}

fn count(number: usize, of: &str) -> String {
    format!("{number} {of}{}", if number == 1 { "" } else { "s" })
}

/// A name without characters that a terminal would obey.
fn harmless(name: &str) -> String {
    let escaped = |letter: char| {
        let escaped = letter.is_control().then(|| letter.escape_default().collect::<String>());
        escaped.unwrap_or_else(|| letter.to_string())
    };
    name.chars().map(escaped).collect()
}

fn short(hex: &str) -> &str {
    hex.get(..DIGITS).unwrap_or(hex)
}

/// A text as it is, if it can be told from the words around it; else as JSON.
fn value(value: &Value) -> String {
    match value.as_str() {
        Some(text) if !text.is_empty() && text.chars().all(|letter| letter.is_ascii_graphic()) => text.to_owned(),
        _ => value.to_string(),
    }
}

fn line(layer: &Layer<'_>, mark: &str, paint: Paint) -> String {
    let created_by = layer.history.map_or("", |entry| entry.created_by.as_str());
    let created_by = created_by.split_whitespace().collect::<Vec<_>>().join(" ");
    let id = layer.blob.digest.hex();
    format!("{mark} {} {} {created_by}\n", paint.dim(short(&id)), size(layer.blob.size))
}

fn what(entry: &Entry) -> String {
    match entry.kind {
        FileType::RegularFile => size(entry.size),
        other => kind(other).to_owned(),
    }
}

fn aspect(aspect: &Aspect) -> String {
    match aspect {
        Aspect::Kind(was, is) => format!("{} -> {}", kind(*was), kind(*is)),
        Aspect::Content(was, is) if was == is => format!("content, {}", size(*is)),
        Aspect::Content(was, is) => format!("content, {} -> {}", size(*was), size(*is)),
        Aspect::Target(was, is) => {
            let [was, is] = [was, is].map(|target| harmless(&target.to_string_lossy()));
            format!("target {was} -> {is}")
        }
        Aspect::Device(was, is) => format!("device {was} -> {is}"),
        Aspect::Mode(was, is) => format!("mode {was:04o} -> {is:04o}"),
        Aspect::Owner(was, is) => format!("owner {}:{} -> {}:{}", was.0, was.1, is.0, is.1),
        Aspect::Attributes(names) => format!("attributes {}", names.join(" ")),
        Aspect::Time(was, is) => format!("changed {} -> {}", time(*was), time(*is)),
    }
}

/// In UTC.
fn time(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
}
