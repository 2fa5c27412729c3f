//! Which of an index's images is meant for a platform, and the way from a descriptor to that image's documents.
//!
//! The rules are containerd's (`platforms/compare.go`): a processor also runs what is made for its lesser variants.

use layercake_cache::Digest;
use layercake_compiler::platform::Platform;

use crate::image::config::ImageConfig;
use crate::image::descriptor::Descriptor;
use crate::image::document::{Document, DocumentError, Problem, image_config};
use crate::image::manifest::{Index, Manifest};

/// How deep indexes may lie in indexes.
pub(crate) const DEPTH: usize = 4;
/// As many documents are looked at on the way to one image. A few small indexes that list each other again and again
/// would else lead to billions.
const LOOKS: usize = 1000;

/// An image's documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selected {
    /// The manifest's descriptor, without what an index says of it.
    pub descriptor: Descriptor,
    /// The manifest.
    pub manifest: Manifest,
    /// The configuration.
    pub config: ImageConfig,
}

/// What looking for an image's documents came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// There it is.
    Found(Box<Selected>),
    /// A document on the way to it is not at hand.
    Absent(Digest),
    /// No image is for the platform; these are the platforms there are.
    NotFor(Vec<Platform>),
}

/// Gets a document's bytes, checked against the descriptor's digest, or `None` where it is not at hand.
pub type ReadDocument<'a, E> = dyn FnMut(&Descriptor) -> Result<Option<Vec<u8>>, E> + 'a;

/// Follows `top` to the image for `platform`. What is no index is taken as it is, whatever it is for: nothing else is there to choose.
///
/// # Errors
/// If a document is not what it must be, or cannot be read.
pub fn select<E: From<DocumentError>>(
    top: &Descriptor,
    platform: &Platform,
    read: &mut ReadDocument<'_, E>,
) -> Result<Selection, E> {
    follow(top, platform, read, 0, &mut 0)
}

fn follow<E: From<DocumentError>>(
    top: &Descriptor,
    platform: &Platform,
    read: &mut ReadDocument<'_, E>,
    depth: usize,
    looks: &mut usize,
) -> Result<Selection, E> {
    let wrong = |problem| DocumentError { digest: top.digest, problem };
    *looks += 1;
    if depth > DEPTH {
        return Err(wrong(Problem::TooDeep(DEPTH)).into());
    }
    if *looks > LOOKS {
        return Err(wrong(Problem::TooWide(LOOKS)).into());
    }
    let Some(bytes) = read(top)? else { return Ok(Selection::Absent(top.digest)) };
    match Document::parse(&bytes, Some(&top.media_type))? {
        (media_type, Document::Manifest(manifest)) => {
            let Some(bytes) = read(&manifest.config)? else { return Ok(Selection::Absent(manifest.config.digest)) };
            let config = image_config(top.digest, &manifest, &bytes)?;
            let descriptor = Descriptor { media_type, ..top.bare() };
            Ok(Selection::Found(Box::new(Selected { descriptor, manifest: *manifest, config })))
        }
        (_, Document::Index(index)) => {
            if let Some(best) = choose(&index, platform) {
                return follow(best, platform, read, depth + 1, looks);
            }
            among_unnamed(&index, platform, read, depth, looks)
        }
    }
}

/// Looks into the entries that do not say what they are for: further indexes, or manifests whose configuration says it.
fn among_unnamed<E: From<DocumentError>>(
    index: &Index,
    platform: &Platform,
    read: &mut ReadDocument<'_, E>,
    depth: usize,
    looks: &mut usize,
) -> Result<Selection, E> {
    let wanted = acceptable(platform);
    let mut others: Vec<Platform> = images(index).filter_map(|entry| Some(entry.platform.as_ref()?.into())).collect();
    for entry in images(index).filter(|entry| entry.platform.is_none()) {
        match follow(entry, platform, read, depth + 1, looks)? {
            Selection::Found(found) if wanted.contains(&found.config.platform()) => {
                return Ok(Selection::Found(found));
            }
            Selection::Found(found) => others.push(found.config.platform()),
            Selection::NotFor(platforms) => others.extend(platforms),
            absent @ Selection::Absent(_) => return Ok(absent),
        }
    }
    others.sort();
    others.dedup();
    Ok(Selection::NotFor(others))
}

/// The entry of `index` that fits `platform` best, among those that say what they are for.
#[must_use]
pub fn choose<'a>(index: &'a Index, platform: &Platform) -> Option<&'a Descriptor> {
    acceptable(platform).iter().find_map(|wanted| {
        images(index).find(|entry| entry.platform.as_ref().is_some_and(|platform| Platform::from(platform) == *wanted))
    })
}

/// The entries that are images: not attestations, which builders list beside them with the platform `unknown/unknown`.
pub fn images(index: &Index) -> impl Iterator<Item = &Descriptor> {
    index.manifests.iter().filter(|entry| {
        let attests = entry.annotations.contains_key("vnd.docker.reference.type");
        let unknown = entry.platform.as_ref().is_some_and(|platform| platform.os == "unknown");
        let of_an_image = entry.media_type.is_manifest() || entry.media_type.is_index();
        of_an_image && !attests && !unknown
    })
}

