//! The bytes of one file as they come: summed up, and taken up again where the connection broke.

use std::io::{self, Read, Write};
use std::thread;
use std::time::Duration;

use layercake_cache::{Digest, Error as StoreError, Store};
use ureq::http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, IF_RANGE, LAST_MODIFIED, RANGE};
use ureq::http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::address::Address;
use super::checksum::{Checksum, Summing};
use super::error::Error;
use super::known::Validator;
use super::time;
use crate::registry::client::Client;
use crate::registry::download::begins_at;
use crate::registry::error::Error as ClientError;
use crate::registry::event::ignore;
use crate::registry::response::refusal;
use crate::registry::retry::Attempts;
use crate::registry::transport::{Content, Incoming, Matter, Outgoing, server};
use crate::registry::way::Way;

/// Bytes that are held at once.
const CHUNK: usize = 1 << 17;

/// Who is told of an attempt that failed, and how long is waited before the next.
pub type Retrying<'a> = &'a (dyn Fn(&Error, Duration) + Sync);

/// A file on a server.
pub(super) struct Stream<'a> {
    pub(super) store: &'a Store,
    pub(super) client: &'a Client,
    pub(super) address: &'a Address,
    pub(super) checksum: Option<&'a Checksum>,
    /// What the file is compared with that is here already.
    pub(super) known: Option<&'a Validator>,
    pub(super) retrying: Retrying<'a>,
    /// Whether nobody wants it any more.
    pub(super) interrupted: &'a (dyn Fn() -> bool + Sync),
}

/// What came.
pub(super) enum Answer<W> {
    /// The file is the one that is known.
    Unchanged,
    /// A file, and it is the one that was wanted if it had to be a certain one.
    Arrived(Arrived<W>, Option<Validator>),
}

/// A file that has come.
#[derive(Debug)]
pub struct Arrived<W> {
    /// What it was written to.
    pub writer: W,
    /// Its content.
    pub digest: Digest,
    /// Its length in bytes.
    pub length: u64,
    /// When it was last changed, as the server says: seconds since 1970.
    pub modified: Option<i64>,
}

/// The beginning of a file.
struct Partial<W> {
    writer: W,
    summing: Summing,
    count: u64,
    modified: Option<i64>,
    validator: Option<Validator>,
}

/// What ends one connection.
enum Trouble<E> {
    /// It may pass.
    Passing(ClientError),
    /// It will not.
    Final(E),
}

enum Ended {
    Unchanged,
    Complete,
}

