//! One blob from the store to a registry: found there, taken from another of its repositories, or sent.
//!
//! Source: distribution-spec, "Pushing blobs".

use std::fs::File;
use std::io;

use layercake_cache::Store;
use ureq::http::header::{CONTENT_RANGE, CONTENT_TYPE, LOCATION, RANGE};
use ureq::http::{HeaderMap, Method, StatusCode, Uri};

use crate::image::descriptor::Descriptor;
use crate::registry::auth::Access;
use crate::registry::client::{Call, Client, Target};
use crate::registry::error::Error;
use crate::registry::event::{Direction, Event, Events, How};
use crate::registry::parallel::Halt;
use crate::registry::repository::Repository;
use crate::registry::retry::Attempts;
use crate::registry::sources;
use crate::registry::transport::{Content, Incoming, headers};
use crate::registry::uri::{encode, join, with_query};

/// Bytes of a chunk, unless the registry wants more. Some registries refuse larger ones.
const CHUNK: u64 = 4 << 20;
/// As many uploads are given up before a registry's refusal is believed.
const SPOILED: u32 = 2;
/// How a registry says that it wants larger chunks.
const CHUNK_MINIMUM: &str = "oci-chunk-min-length";

/// A blob, and where it is sent to.
pub(crate) struct Upload<'a> {
    pub(crate) client: &'a Client,
    pub(crate) store: &'a Store,
    pub(crate) to: &'a Repository,
    pub(crate) blob: &'a Descriptor,
    /// The name of what is pushed, for people.
    pub(crate) what: &'a str,
    pub(crate) events: Events<'a>,
    pub(crate) halt: &'a Halt,
}

/// How bytes are sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// In one request.
    Whole,
    /// In several: slower, but it passes servers that limit a request.
    Chunks,
}

/// An upload that a registry has begun.
#[derive(Clone)]
struct Session {
    address: Uri,
    chunk: u64,
}

/// How far a blob has come, over all attempts.
struct Progress {
    manner: Manner,
    /// The upload that was begun last; it may have got something.
    begun: Option<Session>,
    /// Bytes that the registry has acknowledged.
    sent: u64,
    /// How many uploads were given up because what the registry had got was not right.
    spoiled: u32,
}

/// What ends one attempt at a blob.
enum Trouble {
    /// The bytes did not arrive; the next attempt may go on with them.
    Sending(Error),
    /// A question was asked often enough.
    Final(Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}

impl Progress {
    /// What to do otherwise after an error; says whether that is worth trying at once.
    fn goes_on_after(&mut self, error: &Error) -> bool {
        let is_whole = self.manner == Manner::Whole;
        self.manner = Manner::Chunks;
        if !refuses_upload(error) {
            return false;
        }
        // It has lost the upload, what it has got is damaged, or it was too much at once.
        let spoiled = self.begun.take().is_some();
        self.spoiled += u32::from(spoiled && !is_whole);
        spoiled && self.spoiled <= SPOILED
    }
}

impl Upload<'_> {
    /// Sees to it that the registry has the blob.
    pub(crate) fn run(&self) -> Result<(), Error> {
        let mut attempts = Attempts::new(&self.client.settings, self.events);
        let mut progress = Progress { manner: Manner::Whole, begun: None, sent: 0, spoiled: 0 };
        let how = loop {
            self.halt.check()?;
            let before = progress.sent;
            match self.once(&mut progress) {
                Ok(how) => break how,
                Err(Trouble::Final(error)) => return Err(error),
                Err(Trouble::Sending(error)) => {
                    // The sender fails when its work is to end; that is no failure of the registry's.
                    self.halt.check()?;
                    if progress.sent > before {
                        attempts.progressed();
                    }
                    if !progress.goes_on_after(&error) {
                        attempts.failed(error)?;
                    }
                }
            }
        };
        sources::remember(self.store, &self.blob.digest, self.to)?;
        (self.events)(Event::Finished { digest: self.blob.digest, direction: Direction::Up, how });
        Ok(())
    }

