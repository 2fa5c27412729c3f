//! Which piece of a store leads to which.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use layercake_cache::{Part, PartKind, Store};
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use serde::Deserialize;

use super::Kind;
use crate::image::config::RootFs;
use crate::image::document::LIMIT;
use crate::layer::blob::Packed;
use crate::layer::unpack::places;

/// The digits of a BLAKE3 or a SHA-256.
const DIGITS: usize = 64;

pub(super) struct Graph {
    /// Where each piece leads.
    edges: Vec<Vec<usize>>,
    contents: Vec<Content>,
}

/// What reading a piece has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    /// Nothing that leads anywhere.
    Opaque,
    /// A JSON object.
    Document,
    /// What a manifest or a record calls a layer.
    Layer,
}

/// What one piece says of others.
#[derive(Default)]
struct Told {
    leads_to: Vec<usize>,
    layers: Vec<usize>,
    is_document: bool,
    unreadable: Option<String>,
}

/// A configuration, as far as it says which layers an image has.
#[derive(Deserialize)]
struct Config {
    rootfs: RootFs,
}

/// A manifest, as far as it says which blobs are layers.
#[derive(Deserialize)]
struct Manifest {
    layers: Vec<Layer>,
}

#[derive(Deserialize)]
struct Layer {
    digest: layercake_cache::Digest,
}

impl Graph {
    pub(super) fn read(parts: &[Part], unreadable: &mut Vec<String>) -> Self {
        let hashed = |part: &Part| matches!(part.kind, PartKind::Record | PartKind::Blob | PartKind::Folder);
        let by_name: HashMap<&str, usize> = parts
            .iter()
            .enumerate()
            .filter(|(_, part)| hashed(part))
            .map(|(at, part)| (part.name.as_str(), at))
            .collect();
        let told: Vec<Told> = parts.par_iter().map(|part| told(part, &by_name)).collect();
        let mut contents = vec![Content::Opaque; parts.len()];
        let mut edges: Vec<Vec<usize>> = told.iter().map(|told| told.leads_to.clone()).collect();
        for (at, told) in told.into_iter().enumerate() {
            if told.is_document && contents[at] == Content::Opaque {
                contents[at] = Content::Document;
            }
            for layer in told.layers {
                contents[layer] = Content::Layer;
                // Who has the layer has use for the folder that it was made of, which is told where it was noted.
                if parts[at].kind == PartKind::Record {
                    edges[layer].push(at);
                }
            }
            unreadable.extend(told.unreadable);
        }
        Self { edges, contents }
    }

    pub(super) fn targets(&self, at: usize) -> &[usize] {
        &self.edges[at]
    }

    /// When each piece was last of use: when it was itself, or anything that leads to it.
    pub(super) fn last_uses(&self, parts: &[Part]) -> Vec<SystemTime> {
        let mut used: Vec<SystemTime> = parts.iter().map(|part| part.used).collect();
        let mut order: Vec<usize> = (0..parts.len()).collect();
        order.sort_by_key(|at| Reverse(used[*at]));
        let mut is_done = vec![false; parts.len()];
        // From the latest on: what is reached first is reached by the latest use.
        for start in order {
            let time = used[start];
            let mut open = vec![start];
            while let Some(at) = open.pop() {
                if !std::mem::replace(&mut is_done[at], true) {
                    used[at] = time;
                    open.extend(self.edges[at].iter().filter(|to| !is_done[**to]));
                }
            }
        }
        used
    }

    /// What an image consists of, from its top document on: documents, layers, and the layers' folders.
    pub(super) fn needed(&self, top: usize) -> HashSet<usize> {
        let mut found = HashSet::from([top]);
        let mut open = vec![top];
        while let Some(at) = open.pop() {
            open.extend(self.edges[at].iter().copied().filter(|to| found.insert(*to)));
        }
        found
    }

    pub(super) fn kind(&self, at: usize, part: &Part, label: Option<&str>) -> Kind {
        match part.kind {
            PartKind::Blob => match self.contents[at] {
                Content::Layer => Kind::Layer,
                Content::Document => Kind::Document,
                Content::Opaque => Kind::File,
            },
            PartKind::Folder => Kind::Folder,
            PartKind::Record => Kind::Record,
            PartKind::Shared if label.is_some_and(|label| label.starts_with("git ")) => Kind::Git,
            PartKind::Shared => Kind::CacheMount,
            PartKind::Name | PartKind::Claim => Kind::Note,
            PartKind::Unfinished => Kind::Unfinished,
            PartKind::Other => Kind::Unknown,
        }
    }
}

fn told(part: &Part, by_name: &HashMap<&str, usize>) -> Told {
    let bytes = match part.kind {
        PartKind::Record | PartKind::Name => fs::read(&part.path),
        PartKind::Blob => document(&part.path),
        PartKind::Folder | PartKind::Shared | PartKind::Claim | PartKind::Unfinished | PartKind::Other => {
            return Told::default();
        }
    };
    let bytes = match bytes {
        Ok(bytes) => bytes,
        // Gone meanwhile.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Told::default(),
        Err(error) => {
            let unreadable = format!("cannot read `{}`: {}", part.path.display(), crate::fault::reason(&error));
            return Told { unreadable: Some(unreadable), ..Told::default() };
        }
    };
    let own = by_name.get(part.name.as_str());
    let mut told = Told { is_document: part.kind == PartKind::Blob && !bytes.is_empty(), ..Told::default() };
    told.leads_to = names(&bytes).filter_map(|name| by_name.get(name).copied()).filter(|to| Some(to) != own).collect();
    let place = |name: &str| by_name.get(name).copied();
    match part.kind {
        PartKind::Blob => {
            if let Ok(Config { rootfs }) = serde_json::from_slice(&bytes) {
                let folders = (0..rootfs.diff_ids.len()).flat_map(|at| places(&rootfs.diff_ids, at));
                told.leads_to.extend(folders.filter_map(|name| place(&name)));
            }
            if let Ok(Manifest { layers }) = serde_json::from_slice(&bytes) {
                told.layers = layers.iter().filter_map(|layer| place(&layer.digest.hex())).collect();
            }
        }
        PartKind::Record => {
            let packed = Store::record_value(&bytes).and_then(|value| serde_json::from_slice::<Packed>(value).ok());
            told.layers = packed.and_then(|packed| place(&packed.blob.digest.hex())).into_iter().collect();
        }
        _ => (),
    }
    told.leads_to.sort_unstable();
    told.leads_to.dedup();
    told
}

/// A blob, if it may be a document.
fn document(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::{Read, Seek};
    let mut file = fs::File::open(path)?;
    let mut first = [0];
    if file.metadata()?.len() > LIMIT || file.read(&mut first)? == 0 || first != *b"{" {
        return Ok(Vec::new());
    }
    file.rewind()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Everything in `bytes` that may be the name of a piece.
fn names(bytes: &[u8]) -> impl Iterator<Item = &str> {
    let runs = bytes.split(|byte| !matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    runs.filter(|run| run.len() == DIGITS).filter_map(|run| std::str::from_utf8(run).ok())
}