/// The platforms whose images run on `platform`, the best first.
fn acceptable(platform: &Platform) -> Vec<Platform> {
    let on = |architecture: &str, variant: &str| Platform::new(&platform.os, architecture, variant);
    let number = |variant: &str| variant.strip_prefix('v').and_then(|number| number.parse::<u32>().ok());
    let mut all = vec![platform.clone()];
    match platform.architecture.as_str() {
        "amd64" => {
            let level = number(&platform.variant).unwrap_or(1);
            all.extend((1..level.min(9)).rev().map(|level| on("amd64", &format!("v{level}"))));
            all.push(on("386", ""));
        }
        "arm" => {
            let version = number(&platform.variant).unwrap_or(7);
            all.extend((5..version.min(9)).rev().map(|version| on("arm", &format!("v{version}"))));
        }
        "arm64" => {
            all.extend(lesser_arm64(&platform.variant).iter().map(|variant| on("arm64", variant)));
            all.extend((5..=8).rev().map(|version| on("arm", &format!("v{version}"))));
        }
        _ => (),
    }
    all
}

/// `v9.2` runs `v9.1`, `v9`, and what `v8.7` runs: ARMv9.N is at least ARMv8.(N+5).
fn lesser_arm64(variant: &str) -> Vec<String> {
    let text = if variant.is_empty() { "v8" } else { variant };
    let (major, minor) = text.trim_start_matches('v').split_once('.').unwrap_or((text.trim_start_matches('v'), "0"));
    let (Ok(major), Ok(minor)) = (major.parse::<u32>(), minor.parse::<u32>()) else { return Vec::new() };
    let name = |major: u32, minor: u32| if minor == 0 { format!("v{major}") } else { format!("v{major}.{minor}") };
    let below = |major: u32, from: u32| (0..from.min(10)).rev().map(move |minor| name(major, minor));
    match major {
        9 => below(9, minor).chain(below(8, minor + 6)).collect(),
        8 => below(8, minor).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;
    use crate::image::media::{Family, MediaType};

    fn index(platforms: &[&str]) -> Index {
        let entry = |text: &&str| {
            let mut parts = text.split('/');
            let mut part = || parts.next().unwrap_or_default().to_owned();
            let (os, architecture, variant) = (part(), part(), part());
            let platform =
                serde_json::from_value(serde_json::json!({"os": os, "architecture": architecture, "variant": variant}));
            let descriptor = Descriptor::of(MediaType::Manifest(Family::Oci), text.as_bytes());
            Descriptor { platform: Some(platform.unwrap()), ..descriptor }
        };
        Index::new(MediaType::Index(Family::Oci), platforms.iter().map(entry).collect())
    }

    fn chosen(platforms: &[&str], wanted: &str) -> Option<String> {
        let index = index(platforms);
        let found = choose(&index, &wanted.parse().unwrap())?.digest;
        platforms.iter().find(|text| Digest::of(text.as_bytes()) == found).map(|text| (*text).to_owned())
    }

    #[test]
    fn the_exact_platform_goes_before_those_it_also_runs() {
        let all = ["linux/386", "linux/amd64", "linux/arm/v5", "linux/arm/v7", "linux/arm64/v8", "windows/amd64"];
        assert_eq!(chosen(&all, "linux/amd64").unwrap(), "linux/amd64");
        assert_eq!(chosen(&all, "linux/amd64/v3").unwrap(), "linux/amd64");
        assert_eq!(chosen(&all, "linux/arm64").unwrap(), "linux/arm64/v8");
        assert_eq!(chosen(&all, "linux/arm64/v9.1").unwrap(), "linux/arm64/v8");
        assert_eq!(chosen(&all, "linux/arm").unwrap(), "linux/arm/v7");
        assert_eq!(chosen(&all, "linux/arm/v6").unwrap(), "linux/arm/v5");
        assert_eq!(chosen(&all, "linux/riscv64"), None);
        assert_eq!(chosen(&["linux/386"], "linux/amd64").unwrap(), "linux/386");
        assert_eq!(chosen(&["linux/amd64/v2", "linux/amd64/v4"], "linux/amd64/v3").unwrap(), "linux/amd64/v2");
        assert_eq!(chosen(&["linux/amd64/v2"], "linux/amd64"), None);
        assert_eq!(chosen(&["linux/arm/v7"], "linux/arm64").unwrap(), "linux/arm/v7");
        assert_eq!(chosen(&["linux/arm64/v8.7", "linux/arm64/v9.1"], "linux/arm64/v9.2").unwrap(), "linux/arm64/v9.1");
        assert_eq!(chosen(&["linux/arm64/v8.7", "linux/arm64/v8.8"], "linux/arm64/v9.2").unwrap(), "linux/arm64/v8.7");
    }

    #[test]
    fn attestations_are_no_images() {
        let mut attested = index(&["linux/amd64", "unknown/unknown", "linux/arm64"]);
        attested.manifests[2]
            .annotations
            .insert("vnd.docker.reference.type".to_owned(), "attestation-manifest".to_owned());
        assert_eq!(images(&attested).count(), 1);
        assert_eq!(choose(&attested, &"linux/arm64".parse().unwrap()), None);
    }
}
