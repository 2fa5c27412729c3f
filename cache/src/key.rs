//! [`ContentKey`]: the BLAKE3 of what something is made *from*, and the hasher that makes one without ambiguity.

use std::fmt;

use crate::id::to_hex;

/// The BLAKE3 of what something is made *from*. It never converts into a [`ContentId`](crate::ContentId).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentKey([u8; 32]);

impl fmt::Display for ContentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.0))
    }
}

impl fmt::Debug for ContentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Makes a [`ContentKey`] from fields. Every field is written with its length, so that no two sequences of fields can
/// give the same bytes.
pub struct KeyHasher(blake3::Hasher);

impl KeyHasher {
    /// A key of the given domain: keys of two domains are never equal. Raise the number in it when the meaning of the
    /// fields changes.
    #[must_use]
    pub fn new(domain: &str) -> Self {
        Self(blake3::Hasher::new_derive_key(domain))
    }

    /// Adds a field.
    pub fn field(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
        self
    }

    /// The key of all fields.
    #[must_use]
    pub fn finish(&self) -> ContentKey {
        ContentKey(self.0.finalize().into())
    }
}
