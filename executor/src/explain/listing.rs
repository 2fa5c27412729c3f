//! [`Listing`]: the entries of a selection, read from the very bytes that its id is the hash of.

use std::collections::BTreeMap;

use layercake_cache::{ContentId, ContentKey, Error as StoreError, KeyHasher, Store};

use crate::select;

/// What was selected, by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing(pub BTreeMap<String, Entry>);

/// One entry of a selection. Everything is as the id has it: owners that do not count are 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Permissions; 0 for links, where they mean nothing.
    pub mode: u64,
    /// User and group.
    pub owner: (u64, u64),
    /// The extended attributes of a folder; those of a file are part of its digest.
    pub attributes: Vec<u8>,
    /// The digest of a file, where a link leads, the number of a device.
    pub content: String,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A folder.
    Folder,
    /// A file.
    File,
    /// A symbolic link.
    Symlink,
    /// A further name of a file.
    HardLink,
    /// A fifo or device.
    Special,
}

impl Kind {
    /// What people call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Folder => "folder",
            Self::File => "file",
            Self::Symlink => "symbolic link",
            Self::HardLink => "hard link",
            Self::Special => "device or fifo",
        }
    }
}

/// Keeps the entries of a selection, unless they are kept already.
///
/// # Errors
/// If the store cannot be written.
pub fn keep(store: &Store, id: &ContentId, entries: &[u8]) -> Result<(), StoreError> {
    let key = key(&id.to_string());
    if store.has_record(&key) { Ok(()) } else { store.put_record(&key, entries) }
}

/// In what two selections with these ids differ: the entries of each that the other has not, or not so. `None` if one of
/// them is not there, or is not what the id says.
///
/// # Errors
/// If the store cannot be read.
pub fn differing(store: &Store, old: &str, new: &str) -> Result<Option<(Listing, Listing)>, StoreError> {
    let found = |id: &str| -> Result<Option<Vec<u8>>, StoreError> {
        Ok(store.record(&key(id))?.filter(|bytes| identity(bytes).to_string() == id))
    };
    let (Some(old), Some(new)) = (found(old)?, found(new)?) else { return Ok(None) };
    let (old, new) = (Raw::read(&old), Raw::read(&new));
    Ok(old.zip(new).and_then(|(old, new)| old.without(&new).zip(new.without(&old))))
}

/// The id of a selection with these entries.
#[must_use]
pub fn identity(entries: &[u8]) -> ContentId {
    ContentId::new(blake3::Hasher::new_derive_key(select::DOMAIN).update(entries).finalize())
}

fn key(id: &str) -> ContentKey {
    KeyHasher::new("layercake listing of a selection 1").field(id.as_bytes()).finish()
}

impl Listing {
    /// Reads what [`Identity`](crate::tree::identity::Identity) has encoded; `None` if it has not.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        Raw::read(bytes)?.without(&Raw::default())
    }
}

/// The entries of a selection as they are encoded: of thousands, few have to be looked into.
#[derive(Default)]
struct Raw<'a>(BTreeMap<&'a [u8], &'a [u8]>);

impl<'a> Raw<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = Rest(bytes);
        let mut entries = Vec::new();
        while !rest.0.is_empty() {
            let path = rest.bytes()?;
            let before = rest.0;
            rest.skip_entry()?;
            entries.push((path, &before[..before.len() - rest.0.len()]));
        }
        Some(Self(entries.into_iter().collect()))
    }

    /// What of it the other one has not, or not so.
    fn without(&self, other: &Raw<'_>) -> Option<Listing> {
        let own = self.0.iter().filter(|(path, entry)| other.0.get(*path) != Some(*entry));
        own.map(|(path, entry)| Some((shown(path), Rest(entry).entry()?))).collect::<Option<_>>().map(Listing)
    }
}

/// Names need not be UTF-8; what is none is shown in a way that keeps it apart.
fn shown(bytes: &[u8]) -> String {
    std::str::from_utf8(bytes).map_or_else(|_| bytes.escape_ascii().to_string(), str::to_owned)
}

/// What is still to be read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        self.take(length)
    }

    fn text(&mut self) -> Option<String> {
        self.bytes().map(shown)
    }

    /// Goes past an entry.
    fn skip_entry(&mut self) -> Option<()> {
        match self.take(1)?[0] {
            b'h' => drop(self.bytes()?),
            b'l' => {
                self.take(16)?;
                self.bytes()?;
            }
            tag => {
                self.take(24)?;
                for _ in 0..self.number()? {
                    self.bytes()?;
                    self.bytes()?;
                }
                let content = match tag {
                    b'd' | b'o' => 0,
                    b'f' => 32,
                    b'b' | b'c' | b'p' => 8,
                    _ => return None,
                };
                self.take(content)?;
            }
        }
        Some(())
    }

    fn entry(&mut self) -> Option<Entry> {
        let tag = self.take(1)?[0];
        let kind = match tag {
            b'd' | b'o' => Kind::Folder,
            b'f' => Kind::File,
            b'l' => Kind::Symlink,
            b'h' => Kind::HardLink,
            b'b' | b'c' | b'p' => Kind::Special,
            _ => return None,
        };
        let mut entry = Entry { kind, mode: 0, owner: (0, 0), attributes: Vec::new(), content: String::new() };
        match kind {
            Kind::HardLink => entry.content = self.text()?,
            Kind::Symlink => {
                entry.owner = (self.number()?, self.number()?);
                entry.content = self.text()?;
            }
            Kind::Folder | Kind::File | Kind::Special => {
                entry.mode = self.number()?;
                entry.owner = (self.number()?, self.number()?);
                let before = self.0;
                for _ in 0..self.number()? {
                    self.bytes()?;
                    self.bytes()?;
                }
                entry.attributes = before[..before.len() - self.0.len()].to_owned();
                entry.content = match kind {
                    Kind::File => format!("blake3:{}", blake3::Hash::from_bytes(self.take(32)?.try_into().ok()?)),
                    Kind::Special => format!("{}{}", char::from(tag), self.number()?),
                    _ => String::new(),
                };
            }
        }
        Some(entry)
    }
}