    fn once(&self, progress: &mut Progress) -> Result<How, Trouble> {
        if self.is_there()? {
            // Perhaps all of it had arrived, and only the answer had not.
            return Ok(if progress.begun.is_some() { How::Moved } else { How::Present });
        }
        let reached = progress.begun.take().and_then(|session| self.reached(session));
        let (session, start) = match reached {
            Some(reached) => reached,
            None => match self.mount()? {
                Mounting::Mounted(from) => return Ok(How::Mounted(from)),
                Mounting::Begun(session) => {
                    self.fetch_if_absent()?;
                    (session, 0)
                }
                Mounting::NoSource => {
                    self.fetch_if_absent()?;
                    (self.begin()?, 0)
                }
            },
        };
        progress.begun = Some(session.clone());
        let sent = match progress.manner {
            Manner::Whole => self.send_whole(&session),
            Manner::Chunks => self.send_chunks(session, start, progress),
        };
        sent.map(|()| How::Moved).map_err(Trouble::Sending)
    }

    fn fetch_if_absent(&self) -> Result<(), Error> {
        if self.store.has_blob(&self.blob.digest) {
            return Ok(());
        }
        // Nothing has needed it until now.
        self.client.fetch_known_blob(self.store, self.what, self.blob, self.events, self.halt)
    }

    /// How far an upload has come that was broken off; `None` if the registry cannot say, or what it has is of no use.
    ///
    /// Source: distribution-spec, "Pushing a blob in chunks".
    fn reached(&self, session: Session) -> Option<(Session, u64)> {
        let asked = self.client.send(&self.call(Method::GET, Target::Address(&session.address)), self.events);
        // Where it fails in any way, another upload may not.
        let incoming = asked.ok().filter(|incoming| incoming.status == StatusCode::NO_CONTENT)?;
        // `0-0` is what registries say that have nothing.
        let last = incoming.header(RANGE).and_then(|range| range.rsplit('-').next()?.trim().parse::<u64>().ok());
        let start = last.filter(|last| *last > 0).map_or(0, |last| last + 1);
        let address = incoming.header(LOCATION).and_then(|location| join(&incoming.uri, location));
        let session = Session { address: address.unwrap_or(session.address), chunk: session.chunk };
        (start <= self.blob.size).then_some((session, start))
    }

    fn call<'a>(&'a self, method: Method, target: Target<'a>) -> Call<'a> {
        Call {
            repository: self.to,
            method,
            target,
            headers: HeaderMap::new(),
            body: Content::None,
            access: Access::Push,
            also: None,
            what: self.what,
            doing: "pushing",
        }
    }

    fn is_there(&self) -> Result<bool, Error> {
        let path = format!("blobs/{}", self.blob.digest);
        Ok(self.client.send(&self.call(Method::HEAD, Target::Path(&path)), self.events)?.status == StatusCode::OK)
    }

    /// Asks the registry to take the blob from another of its repositories, where one is known to have it.
    fn mount(&self) -> Result<Mounting, Error> {
        let known = sources::known(self.store, &self.blob.digest)?;
        let mut session = None;
        for from in known.into_iter().filter(|from| from.host == self.to.host && from.path != self.to.path) {
            let path =
                format!("blobs/uploads/?mount={}&from={}", encode(&self.blob.digest.to_string()), encode(&from.path));
            let call = Call { also: Some(&from), ..self.call(Method::POST, Target::Path(&path)) };
            match self.client.send(&call, self.events) {
                Ok(incoming) if incoming.status == StatusCode::CREATED => return Ok(Mounting::Mounted(from)),
                // The registry does not have it there, or does not mount: it wants the bytes.
                Ok(incoming) if incoming.status == StatusCode::ACCEPTED => session = Some(self.session(&incoming)?),
                // We may push here and not read there: then there is no mounting, but perhaps sending.
                Ok(_) | Err(Error::Unauthorized { .. } | Error::Forbidden { .. }) => (),
                Err(error) => return Err(error),
            }
        }
        Ok(session.map_or(Mounting::NoSource, Mounting::Begun))
    }

