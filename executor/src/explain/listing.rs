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

/// The entries of the selection with this id; `None` if they are not there, or are not what the id says.
///
/// # Errors
/// If the store cannot be read.
pub fn find(store: &Store, id: &str) -> Result<Option<Listing>, StoreError> {
    let bytes = store.record(&key(id))?;
    Ok(bytes.filter(|bytes| identity(bytes).to_string() == id).and_then(|bytes| Listing::read(&bytes)))
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
        let mut rest = Rest(bytes);
        let mut entries = BTreeMap::new();
        while !rest.0.is_empty() {
            let path = rest.text()?;
            entries.insert(path, rest.entry()?);
        }
        Some(Self(entries))
    }
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

    /// Names need not be UTF-8; what is none is shown in a way that keeps it apart.
    fn text(&mut self) -> Option<String> {
        let bytes = self.bytes()?;
        Some(std::str::from_utf8(bytes).map_or_else(|_| bytes.escape_ascii().to_string(), str::to_owned))
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
