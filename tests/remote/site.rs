//! [`Resource`]: a file as a good server has it, which knows its versions and sends parts.

use std::sync::{Arc, Mutex};

use crate::support::http::{Reply, Request, Server};

/// The date that [`Resource::dated`] files have: in seconds since 1970, and as a server says it.
pub(crate) const DATE: (u64, &str) = (1_577_934_245, "Thu, 02 Jan 2020 03:04:05 GMT");

/// A file on a server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resource {
    pub(crate) body: Vec<u8>,
    pub(crate) etag: Option<String>,
    pub(crate) modified: Option<String>,
}

impl Resource {
    pub(crate) fn new(body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..Self::default() }
    }

    pub(crate) fn tagged(mut self, etag: &str) -> Self {
        self.etag = Some(etag.to_owned());
        self
    }

    pub(crate) fn dated(mut self) -> Self {
        self.modified = Some(DATE.1.to_owned());
        self
    }

    /// The answer to a request for it.
    pub(crate) fn answer(&self, request: &Request) -> Reply {
        let same = |header: &str, own: &Option<String>| own.is_some() && request.header(header) == own.as_deref();
        let tags = |mut reply: Reply| {
            for (name, value) in [("ETag", &self.etag), ("Last-Modified", &self.modified)] {
                if let Some(value) = value {
                    reply = reply.header(name, value);
                }
            }
            reply
        };
        let unchanged = match request.header("if-none-match") {
            Some(_) => same("if-none-match", &self.etag),
            None => same("if-modified-since", &self.modified),
        };
        if unchanged {
            return tags(Reply::status(304));
        }
        let range =
            request.header("range").filter(|_| same("if-range", &self.etag) || same("if-range", &self.modified));
        let start = range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
        match start.filter(|start| *start < self.body.len()) {
            None => tags(Reply::ok(self.body.clone())),
            Some(start) => {
                let (last, all) = (self.body.len() - 1, self.body.len());
                let reply = Reply { status: 206, ..Reply::ok(&self.body[start..]) };
                tags(reply.header("Content-Range", format!("bytes {start}-{last}/{all}")))
            }
        }
    }

    /// A server that has it, whatever it is asked for.
    pub(crate) fn serve(self) -> Server {
        Server::start(move |request| self.answer(request))
    }
}

/// A server whose file can be replaced.
pub(crate) fn replaceable(resource: Resource) -> (Server, Arc<Mutex<Resource>>) {
    let resource = Arc::new(Mutex::new(resource));
    let served = resource.clone();
    (Server::start(move |request| served.lock().unwrap().answer(request)), resource)
}
