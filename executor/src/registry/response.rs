//! Reading answers: documents up to a length, and the words of a registry that says no.
//!
//! Source: distribution-spec, "Error Codes".

use std::io::Read;
use std::time::{Duration, SystemTime};

use serde::Deserialize;
use ureq::http::StatusCode;
use ureq::http::header::RETRY_AFTER;

use crate::image::document::LIMIT;
use crate::registry::error::{Allowance, Error};
use crate::registry::transport::{Incoming, server};

/// The most bytes of a refusal that are read.
const REFUSAL: u64 = 64 << 10;

#[derive(Deserialize)]
struct Refusal {
    errors: Vec<Reason>,
}

#[derive(Deserialize)]
struct Reason {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

/// Reads a document; `what` names it.
pub(crate) fn document(incoming: &mut Incoming, what: &str) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let host = server(&incoming.uri);
    incoming.body.as_reader().take(LIMIT + 1).read_to_end(&mut bytes).map_err(|error| Error::Broken {
        host: host.clone(),
        doing: format!("fetching `{what}`"),
        why: error.to_string(),
    })?;
    if bytes.len() as u64 > LIMIT { Err(Error::TooLong { host, what: what.to_owned() }) } else { Ok(bytes) }
}

/// The registry's words for why not, on one line; empty if it has none.
pub(crate) fn words(incoming: &mut Incoming) -> String {
    let mut bytes = Vec::new();
    // Half a message is as good as none.
    let _ = incoming.body.as_reader().take(REFUSAL).read_to_end(&mut bytes);
    let Ok(refusal) = serde_json::from_slice::<Refusal>(&bytes) else { return String::new() };
    let reason = |reason: &Reason| match (reason.message.trim(), reason.code.as_str()) {
        ("", code) => code.to_ascii_lowercase().replace('_', " "),
        (message, _) => message.to_owned(),
    };
    let words = refusal.errors.iter().map(reason).filter(|words| !words.is_empty()).collect::<Vec<_>>().join("; ");
    // What a server sends ends on a terminal.
    words.chars().filter(|c| !c.is_control()).take(300).collect()
}

/// How long the server wants to be left alone, in seconds or up to a date.
pub(crate) fn retry_after(incoming: &Incoming) -> Option<Duration> {
    let value = incoming.header(RETRY_AFTER)?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let then = jiff::fmt::rfc2822::parse(value).ok()?.timestamp();
    Some(SystemTime::from(then).duration_since(SystemTime::now()).unwrap_or_default())
}

/// What the server allows: `ratelimit-limit: 100;w=21600` is a hundred requests in six hours.
///
/// Source: Docker Hub's "Pull usage and limits".
fn allowance(incoming: &Incoming) -> Option<Allowance> {
    let mut parts = incoming.header("ratelimit-limit")?.split(';').map(str::trim);
    let requests = parts.next()?.parse().ok()?;
    let window = parts.find_map(|part| part.strip_prefix("w=")).and_then(|seconds| seconds.parse().ok());
    Some(Allowance { requests, window: window.map(Duration::from_secs) })
}

/// What an answer means that is neither what was hoped for nor about credentials. `host` is the registry, `what` what was
/// asked for, `doing` the deed.
pub(crate) fn refusal(incoming: &mut Incoming, host: &str, what: &str, doing: &str) -> Error {
    let (host, what, doing) = (host.to_owned(), what.to_owned(), doing.to_owned());
    let status = incoming.status;
    let message = words(incoming);
    match status {
        StatusCode::NOT_FOUND => Error::NotFound { host, what, message },
        StatusCode::FORBIDDEN => Error::Forbidden { host, what, message },
        StatusCode::TOO_MANY_REQUESTS => Error::RateLimited {
            host,
            after: retry_after(incoming),
            allowance: allowance(incoming).map(Box::new),
            message,
        },
        status if status.is_server_error() => {
            Error::Server { host, status: status.as_u16(), after: retry_after(incoming), doing, message }
        }
        status => {
            let separator = if message.is_empty() { "" } else { ": " };
            Error::Unexpected { host, doing, problem: format!("status {}{separator}{message}", status.as_u16()) }
        }
    }
}
