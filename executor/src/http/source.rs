//! [`Source`]: a file on a server, of which the store may have what was there before.

use layercake_cache::{Error as StoreError, KeyHasher, Store};

use super::address::Address;
use super::checksum::Checksum;
use super::error::Error;
use super::known::Known;
use super::stream::{Answer, Stream};
pub use super::stream::{Arrived, Retrying};
use crate::registry::client::Client;

/// A file on a server.
pub struct Source<'a> {
    /// What remembers it.
    pub store: &'a Store,
    /// Who asks the server; `None`: nobody may.
    pub client: Option<&'a Client>,
    /// Where it is.
    pub address: &'a Address,
    /// What it has to be.
    pub checksum: Option<&'a Checksum>,
    /// Whether what was there before will do.
    pub freshness: Freshness,
    /// Is told of attempts that failed.
    pub retrying: Retrying<'a>,
    /// Whether nobody wants it any more.
    pub interrupted: &'a (dyn Fn() -> bool + Sync),
}

/// Whether a file that the store has will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// It will, if it has the checksum, or if the server says that it has not changed.
    Checked,
    /// It will only if nobody may be asked.
    Refetched,
}

/// How a file came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It was here.
    Stored,
    /// From its server.
    Fetched,
}

/// What the store has of a file, as far as that can be told without asking its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored<T> {
    /// This.
    Here(T),
    /// Nothing that will do.
    Absent,
    /// Its server knows.
    Unasked,
}

impl Source<'_> {
    /// What [`Self::bring`] would find here. `find` is the same.
    ///
    /// # Errors
    /// If the store cannot be read, or whatever `find` fails with.
    pub fn stored<T, E: From<StoreError>>(&self, find: impl Fn(&str) -> Result<Option<T>, E>) -> Result<Stored<T>, E> {
        if self.freshness == Freshness::Refetched && self.client.is_some() {
            return Ok(Stored::Absent);
        }
        let digest = match self.checksum {
            Some(checksum) => Some(checksum.to_string()),
            None if self.client.is_some() => return Ok(Stored::Unasked),
            None => Known::load(self.store, self.address)?.map(|known| known.digest.to_string()),
        };
        let found = digest.map(|digest| find(&digest)).transpose()?.flatten();
        Ok(found.map_or(Stored::Absent, Stored::Here))
    }

    /// Brings the file. `find` gives what was made of a file with this digest, `algorithm:hex`, if that is still here;
    /// `begin` what the file is written to, given its size in bytes if that is known; `keep` makes something of the whole
    /// file. Of several processes that want the same file at once, one fetches it.
    ///
    /// # Errors
    /// If the file cannot be had or is another one, or whatever the three fail with. Then nothing is remembered.
    pub fn bring<T, W: std::io::Write, E: From<Error> + From<StoreError>>(
        &self,
        find: impl Fn(&str) -> Result<Option<T>, E>,
        mut begin: impl FnMut(Option<u64>) -> Result<W, E>,
        keep: impl FnOnce(Arrived<W>) -> Result<T, E>,
    ) -> Result<(T, How), E> {
        let may_reuse = self.freshness == Freshness::Checked || self.client.is_none();
        let pinned = || match self.checksum {
            Some(checksum) if may_reuse => find(&checksum.to_string()),
            _ => Ok(None),
        };
        if let Some(found) = pinned()? {
            return Ok((found, How::Stored));
        }
        let key = KeyHasher::new("layercake download of a file 1").field(self.address.text().as_bytes()).finish();
        let _claim = self.store.claim(&key)?;
        if let Some(found) = pinned()? {
            return Ok((found, How::Stored));
        }
        // What has to have a checksum has been looked for by it.
        let known = match self.checksum {
            None if may_reuse => Known::load(self.store, self.address)?,
            _ => None,
        };
        let found = known.as_ref().map(|known| find(&known.digest.to_string())).transpose()?.flatten();
        let Some(client) = self.client else {
            let found = found.ok_or_else(|| Error::Offline(self.address.to_string()))?;
            return Ok((found, How::Stored));
        };
        let known = known.filter(|known| found.is_some() && known.validator.is_of_use());
        let stream = Stream {
            store: self.store,
            client,
            address: self.address,
            checksum: self.checksum,
            known: known.as_ref().map(|known| &known.validator),
            retrying: self.retrying,
            interrupted: self.interrupted,
        };
        match stream.run(&mut begin)? {
            Answer::Unchanged => Ok((found.expect("it was compared with what is here"), How::Stored)),
            Answer::Arrived(arrived, validator) => {
                let digest = arrived.digest;
                let made = keep(arrived)?;
                Known::save(self.store, self.address, digest, validator)?;
                Ok((made, How::Fetched))
            }
        }
    }
}
