//! Pushing: blobs first, then manifests, and the one that gets the name last.

use std::collections::{HashMap, HashSet};

use layercake_cache::{Digest, Store};
use ureq::http::header::CONTENT_TYPE;
use ureq::http::{Method, StatusCode};

use crate::image::descriptor::Descriptor;
use crate::image::document::{Document, DocumentError, Problem, stored};
use crate::image::error::Error as ImageError;
use crate::image::manifest::Index;
use crate::image::reference::Reference;
use crate::image::save::json;
use crate::image::select::{DEPTH, images};
use crate::registry::auth::Access;
use crate::registry::client::{Call, Client, Target};
use crate::registry::error::Error;
use crate::registry::event::Events;
use crate::registry::parallel;
use crate::registry::pull::CONTENT_DIGEST;
use crate::registry::repository::Repository;
use crate::registry::retry::Attempts;
use crate::registry::transport::{Content, headers};
use crate::registry::upload::Upload;

/// What a push has to send.
#[derive(Default)]
struct Cargo {
    blobs: Vec<Descriptor>,
    /// Each after those it refers to.
    manifests: Vec<(Descriptor, Vec<u8>)>,
    /// What the documents that have been looked at have become: one that is listed often is looked at once.
    seen: HashMap<Digest, Option<Descriptor>>,
}

impl Client {
    /// Sends an image, or an index of images, to the registry under the name `to`; says its digest there. Blobs that the
    /// registry has are not sent. Of an index, images whose documents are not in the store are left out, and the digest
    /// is then another: of the one image that is left, or of a shorter index. A layer that was never fetched is fetched
    /// first, unless the registry can take it from where it came from.
    ///
    /// # Errors
    /// If a part of it cannot be found, or the registry does not take it. The name is given last.
    pub fn push(&self, store: &Store, image: &Descriptor, to: &Reference, events: Events<'_>) -> Result<Digest, Error> {
        let what = to.familiar();
        let mut cargo = Cargo::default();
        let absent = || {
            let digest = image.digest;
            Error::Image(ImageError::Incomplete { image: what.clone(), what: "manifest", digest })
        };
        let top = cargo.add(store, image, &what, 0)?.ok_or_else(absent)?;
        if let Some(expected) = to.digest().filter(|digest| **digest != top.digest) {
            return Err(Error::OtherDigest { what, expected: *expected, found: top.digest });
        }
        let repository = Repository::from(to);
        let mut seen = HashSet::new();
        cargo.blobs.retain(|blob| seen.insert(blob.digest));
        parallel::each(&cargo.blobs, self.settings.parallel, |blob, halt| {
            Upload { client: self, store, to: &repository, blob, what: &what, events, halt }.run()
        })?;
        for (descriptor, bytes) in &cargo.manifests {
            let name = match to.tag().filter(|_| descriptor.digest == top.digest) {
                Some(tag) => tag.to_owned(),
                None => descriptor.digest.to_string(),
            };
            self.put_manifest(&repository, descriptor, bytes, &name, &what, events)?;
        }
        Ok(top.digest)
    }

    fn put_manifest(
        &self,
        repository: &Repository,
        descriptor: &Descriptor,
        bytes: &[u8],
        name: &str,
        what: &str,
        events: Events<'_>,
    ) -> Result<(), Error> {
        let path = format!("manifests/{name}");
        let call = Call {
            repository,
            method: Method::PUT,
            target: Target::Path(&path),
            headers: headers(&[(CONTENT_TYPE, &descriptor.media_type.to_string())]),
            body: Content::Bytes(bytes),
            access: Access::Push,
            also: None,
            what,
            doing: "pushing",
        };
        let mut attempts = Attempts::new(&self.settings, events);
        let mut doubted = false;
        loop {
            match self.put_manifest_once(&call, &descriptor.digest) {
                Ok(()) => return Ok(()),
                // It may have been damaged on the way, or the registry does not know yet what it has just been sent.
                Err(Error::Unexpected { problem, .. }) if problem.starts_with("status 400") && !doubted => {
                    doubted = true;
                }
                // What has changed on the way is put in its place by the next attempt.
                Err(error) => attempts.failed(error)?,
            }
        }
    }