    fn begin(&self) -> Result<Session, Error> {
        let call = Call { body: Content::Bytes(b""), ..self.call(Method::POST, Target::Path("blobs/uploads/")) };
        let mut incoming = self.client.send(&call, self.events)?;
        if incoming.status == StatusCode::ACCEPTED { self.session(&incoming) } else { Err(call.refused(&mut incoming)) }
    }

    fn session(&self, incoming: &Incoming) -> Result<Session, Error> {
        let address = incoming.header(LOCATION).and_then(|location| join(&incoming.uri, location));
        let address = address.ok_or_else(|| self.unexpected("it began an upload and did not say where"))?;
        let minimum = incoming.header(CHUNK_MINIMUM).and_then(|text| text.parse().ok()).unwrap_or(0);
        Ok(Session { address, chunk: CHUNK.max(minimum) })
    }

    fn send_whole(&self, session: &Session) -> Result<(), Error> {
        let file = self.open()?;
        let watch = |done| self.watch(done);
        let body = Content::Part { file: &file, start: 0, length: self.blob.size, watch: &watch };
        self.finish(session, if self.blob.size == 0 { Content::Bytes(b"") } else { body })
    }

    /// Sends what comes after `start`. However far it gets, `progress` knows where to go on.
    fn send_chunks(&self, mut session: Session, mut start: u64, progress: &mut Progress) -> Result<(), Error> {
        let file = self.open()?;
        let watch = |done| self.watch(done);
        while start < self.blob.size {
            let end = self.blob.size.min(start + session.chunk);
            let range = format!("{start}-{}", end - 1);
            let call = Call {
                headers: headers(&[(CONTENT_TYPE, "application/octet-stream"), (CONTENT_RANGE, &range)]),
                body: Content::Part { file: &file, start, length: end - start, watch: &watch },
                ..self.call(Method::PATCH, Target::Address(&session.address))
            };
            let mut incoming = self.client.send_once(&call)?;
            if !incoming.status.is_success() {
                return Err(call.refused(&mut incoming));
            }
            session = Session { chunk: session.chunk, ..self.session(&incoming)? };
            progress.begun = Some(session.clone());
            progress.sent += end - start;
            start = end;
        }
        self.finish(&session, Content::Bytes(b""))
    }

    /// The last request of an upload, which names the digest.
    fn finish(&self, session: &Session, body: Content<'_>) -> Result<(), Error> {
        let address = with_query(&session.address, "digest", &self.blob.digest.to_string())
            .ok_or_else(|| self.unexpected("it began an upload at a place that is no address"))?;
        let call = Call {
            headers: headers(&[(CONTENT_TYPE, "application/octet-stream")]),
            body,
            ..self.call(Method::PUT, Target::Address(&address))
        };
        let mut incoming = self.client.send_once(&call)?;
        if incoming.status.is_success() { Ok(()) } else { Err(call.refused(&mut incoming)) }
    }

    fn open(&self) -> Result<File, Error> {
        let missing = || Error::MissingLayer { what: self.what.to_owned(), digest: self.blob.digest };
        self.store.open_blob(&self.blob.digest)?.ok_or_else(missing)
    }

    fn watch(&self, done: u64) -> io::Result<()> {
        self.halt.check().map_err(io::Error::other)?;
        let (digest, direction) = (self.blob.digest, Direction::Up);
        (self.events)(Event::Moved { digest, direction, done, total: self.blob.size });
        Ok(())
    }

    fn unexpected(&self, problem: &str) -> Error {
        let (host, doing) = (self.to.host.clone(), format!("pushing `{}`", self.what));
        Error::Unexpected { host, doing, problem: problem.to_owned() }
    }
}

/// What asking for a mount came to.
enum Mounting {
    Mounted(Repository),
    Begun(Session),
    NoSource,
}

/// Whether a failure may be one of the upload itself, so that another one, or smaller requests, may do.
fn refuses_upload(error: &Error) -> bool {
    match error {
        Error::NotFound { .. } => true,
        Error::Unexpected { problem, .. } => {
            ["400", "405", "411", "413", "416"].iter().any(|status| problem.starts_with(&format!("status {status}")))
        }
        _ => false,
    }
}
