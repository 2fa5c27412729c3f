//! What in a store is not what it should be: blobs by their digests, records by their checksums, folders by the archives that
//! were made of them.

use std::collections::HashMap;
use std::io::{self, Read};

use layercake_cache::{ContentId, Digester, Part, PartKind, Store};
use rayon::iter::{IntoParallelIterator, IntoParallelRefIterator, ParallelIterator};

use crate::fault::reason;
use crate::layer::blob::Packed;
use crate::layer::{self, plain};

/// A part of a store that is damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The part.
    pub part: Part,
    /// What is wrong with it, in words.
    pub what: String,
}

/// How a store was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// What is damaged, in the order of the paths.
    pub damaged: Vec<Damage>,
    /// What could not be looked at, in words.
    pub unreadable: Vec<String>,
    /// How many parts were looked into.
    pub checked: usize,
    /// How many there are of which nothing is known that they could be held to.
    pub unknown: usize,
}

enum Verdict {
    Sound,
    Damaged(String),
    Unreadable(String),
    Unknown,
}

/// Looks into everything.
#[must_use]
pub fn look(store: &Store) -> Health {
    let (parts, failed) = store.parts();
    let archives = archives(&parts);
    let looked: Vec<(Part, Verdict)> = parts
        .into_par_iter()
        .map(|part| {
            let verdict = verdict(store, &part, &archives);
            (part, verdict)
        })
        .collect();
    let mut health = Health { unreadable: failed.iter().map(ToString::to_string).collect(), ..Health::default() };
    for (part, verdict) in looked {
        match verdict {
            Verdict::Sound => health.checked += 1,
            Verdict::Damaged(what) => {
                health.checked += 1;
                health.damaged.push(Damage { part, what });
            }
            Verdict::Unreadable(why) => health.unreadable.push(why),
            Verdict::Unknown => health.unknown += 1,
        }
    }
    health
}

fn verdict(store: &Store, part: &Part, archives: &Archives) -> Verdict {
    let failed =
        |error: &io::Error| Verdict::Unreadable(format!("cannot read `{}`: {}", part.path.display(), reason(error)));
    match part.kind {
        PartKind::Blob => match hash(part) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Verdict::Unknown,
            Err(error) => failed(&error),
            Ok(found) if found == part.name => Verdict::Sound,
            Ok(found) => Verdict::Damaged(format!("its content has the digest sha256:{found}")),
        },
        PartKind::Record => match std::fs::read(&part.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Verdict::Unknown,
            Err(error) => failed(&error),
            Ok(bytes) if Store::record_value(&bytes).is_some() => Verdict::Sound,
            Ok(_) => Verdict::Damaged("its content is not what its checksum says".to_owned()),
        },
        PartKind::Folder => folder(store, part, archives),
        PartKind::Shared | PartKind::Name | PartKind::Claim | PartKind::Unfinished | PartKind::Other => {
            Verdict::Unknown
        }
    }
}

fn hash(part: &Part) -> io::Result<String> {
    let mut file = std::fs::File::open(&part.path)?;
    let mut digester = Digester::default();
    let mut buffer = vec![0; 1 << 18];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(digester.finish().0.hex()),
            length => digester.update(&buffer[..length]),
        }
    }
}

/// What has been made of single folders.
type Archives = HashMap<String, Packed>;

fn archives(parts: &[Part]) -> Archives {
    let records = parts.par_iter().filter(|part| part.kind == PartKind::Record);
    let archives = records.filter_map(packed).filter_map(|packed| match packed.folders.as_slice() {
        [folder] => Some((ContentId::to_string(folder), packed)),
        _ => None,
    });
    archives.collect()
}

/// What a record says of a layer that was made here, if it is of one.
pub(super) fn packed(record: &Part) -> Option<Packed> {
    let bytes = std::fs::read(&record.path).ok()?;
    serde_json::from_slice(Store::record_value(&bytes)?).ok()
}

/// Whether the folders that a layer was made of give its archive again.
pub(super) fn is_given_again(store: &Store, packed: &Packed) -> Result<bool, layer::Error> {
    let archive = plain::archive_of_folders(store, &packed.folders, packed.epoch, Digester::default())?;
    Ok(archive.finish().0 == packed.blob.diff_id)
}

fn folder(store: &Store, part: &Part, archives: &Archives) -> Verdict {
    let Some(packed) = archives.get(&part.name) else { return Verdict::Unknown };
    match is_given_again(store, packed) {
        Ok(true) => Verdict::Sound,
        Ok(false) => Verdict::Damaged("its files are others than those of the layer that was made of it".to_owned()),
        Err(error) => Verdict::Unreadable(format!("`{}`: {error}", part.path.display())),
    }
}