impl Stream<'_> {
    /// Fetches the file, however many connections it takes. `begin` is told its size in bytes, if that is known, and gives
    /// what it is written to; it is called again if the file has to be begun anew.
    pub(super) fn run<W: Write, E: From<Error>>(
        &self,
        begin: &mut dyn FnMut(Option<u64>) -> Result<W, E>,
    ) -> Result<Answer<W>, E> {
        let mut attempts = Attempts::new(&self.client.settings, &ignore);
        let (mut partial, mut furthest) = (None, 0);
        loop {
            match self.once(&mut partial, begin) {
                Ok(Ended::Unchanged) => return Ok(Answer::Unchanged),
                Ok(Ended::Complete) => break,
                Err(Trouble::Passing(error)) => {
                    // A file that is begun anew each time does not get anywhere.
                    let count = partial.as_ref().map_or(0, |partial| partial.count);
                    if count > furthest {
                        furthest = count;
                        attempts.progressed();
                    }
                    let wait = attempts.wait(&error);
                    let error = Error::of(error, &self.address.to_string());
                    let Some(wait) = wait else { return Err(error.into()) };
                    (self.retrying)(&error, wait);
                    thread::sleep(wait);
                }
                Err(Trouble::Final(error)) => return Err(error),
            }
        }
        let partial = partial.expect("what is complete has begun");
        let sums = partial.summing.finish();
        if let Some(checksum) = self.checksum
            && let Some(found) = sums.other_than(checksum)
        {
            let (address, expected) = (self.address.to_string(), checksum.to_string());
            return Err(Error::Checksum { address, expected, found: found.to_owned() }.into());
        }
        let arrived =
            Arrived { writer: partial.writer, digest: sums.digest, length: sums.length, modified: partial.modified };
        Ok(Answer::Arrived(arrived, partial.validator))
    }

    /// One connection: the whole file, or the rest of it.
    fn once<W: Write, E: From<Error>>(
        &self,
        partial: &mut Option<Partial<W>>,
        begin: &mut dyn FnMut(Option<u64>) -> Result<W, E>,
    ) -> Result<Ended, Trouble<E>> {
        let ranged = self.resume(partial);
        let mut incoming = self.ask(ranged.as_ref())?;
        match incoming.status {
            StatusCode::PARTIAL_CONTENT if ranged.as_ref().is_some_and(|(start, _)| begins_at(&incoming, *start)) => (),
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE if ranged.is_some() => {
                *partial = None;
                return Err(self.broken(&incoming, "the rest of the file cannot be had"));
            }
            StatusCode::NOT_MODIFIED if ranged.is_none() && self.known.is_some() => return Ok(Ended::Unchanged),
            status if status.is_success() && status != StatusCode::PARTIAL_CONTENT => {
                let validator = Validator::of(&incoming);
                if let (Some(known), Some(found)) = (self.known, &validator)
                    && known.same_tag(found)
                {
                    return Ok(Ended::Unchanged);
                }
                let size = incoming.header(CONTENT_LENGTH).and_then(|length| length.parse().ok());
                *partial = Some(Partial {
                    writer: begin(size).map_err(Trouble::Final)?,
                    summing: Summing::new(self.checksum),
                    count: 0,
                    modified: incoming.header(LAST_MODIFIED).and_then(time::parse),
                    validator,
                });
            }
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => return Err(self.refused(&mut incoming)),
            status if status.is_server_error() => return Err(self.refused(&mut incoming)),
            status => {
                let (address, status) = (self.address.to_string(), status.as_u16());
                return Err(Trouble::Final(Error::Status { address, status }.into()));
            }
        }
        let partial = partial.as_mut().expect("it has just been begun, or is gone on with");
        self.copy(incoming, partial)?;
        Ok(Ended::Complete)
    }

    /// Where to go on, and what says that it is still the same file. A beginning that nothing can be added to is dropped.
    fn resume<W>(&self, partial: &mut Option<Partial<W>>) -> Option<(u64, HeaderValue)> {
        let strong = partial.as_ref().and_then(|partial| {
            let validator = partial.validator.as_ref()?.strong()?;
            (partial.count > 0).then_some((partial.count, validator))
        });
        if strong.is_none() {
            *partial = None;
        }
        strong
    }

    fn ask<E>(&self, ranged: Option<&(u64, HeaderValue)>) -> Result<Incoming, Trouble<E>> {
        let mut headers = HeaderMap::new();
        // The file as it lies there: what is unpacked is up to the Dockerfile.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.extend(self.address.authorization().cloned().map(|value| (AUTHORIZATION, value)));
        match ranged {
            Some((start, validator)) => {
                headers.extend(HeaderValue::try_from(format!("bytes={start}-")).ok().map(|range| (RANGE, range)));
                headers.insert(IF_RANGE, validator.clone());
            }
            None => self.known.into_iter().for_each(|known| known.ask(&mut headers)),
        }
        let doing = self.doing();
        let outgoing = Outgoing {
            method: Method::GET,
            uri: self.address.uri().clone(),
            headers,
            body: Content::None,
            way: &Way::default(),
            matter: if self.checksum.is_some() { Matter::KnownFile } else { Matter::File },
            doing: &doing,
        };
        self.client.transport.send(outgoing).map_err(Trouble::Passing)
    }

    fn copy<W: Write, E: From<Error>>(
        &self,
        mut incoming: Incoming,
        partial: &mut Partial<W>,
    ) -> Result<(), Trouble<E>> {
        let host = server(&incoming.uri);
        let mut body = incoming.body.as_reader();
        let mut buffer = vec![0; CHUNK];
        loop {
            if (self.interrupted)() {
                return Err(Trouble::Final(Error::Stopped.into()));
            }
            let length = match body.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    let (doing, why) = (self.doing(), error.to_string());
                    return Err(Trouble::Passing(ClientError::Broken { host, doing, why }));
                }
            };
            partial
                .writer
                .write_all(&buffer[..length])
                .map_err(|error| Trouble::Final(self.unwritten(error).into()))?;
            partial.summing.update(&buffer[..length]);
            partial.count += length as u64;
        }
    }

    fn doing(&self) -> String {
        format!("fetching `{}`", self.address)
    }

    fn refused<E>(&self, incoming: &mut Incoming) -> Trouble<E> {
        let (host, doing) = (server(&incoming.uri), self.doing());
        match incoming.status {
            // What is tried again is told by its status.
            StatusCode::REQUEST_TIMEOUT => {
                Trouble::Passing(ClientError::Server { host, status: 408, after: None, doing, message: String::new() })
            }
            _ => Trouble::Passing(refusal(incoming, &host, &self.address.to_string(), &doing)),
        }
    }

    fn broken<E>(&self, incoming: &Incoming, why: &str) -> Trouble<E> {
        let (host, doing) = (server(&incoming.uri), self.doing());
        Trouble::Passing(ClientError::Broken { host, doing, why: why.to_owned() })
    }

    fn unwritten(&self, source: io::Error) -> Error {
        let path = self.store.root().to_owned();
        Error::Store(StoreError::Path { operation: "write a file to", path, source })
    }
}
