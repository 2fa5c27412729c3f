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
#[derive(Clone, Debug)]
pub struct Identity(Hasher);

impl Identity {
    /// Of the given domain: equal entries in two domains have different ids. Raise the number in it when the encoding
    /// changes.
    #[must_use]
    pub fn new(domain: &str) -> Self {
        Self(Hasher::new_derive_key(domain))
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
                self.0.update(content.as_bytes());
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
        ContentId::new(self.0.finalize())
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
        self.0.update(&[tag]);
    }

    fn number(&mut self, number: u64) {
        self.0.update(&number.to_le_bytes());
    }

    /// With their length, so that no two sequences of fields give the same bytes.
    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.update(bytes);
    }
}
