//! [`Identity`]: the BLAKE3 of the entries of a tree or of a change to one. Times are not part of it.

use blake3::{Hash, Hasher};
use layercake_cache::ContentId;
use rustix::fs::{Dev, FileType};

use super::attributes::Attributes;
use super::mark::Opacity;

/// One entry, as far as identity goes.
#[derive(Clone, Copy, Debug)]
pub enum Entry<'a> {
    /// What lies below is deleted.
    Whiteout,
    /// A folder; its content is entries of its own.
    Folder(&'a Attributes, Opacity),
    /// A file and the hash of its content.
    File(&'a Attributes, &'a Hash),
    /// A symbolic link and its target. A link's mode means nothing.
    Symlink(&'a Attributes, &'a [u8]),
    /// A fifo or device.
    Special(&'a Attributes, FileType, Dev),
    /// A further name of the entry at a path that came earlier.
    HardLink(&'a [u8]),
}

/// Takes in entries. The caller gives them in an order that depends on nothing but their paths.
///
/// The encoding, with numbers of eight bytes, lowest first, and texts behind their length: the path, a letter for the kind, and
/// what the kind has. [`Listing`](crate::explain::listing::Listing) reads it.
#[derive(Clone, Debug)]
pub struct Identity {
    hasher: Hasher,
    /// What is still to be hashed.
    bytes: Vec<u8>,
    keep: Keep,
}

/// Whether the encoded entries are wanted besides their hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keep {
    Nothing,
    All,
}

/// Bytes that are hashed at once where they are not kept.
const BLOCK: usize = 64 << 10;

impl Identity {
    /// Of the given domain: equal entries in two domains have different ids. Raise the number in it when the encoding
    /// changes.
    #[must_use]
    pub fn new(domain: &str) -> Self {
        Self { hasher: Hasher::new_derive_key(domain), bytes: Vec::new(), keep: Keep::Nothing }
    }

    /// The same, and the encoded entries are kept. There is room for so many bytes of them at first.
    #[must_use]
    pub fn listing(domain: &str, room: usize) -> Self {
        Self { keep: Keep::All, bytes: Vec::with_capacity(room), ..Self::new(domain) }
    }

    /// Takes in the entry at a path; the root's is empty.
    pub fn entry(&mut self, path: &[u8], entry: Entry<'_>) {
        self.bytes(path);
        match entry {
            Entry::Whiteout => self.tag(b'w'),
            Entry::Folder(attributes, opacity) => {
                self.tag(match opacity {
                    Opacity::Merged => b'd',
                    Opacity::Opaque => b'o',
                });
                self.attributes(attributes);
            }
            Entry::File(attributes, content) => {
                self.tag(b'f');
                self.attributes(attributes);
                self.add(content.as_bytes());
            }
            Entry::Symlink(attributes, target) => {
                self.tag(b'l');
                self.number(attributes.uid.into());
                self.number(attributes.gid.into());
                self.bytes(target);
            }
            Entry::Special(attributes, kind, device) => {
                self.tag(match kind {
                    FileType::BlockDevice => b'b',
                    FileType::CharacterDevice => b'c',
                    _ => b'p',
                });
                self.attributes(attributes);
                self.number(device);
            }
            Entry::HardLink(first) => {
                self.tag(b'h');
                self.bytes(first);
            }
        }
    }

    /// The id of all entries.
    #[must_use]
    pub fn finish(&self) -> ContentId {
        let mut hasher = self.hasher.clone();
        // Below this, giving parts to other threads costs more than it saves.
        if self.bytes.len() < 1 << 20 {
            hasher.update(&self.bytes)
        } else {
            hasher.update_rayon(&self.bytes)
        };
        ContentId::new(hasher.finalize())
    }

    /// The encoded entries, of which the hash is the id; of an identity that keeps them.
    #[must_use]
    pub fn into_listing(self) -> Vec<u8> {
        self.bytes
    }

    fn add(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        if self.keep == Keep::Nothing && self.bytes.len() >= BLOCK {
            self.hasher.update(&self.bytes);
            self.bytes.clear();
        }
    }

    fn attributes(&mut self, attributes: &Attributes) {
        self.number(attributes.mode.into());
        self.number(attributes.uid.into());
        self.number(attributes.gid.into());
        self.number(attributes.xattrs.iter().len() as u64);
        for (name, value) in attributes.xattrs.iter() {
            self.bytes(name.to_bytes());
            self.bytes(value);
        }
    }

    fn tag(&mut self, tag: u8) {
        self.add(&[tag]);
    }

    fn number(&mut self, number: u64) {
        self.add(&number.to_le_bytes());
    }

    /// With their length, so that no two sequences of fields give the same bytes.
    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.add(bytes);
    }
}
