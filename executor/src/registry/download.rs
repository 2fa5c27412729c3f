//! One blob from a registry into the store: checked, and taken up again where the connection broke, or where an earlier
//! process has left it.

use std::io::{self, Read, Write};

use layercake_cache::{Error as StoreError, PartialBlob, Store};
use ureq::http::header::{CONTENT_RANGE, RANGE};
use ureq::http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::image::descriptor::Descriptor;
use crate::registry::auth::Access;
use crate::registry::client::{Call, Client, Target};
use crate::registry::error::Error;
use crate::registry::event::{Direction, Event, Events, How};
use crate::registry::parallel::Halt;
use crate::registry::repository::Repository;
use crate::registry::retry::Attempts;
use crate::registry::transport::{Content, Incoming};

/// A blob, and where it is fetched from.
pub(crate) struct Download<'a> {
    pub(crate) client: &'a Client,
    pub(crate) store: &'a Store,
    pub(crate) from: &'a Repository,
    pub(crate) blob: &'a Descriptor,
    pub(crate) events: Events<'a>,
    pub(crate) halt: &'a Halt,
}

/// Why a stream ended too early.
enum Interruption {
    /// The rest is still missing.
    Again(Error),
    /// What has come is of no use.
    Anew(Error),
}

impl Download<'_> {
    /// Fetches the blob.
    pub(crate) fn run(&self) -> Result<(), Error> {
        let mut anew = Attempts::new(&self.client.settings, self.events);
        // What an earlier process has left may be damaged, which says nothing about the registry.
        let mut partial = self.partial()?;
        let mut inherited = partial.length() > 0;
        loop {
            match self.whole(partial) {
                Ok(()) => break,
                Err(Interruption::Again(error)) => return Err(error),
                Err(Interruption::Anew(_)) if inherited => inherited = false,
                Err(Interruption::Anew(error)) => anew.failed(error)?,
            }
            partial = self.partial()?;
        }
        let (digest, direction) = (self.blob.digest, Direction::Down);
        (self.events)(Event::Finished { digest, direction, how: How::Moved });
        Ok(())
    }

    fn partial(&self) -> Result<PartialBlob<'_>, Error> {
        self.store.partial_blob(&self.blob.digest).map_err(|error| self.unstored(error))
    }

    /// One copy of the blob, however many connections it takes. What has come stays if the rest does not.
    fn whole(&self, mut partial: PartialBlob<'_>) -> Result<(), Interruption> {
        if partial.length() > self.blob.size {
            partial.restart().map_err(|error| Interruption::Again(self.unstored(error)))?;
        }
        let mut again = Attempts::new(&self.client.settings, self.events);
        self.moved(partial.length());
        loop {
            let before = partial.length();
            match self.stream(&mut partial) {
                Ok(()) => break,
                Err(Interruption::Again(error)) => {
                    if partial.length() > before {
                        again.progressed();
                    }
                    again.failed(error).map_err(Interruption::Again)?;
                }
                Err(Interruption::Anew(error)) => {
                    partial.restart().map_err(|error| Interruption::Again(self.unstored(error)))?;
                    return Err(Interruption::Anew(error));
                }
            }
        }
        match partial.finish(self.blob.size) {
            Err(StoreError::Digest { expected, found }) => Err(Interruption::Anew(Error::WrongDigest {
                host: self.from.host.clone(),
                what: self.from.to_string(),
                expected,
                found,
            })),
            result => result.map_err(|error| Interruption::Again(self.unstored(error))),
        }
    }

    /// What one connection gives of the part that is still missing.
    fn stream(&self, partial: &mut PartialBlob<'_>) -> Result<(), Interruption> {
        let again = Interruption::Again;
        if partial.length() == self.blob.size && partial.length() > 0 {
            return Ok(());
        }
        let path = format!("blobs/{}", self.blob.digest);
        let what = format!("{}@{}", self.from.path, self.blob.digest);
        let mut headers = HeaderMap::new();
        if partial.length() > 0 {
            let range = HeaderValue::try_from(format!("bytes={}-", partial.length()));
            headers.extend(range.ok().map(|range| (RANGE, range)));
        }
        let call = Call {
            repository: self.from,
            method: Method::GET,
            target: Target::Path(&path),
            headers,
            body: Content::None,
            access: Access::Pull,
            also: None,
            what: &what,
            doing: "fetching",
        };
        let mut incoming = self.client.send_once(&call).map_err(again)?;
        let skip = match incoming.status {
            // It begins at the beginning, whatever was asked for.
            StatusCode::OK => partial.length(),
            StatusCode::PARTIAL_CONTENT if begins_at(&incoming, partial.length()) => 0,
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
                return Err(Interruption::Anew(self.broken("the rest of it cannot be had")));
            }
            _ => return Err(again(call.refused(&mut incoming))),
        };
        let mut body = incoming.body.as_reader();
        let skipped = io::copy(&mut body.by_ref().take(skip), &mut io::sink());
        if skipped.map_err(|error| again(self.broken(&error.to_string())))? < skip {
            return Err(again(self.broken("it ended too early")));
        }
        self.copy(&mut body, partial)
    }

    fn copy(&self, body: &mut dyn Read, partial: &mut PartialBlob<'_>) -> Result<(), Interruption> {
        let (again, size) = (Interruption::Again, self.blob.size);
        let mut buffer = vec![0; 1 << 17];
        loop {
            self.halt.check().map_err(again)?;
            let length = match body.read(&mut buffer) {
                Ok(0) if partial.length() == size => return Ok(()),
                Ok(0) => return Err(again(self.broken("it ended too early"))),
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(again(self.broken(&error.to_string()))),
            };
            let count = partial.length() + length as u64;
            if count > size {
                let (host, digest) = (self.from.host.clone(), self.blob.digest);
                return Err(Interruption::Anew(Error::WrongSize { host, digest, expected: size, found: count }));
            }
            partial.write_all(&buffer[..length]).map_err(|error| again(self.unwritten(error)))?;
            self.moved(count);
        }
    }

    fn moved(&self, done: u64) {
        let (digest, direction) = (self.blob.digest, Direction::Down);
        (self.events)(Event::Moved { digest, direction, done, total: self.blob.size });
    }

    fn broken(&self, why: &str) -> Error {
        let doing = format!("fetching `{}`", self.blob.digest);
        Error::Broken { host: self.from.host.clone(), doing, why: why.to_owned() }
    }

    fn unwritten(&self, source: io::Error) -> Error {
        let path = self.store.root().to_owned();
        self.unstored(StoreError::Path { operation: "write a blob in", path, source })
    }

    fn unstored(&self, error: StoreError) -> Error {
        if error.is_full() { Error::Full(self.blob.digest) } else { Error::Store(error) }
    }
}

/// Whether a partial answer is the part that was asked for: `Content-Range: bytes 10-19/20`.
pub(crate) fn begins_at(incoming: &Incoming, start: u64) -> bool {
    let range = incoming.header(CONTENT_RANGE).and_then(|range| range.trim().strip_prefix("bytes"));
    range.and_then(|range| range.trim().split('-').next()?.parse().ok()) == Some(start)
}
