//! `images --filter`: which images are listed. The names are docker's.
//!
//! Source: moby's `daemon/images/images.go`; distribution/reference's `FamiliarMatch`.

use jiff::Timestamp;
use layercake_compiler::wildcard::Wildcard;
use layercake_executor::image::local::{Images, LocalImage, NamedImage};

use super::super::inputs::host_platform;
use super::unknown;
use crate::failure::Failure;

/// An image that may be listed.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) named: NamedImage,
    /// Its documents, where they are at hand.
    pub(super) image: Option<LocalImage>,
}

impl Candidate {
    pub(super) fn created(&self) -> Option<Timestamp> {
        self.image.as_ref().and_then(created)
    }
}

fn created(image: &LocalImage) -> Option<Timestamp> {
    image.config.created.as_deref()?.parse().ok()
}

/// What an image has to fit to be listed: all of these, of references one.
#[derive(Debug, Default)]
pub(super) struct Filters {
    /// The argument `REPOSITORY[:TAG]`.
    pub(super) name: Option<String>,
    references: Vec<Wildcard>,
    labels: Vec<Label>,
    dangling: Option<bool>,
    /// Made before this.
    before: Option<Timestamp>,
    /// Made after this.
    since: Option<Timestamp>,
}

#[derive(Debug)]
struct Label {
    name: String,
    value: Option<String>,
    /// `label!=`: images that do not have it.
    is_unwanted: bool,
}

impl Filters {
    /// Reads all `--filter NAME=VALUE`.
    ///
    /// # Errors
    /// If one means nothing, or names an image that does not exist.
    pub(super) fn read(texts: &[String], images: &Images<'_>) -> Result<Self, Failure> {
        let mut filters = Self::default();
        for text in texts {
            let wrong = |what: String| {
                Failure::input(format!("`--filter {text}`: {what}")).help(
                    "write `reference=PATTERN`, `label=NAME[=VALUE]`, `dangling=true`, `before=IMAGE`, `since=IMAGE` or `until=24h`",
                )
            };
            let (name, value) = text.split_once('=').ok_or_else(|| wrong("there is no `=`".to_owned()))?;
            match name {
                "reference" => {
                    let pattern = Wildcard::parse(value).map_err(|error| wrong(error.to_string()))?;
                    filters.references.push(pattern);
                }
                "label" | "label!" => {
                    let (name, wanted) =
                        value.split_once('=').map_or((value, None), |(name, value)| (name, Some(value)));
                    let (is_unwanted, value) = (text.starts_with("label!"), wanted.map(str::to_owned));
                    filters.labels.push(Label { name: name.to_owned(), value, is_unwanted });
                }
                "dangling" => {
                    filters.dangling = Some(match value {
                        "true" | "1" => true,
                        "false" | "0" => false,
                        _ => return Err(wrong(format!("`{value}` is neither `true` nor `false`"))),
                    });
                }
                "before" | "since" => {
                    let image = images.find_any(value, &host_platform())?.ok_or_else(|| unknown(value))?;
                    let time =
                        created(&image).ok_or_else(|| wrong("the image does not say when it was made".to_owned()))?;
                    let limit = if name == "before" { &mut filters.before } else { &mut filters.since };
                    *limit = Some(time);
                }
                "until" => {
                    let time = moment(value).ok_or_else(|| {
                        wrong(format!("`{value}` is no time, such as `24h` or `2026-01-31T12:00:00Z`"))
                    })?;
                    filters.before = Some(filters.before.map_or(time, |before| before.min(time)));
                }
                _ => return Err(wrong(format!("there is no filter `{name}`"))),
            }
        }
        Ok(filters)
    }

    pub(super) fn fits(&self, candidate: &Candidate) -> bool {
        let Candidate { named, image } = candidate;
        let names = named.reference.as_ref().map(|name| (name.familiar(), name.familiar_name()));
        let matches = |pattern: &Wildcard| {
            names.as_ref().is_some_and(|(full, name)| pattern.matches(full) || pattern.matches(name))
        };
        let is_meant = |text: &str| match text.parse::<layercake_executor::image::reference::Reference>() {
            Ok(meant) => named.reference.as_ref().is_some_and(|found| {
                let by_tag = text.rsplit('/').next().is_some_and(|last| last.contains([':', '@']));
                found.name() == meant.name()
                    && (!by_tag || (found.tag() == meant.tag() || meant.digest().is_some()))
                    && meant.digest().is_none_or(|digest| *digest == named.descriptor.digest)
            }),
            // As docker, a pattern will do.
            Err(_) => Wildcard::parse(text).is_ok_and(|pattern| matches(&pattern)),
        };
        let labels = image.as_ref().map(|image| &image.config.config.labels);
        let has = |label: &Label| {
            let found = labels.and_then(|labels| labels.get(&label.name));
            let is_there = found.is_some_and(|found| label.value.as_ref().is_none_or(|wanted| wanted == found));
            is_there != label.is_unwanted
        };
        let created = candidate.created();
        self.name.as_deref().is_none_or(is_meant)
            && (self.references.is_empty() || self.references.iter().any(matches))
            && self.labels.iter().all(has)
            && self.dangling.is_none_or(|dangling| dangling == named.reference.is_none())
            && self.before.is_none_or(|before| created.is_some_and(|created| created < before))
            && self.since.is_none_or(|since| created.is_some_and(|created| created > since))
    }
}

/// A moment: so long ago (`24h`, `7d`, `1h30m`), RFC 3339, a day, or seconds since 1970.
pub(in crate::command) fn moment(text: &str) -> Option<Timestamp> {
    if let Some(ago) = seconds(text) {
        return Timestamp::now().checked_sub(jiff::SignedDuration::from_secs(ago)).ok();
    }
    if let Ok(since_1970) = text.parse::<i64>() {
        return Timestamp::from_second(since_1970).ok();
    }
    let day = || format!("{text}T00:00:00Z").parse().ok();
    text.parse().ok().or_else(day)
}

/// The seconds of a length of time in Go's words, and days and weeks: `90s`, `1h30m`, `7d`.
pub(in crate::command) fn seconds(text: &str) -> Option<i64> {
    let (mut total, mut rest) = (0_i64, text);
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit()).filter(|at| *at > 0)?;
        let (number, unit) = rest.split_at(digits);
        let length = match unit.chars().next()? {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return None,
        };
        total = total.checked_add(number.parse::<i64>().ok()?.checked_mul(length)?)?;
        rest = &unit[1..];
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time() {
        let cases = [
            ("90s", Some(90)),
            ("1h30m", Some(5400)),
            ("7d", Some(604_800)),
            ("", None),
            ("5", None),
            ("h", None),
            ("5y", None),
        ];
        for (text, expected) in cases {
            assert_eq!(seconds(text), expected, "{text}");
        }
        assert_eq!(moment("1700000000").map(Timestamp::as_second), Some(1_700_000_000));
        assert_eq!(moment("2023-11-14T22:13:20Z").map(Timestamp::as_second), Some(1_700_000_000));
        assert_eq!(moment("2023-11-14").map(Timestamp::as_second), Some(1_699_920_000));
        assert_eq!(moment("soon"), None);
    }
}
