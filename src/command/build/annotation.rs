//! Annotations of an image, by where they are to stand: `[TYPE[,TYPE…]:]KEY=VALUE`.
//!
//! Source: buildx's `--annotation`. A type is `manifest` (the usual one), `manifest-descriptor`, `index` or
//! `index-descriptor`, and may name a platform in brackets.

use layercake_compiler::platform::Platform;
use layercake_executor::assemble::{Annotations, index};

use crate::failure::Failure;

/// The annotations of an image, and of the index that it is in.
#[derive(Debug, Default)]
pub(super) struct All {
    /// Of the image.
    pub(super) image: Annotations,
    /// Of the index.
    pub(super) index: index::Annotations,
}

/// Whether there will be an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// There is one image.
    Image,
    /// There are several, and an index of them.
    Index,
}

/// Adds an annotation, as far as it is meant for the image of this platform.
///
/// # Errors
/// If it means nothing, or is one of an index: a single image has none.
pub(super) fn add(
    (name, value): (&str, &str),
    platform: &Platform,
    shape: Shape,
    annotations: &mut All,
) -> Result<(), Failure> {
    let (levels, key) = match name.split_once(':') {
        Some((levels, key)) if is_levels(levels) => (levels, key),
        _ => ("manifest", name),
    };
    if key.is_empty() {
        return Err(Failure::input(format!("the annotation `{name}={value}` has no key")).help("write `KEY=VALUE`"));
    }
    for level in levels.split(',') {
        let (kind, of) = match level.split_once('[') {
            Some((kind, of)) => (kind, Some(of.trim_end_matches(']'))),
            None => (level, None),
        };
        let place = match kind {
            "manifest" => &mut annotations.image.manifest,
            "manifest-descriptor" => &mut annotations.image.manifest_descriptor,
            "index" | "index-descriptor" if of.is_some() => {
                return Err(Failure::input(format!("`{level}` names a platform, and an index is for all of them"))
                    .help("leave the brackets out"));
            }
            "index" if shape == Shape::Index => &mut annotations.index.index,
            "index-descriptor" if shape == Shape::Index => &mut annotations.index.index_descriptor,
            "index" | "index-descriptor" => {
                let message = format!("index annotations not supported for single platform export: `{name}`");
                return Err(Failure::input(message)
                    .help("leave the type out, and the annotation stands in the image's manifest"));
            }
            _ => {
                return Err(Failure::input(format!("unknown annotation type `{kind}`"))
                    .help("write `manifest`, `manifest-descriptor`, `index` or `index-descriptor` before the colon"));
            }
        };
        let is_meant = match of {
            Some(of) => of.parse::<Platform>().map_err(Failure::input)? == *platform,
            None => true,
        };
        if is_meant {
            place.insert(key.to_owned(), value.to_owned());
        }
    }
    Ok(())
}

/// Whether this can stand before the colon: names of small letters, perhaps with a platform each. Other keys may have
/// colons too.
fn is_levels(text: &str) -> bool {
    text.split(',').all(|level| {
        let (kind, platform) = level.split_once('[').unwrap_or((level, "]"));
        let of_kind = |letter: char| letter.is_ascii_lowercase() || letter == '-';
        !kind.is_empty() && kind.chars().all(of_kind) && platform.ends_with(']')
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::collections::BTreeMap;

    use super::*;

    fn annotations(all: &[(&str, &str)], shape: Shape) -> Result<All, Failure> {
        let mut annotations = All::default();
        for annotation in all {
            add(*annotation, &Platform::new("linux", "amd64", ""), shape, &mut annotations)?;
        }
        Ok(annotations)
    }

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn they_stand_where_they_are_meant_to() {
        let list = [
            ("plain", "1"),
            ("manifest:a", "x=y"),
            ("manifest-descriptor:b", "2"),
            ("manifest,manifest-descriptor:both", "3"),
            ("manifest[linux/amd64]:here", "4"),
            ("manifest[linux/arm64]:elsewhere", "5"),
            ("org.example:key", "6"),
        ];
        let found = annotations(&list, Shape::Image).unwrap().image;
        let manifest = [("plain", "1"), ("a", "x=y"), ("both", "3"), ("here", "4"), ("org.example:key", "6")];
        assert_eq!(found.manifest, map(&manifest));
        assert_eq!(found.manifest_descriptor, map(&[("b", "2"), ("both", "3")]));
    }

    #[test]
    fn where_there_is_an_index_it_has_its_own() {
        let list = [("index:a", "1"), ("index-descriptor,manifest:b", "2"), ("index,index-descriptor:c", "3")];
        let found = annotations(&list, Shape::Index).unwrap();
        assert_eq!(found.index.index, map(&[("a", "1"), ("c", "3")]));
        assert_eq!(found.index.index_descriptor, map(&[("b", "2"), ("c", "3")]));
        assert_eq!(found.image.manifest, map(&[("b", "2")]));
        assert!(annotations(&[("index[linux/amd64]:a", "1")], Shape::Index).is_err());
    }

    #[test]
    fn what_cannot_stand_anywhere_is_refused() {
        for wrong in ["index:a", "index-descriptor:a", "manifset:a", "", "manifest:", "manifest[x/y/z/w]:a"] {
            assert!(annotations(&[(wrong, "1")], Shape::Image).is_err(), "{wrong}");
        }
    }
}
