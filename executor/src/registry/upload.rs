//! One blob from the store to a registry: found there, taken from another of its repositories, or sent.
//!
//! Source: distribution-spec, "Pushing blobs".

use std::fs::File;
use std::io;

use layercake_cache::Store;
use ureq::http::header::{CONTENT_RANGE, CONTENT_TYPE, LOCATION};
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
struct Session {
    address: Uri,
    chunk: u64,
}

impl Upload<'_> {
    /// Sees to it that the registry has the blob.
    pub(crate) fn run(&self) -> Result<(), Error> {
        let mut attempts = Attempts::new(&self.client.settings, self.events);
        let mut manner = Manner::Whole;
        let how = loop {
            self.halt.check()?;
            match self.once(manner) {
                Ok(how) => break how,
                Err(error) => {
                    // The sender fails when its work is to end; that is no failure of the registry's.
                    self.halt.check()?;
                    let refused = refuses_whole(&error) && manner == Manner::Whole;
                    manner = Manner::Chunks;
                    if !refused {
                        attempts.failed(error)?;
                    }
                }
            }
        };
        sources::remember(self.store, &self.blob.digest, self.to)?;
        (self.events)(Event::Finished { digest: self.blob.digest, direction: Direction::Up, how });
        Ok(())
    }

    fn once(&self, manner: Manner) -> Result<How, Error> {
        if self.is_there()? {
            return Ok(How::Present);
        }
        let session = match self.mount()? {
            Mounting::Mounted(from) => return Ok(How::Mounted(from)),
            Mounting::Begun(session) => Some(session),
            Mounting::NoSource => None,
        };
        if !self.store.has_blob(&self.blob.digest) {
            // Nothing has needed it until now.
            self.client.fetch_known_blob(self.store, self.what, self.blob, self.events, self.halt)?;
        }
        let session = match session {
            Some(session) => session,
            None => self.begin()?,
        };
        match manner {
            Manner::Whole => self.send_whole(&session)?,
            Manner::Chunks => self.send_chunks(session)?,
        }
        Ok(How::Moved)
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
        Ok(self.client.send_once(&self.call(Method::HEAD, Target::Path(&path)))?.status == StatusCode::OK)
    }

    /// Asks the registry to take the blob from another of its repositories, where one is known to have it.
    fn mount(&self) -> Result<Mounting, Error> {
        let known = sources::known(self.store, &self.blob.digest)?;
        let mut session = None;
        for from in known.into_iter().filter(|from| from.host == self.to.host && from.path != self.to.path) {
            let path =
                format!("blobs/uploads/?mount={}&from={}", encode(&self.blob.digest.to_string()), encode(&from.path));
            let call = Call { also: Some(&from), ..self.call(Method::POST, Target::Path(&path)) };
            match self.client.send_once(&call) {
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
        let mut incoming = self.client.send_once(&call)?;
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

    fn send_chunks(&self, mut session: Session) -> Result<(), Error> {
        let file = self.open()?;
        let watch = |done| self.watch(done);
        let mut start = 0;
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

/// Whether a failure may be one of the size of the request.
fn refuses_whole(error: &Error) -> bool {
    match error {
        Error::Unexpected { problem, .. } => ["status 400", "status 405", "status 411", "status 413", "status 416"]
            .iter()
            .any(|status| problem.starts_with(status)),
        _ => false,
    }
}
