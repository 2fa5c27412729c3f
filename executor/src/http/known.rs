//! [`Known`]: what the store knows of the file at an address: what it was, and how to ask whether it still is.

use layercake_cache::{Digest, Error as StoreError, Store};
use serde::{Deserialize, Serialize};
use ureq::http::header::{DATE, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use ureq::http::{HeaderMap, HeaderValue};

use super::address::Address;
use super::time;
use crate::registry::transport::Incoming;

/// The shelf of the store on which this is kept, by address.
const SHELF: &str = "http";

/// What the file at an address was when it was last fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Known {
    /// Its content.
    pub(super) digest: Digest,
    /// How to ask whether it has changed.
    pub(super) validator: Validator,
}

/// What a server said by which a file can be told from its other versions. At least one of the two is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Validator {
    /// `ETag`, as it was sent.
    etag: Option<String>,
    /// `Last-Modified`, as it was sent.
    modified: Option<String>,
}

impl Known {
    /// What is known of the file; nothing if what is kept cannot be read.
    pub(super) fn load(store: &Store, address: &Address) -> Result<Option<Self>, StoreError> {
        let kept = store.named(SHELF, address.text())?;
        Ok(kept.and_then(|kept| serde_json::from_slice(&kept).ok()))
    }

    /// Keeps what has been learned of the file, or forgets what is no longer so.
    pub(super) fn save(
        store: &Store,
        address: &Address,
        digest: Digest,
        validator: Option<Validator>,
    ) -> Result<(), StoreError> {
        // Without a validator it can be used where nobody may be asked.
        let validator = validator.unwrap_or(Validator { etag: None, modified: None });
        let kept = serde_json::to_vec(&Self { digest, validator }).expect("texts are always JSON");
        store.put_named(SHELF, address.text(), &kept)
    }
}

impl Validator {
    /// What an answer says. A date counts only if the file had been at rest for a second when it was sent: two changes
    /// within one second have the same date (RFC 9110, 8.8.2.2).
    pub(super) fn of(incoming: &Incoming) -> Option<Self> {
        let etag = incoming.header(ETAG).filter(|etag| !etag.is_empty()).map(str::to_owned);
        let now = || jiff::Timestamp::now().as_second();
        let sent = incoming.header(DATE).and_then(time::parse).unwrap_or_else(now);
        let at_rest = |modified: &&str| time::parse(modified).is_some_and(|modified| modified < sent);
        let modified = incoming.header(LAST_MODIFIED).filter(at_rest).map(str::to_owned);
        (etag.is_some() || modified.is_some()).then_some(Self { etag, modified })
    }

    /// Makes of a request a question whether the file has changed.
    pub(super) fn ask(&self, headers: &mut HeaderMap) {
        // A server that knows both goes by the first (RFC 9110, 13.2.2).
        for (name, text) in [(IF_NONE_MATCH, &self.etag), (IF_MODIFIED_SINCE, &self.modified)] {
            headers.extend(text.as_ref().and_then(|text| HeaderValue::from_str(text).ok()).map(|value| (name, value)));
        }
    }

    /// Whether the server can be asked at all.
    pub(super) fn is_of_use(&self) -> bool {
        self.etag.is_some() || self.modified.is_some()
    }

    /// What says that the rest of a file belongs to its beginning: a weak tag says no such thing (RFC 9110, 13.1.5).
    pub(super) fn strong(&self) -> Option<HeaderValue> {
        let text = match &self.etag {
            Some(etag) if !etag.starts_with("W/") => etag,
            Some(_) => return None,
            None => self.modified.as_ref()?,
        };
        HeaderValue::from_str(text).ok()
    }

    /// Whether two files are the same by their tags, weak or not. Some servers send tags, and the file all the same
    /// when they are asked whether it has changed.
    pub(super) fn same_tag(&self, other: &Self) -> bool {
        let opaque = |etag: &Option<String>| etag.as_deref().map(|etag| etag.trim_start_matches("W/").to_owned());
        self.etag.is_some() && opaque(&self.etag) == opaque(&other.etag)
    }
}