    fn put_manifest_once(&self, call: &Call<'_>, digest: &Digest) -> Result<(), Error> {
        let mut incoming = self.send_once(call)?;
        if !matches!(
            incoming.status,
            StatusCode::CREATED | StatusCode::OK | StatusCode::ACCEPTED | StatusCode::NO_CONTENT
        ) {
            return Err(call.refused(&mut incoming));
        }
        // A registry that changes a manifest makes another image of it.
        match incoming.header(CONTENT_DIGEST).and_then(|text| text.parse::<Digest>().ok()) {
            Some(found) if found != *digest => {
                let (host, what) = (call.repository.host.clone(), call.what.to_owned());
                Err(Error::WrongDigest { host, what, expected: *digest, found })
            }
            _ => Ok(()),
        }
    }
}

impl Cargo {
    /// Adds what `descriptor` leads to; says under which descriptor, or nothing if it is not in the store.
    fn add(
        &mut self,
        store: &Store,
        descriptor: &Descriptor,
        what: &str,
        depth: usize,
    ) -> Result<Option<Descriptor>, Error> {
        if let Some(known) = self.seen.get(&descriptor.digest) {
            return Ok(known.clone());
        }
        let added = self.add_new(store, descriptor, what, depth)?;
        self.seen.insert(descriptor.digest, added.clone());
        Ok(added)
    }

    fn add_new(
        &mut self,
        store: &Store,
        descriptor: &Descriptor,
        what: &str,
        depth: usize,
    ) -> Result<Option<Descriptor>, Error> {
        let unusable = |problem| Error::Document { what: what.to_owned(), problem };
        if depth > DEPTH {
            return Err(unusable(DocumentError { digest: descriptor.digest, problem: Problem::TooDeep(DEPTH) }));
        }
        let Some(bytes) = stored(store, &descriptor.digest)? else { return Ok(None) };
        let (media_type, document) = Document::parse(&bytes, Some(&descriptor.media_type)).map_err(unusable)?;
        match document {
            Document::Manifest(manifest) => {
                if !store.has_blob(&manifest.config.digest) {
                    return Ok(None);
                }
                self.blobs.extend(manifest.blobs().cloned());
                let descriptor = Descriptor { media_type, ..descriptor.clone() };
                self.manifests.push((descriptor.clone(), bytes));
                Ok(Some(descriptor))
            }
            Document::Index(index) => {
                let mut here = Vec::new();
                for entry in &index.manifests {
                    if let Some(added) = self.add(store, entry, what, depth + 1)? {
                        // An index within this one may have become a shorter one.
                        let Descriptor { digest, size, media_type, .. } = added;
                        here.push(Descriptor { digest, size, media_type, ..entry.clone() });
                    }
                }
                let digests = |list: &[Descriptor]| list.iter().map(|entry| entry.digest).collect::<Vec<_>>();
                let whole = digests(&here) == digests(&index.manifests);
                let reduced = Index { manifests: here, ..*index };
                match images(&reduced).collect::<Vec<_>>().as_slice() {
                    _ if whole => Ok(Some(self.push(Descriptor { media_type, ..descriptor.clone() }, bytes))),
                    [] => Ok(None),
                    [only] if reduced.manifests.len() == 1 => Ok(Some((*only).clone())),
                    _ => {
                        let bytes = json(&reduced);
                        Ok(Some(self.push(Descriptor::of(media_type, &bytes), bytes)))
                    }
                }
            }
        }
    }

    fn push(&mut self, descriptor: Descriptor, bytes: Vec<u8>) -> Descriptor {
        self.manifests.push((descriptor.clone(), bytes));
        descriptor
    }
}
