//! [`Checksum`]: the digest that a file must have, and what computes it while the file comes.

use std::fmt;

use layercake_cache::{Digest, Digester};
use sha2::{Digest as _, Sha384, Sha512};

/// The digest that a file must have: `sha256:`, `sha384:` or `sha512:` and hexadecimal digits, as go-digest has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checksum {
    text: String,
    algorithm: Algorithm,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    Sha256,
    Sha384,
    Sha512,
}

/// A text that is no digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no checksum: expected `sha256:`, `sha384:` or `sha512:` and lower-case hexadecimal digits")]
pub struct InvalidChecksum(pub String);

impl Checksum {
    /// Reads `algorithm:hex`.
    ///
    /// # Errors
    /// If it is none of the algorithms, or not as many digits as it must be.
    pub fn parse(text: &str) -> Result<Self, InvalidChecksum> {
        let invalid = || InvalidChecksum(text.to_owned());
        let (name, hex) = text.split_once(':').ok_or_else(invalid)?;
        let (algorithm, length) = match name {
            "sha256" => (Algorithm::Sha256, 64),
            "sha384" => (Algorithm::Sha384, 96),
            "sha512" => (Algorithm::Sha512, 128),
            _ => return Err(invalid()),
        };
        let is_hex = hex.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        if is_hex && hex.len() == length { Ok(Self { text: text.to_owned(), algorithm }) } else { Err(invalid()) }
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Takes in a file as it comes: its SHA-256 always, and what it is to be held to.
pub(super) struct Summing {
    digester: Digester,
    other: Other,
}

enum Other {
    None,
    Sha384(Box<Sha384>),
    Sha512(Box<Sha512>),
}

/// What a whole file was.
pub(super) struct Sums {
    pub(super) digest: Digest,
    pub(super) length: u64,
    /// In the terms of the checksum that was given.
    found: String,
}

impl Summing {
    pub(super) fn new(checksum: Option<&Checksum>) -> Self {
        let other = match checksum.map(|checksum| checksum.algorithm) {
            None | Some(Algorithm::Sha256) => Other::None,
            Some(Algorithm::Sha384) => Other::Sha384(Box::default()),
            Some(Algorithm::Sha512) => Other::Sha512(Box::default()),
        };
        Self { digester: Digester::default(), other }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.digester.update(bytes);
        match &mut self.other {
            Other::None => (),
            Other::Sha384(hasher) => hasher.update(bytes),
            Other::Sha512(hasher) => hasher.update(bytes),
        }
    }

    pub(super) fn finish(self) -> Sums {
        let (digest, length) = self.digester.finish();
        let found = match self.other {
            Other::None => digest.to_string(),
            Other::Sha384(hasher) => format!("sha384:{}", hex(&hasher.finalize())),
            Other::Sha512(hasher) => format!("sha512:{}", hex(&hasher.finalize())),
        };
        Sums { digest, length, found }
    }
}

impl Sums {
    /// What the file has instead of this checksum; `None` if it is that.
    pub(super) fn other_than(&self, checksum: &Checksum) -> Option<&str> {
        (self.found != checksum.text).then_some(self.found.as_str())
    }
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)])).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn each_algorithm_is_computed() {
        // Of `abc`: FIPS 180-2, appendices B.1, D.1 and C.1.
        for text in [
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            "sha384:cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
            "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
             2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        ] {
            let checksum = Checksum::parse(text).unwrap();
            let mut summing = Summing::new(Some(&checksum));
            summing.update(b"a");
            summing.update(b"bc");
            let sums = summing.finish();
            assert_eq!((sums.other_than(&checksum), sums.length), (None, 3));
            assert_eq!(sums.digest, Digest::of(b"abc"));
            let empty = Summing::new(Some(&checksum)).finish();
            assert!(empty.other_than(&checksum).is_some_and(|found| found.starts_with(&text[..7])));
        }
    }

    #[test]
    fn what_is_no_digest_is_refused() {
        let upper = format!("sha256:{}", "A".repeat(64));
        let short = format!("sha512:{}", "a".repeat(64));
        for text in ["", "sha256", "sha256:", "md5:d41d8cd98f00b204e9800998ecf8427e", &upper, &short] {
            assert!(Checksum::parse(text).is_err(), "{text}");
        }
    }
}
