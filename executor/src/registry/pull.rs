//! Pulling: an image's documents, and apart from them its layers.

use std::collections::HashSet;

use layercake_cache::{Digest, Error as StoreError, KeyHasher, Store};
use layercake_compiler::platform::Platform;
use ureq::http::header::{ACCEPT, CONTENT_TYPE};
use ureq::http::{HeaderMap, Method, StatusCode};

use crate::image::descriptor::Descriptor;
use crate::image::document::{Document, DocumentError, LIMIT, stored};
use crate::image::local::{Images, LocalImage};
use crate::image::media::{Family, MediaType};
use crate::image::reference::Reference;
use crate::image::select::{Selection, select};
use crate::registry::auth::Access;
use crate::registry::client::{Call, Client, Target};
use crate::registry::download::Download;
use crate::registry::error::Error;
use crate::registry::event::{Direction, Event, Events, How};
use crate::registry::parallel::{self, Halt};
use crate::registry::repository::Repository;
use crate::registry::response::document;
use crate::registry::retry::Attempts;
use crate::registry::routes::Asked;
use crate::registry::sources;
use crate::registry::transport::{Content, headers};

impl Client {
    /// Brings an image's documents into the store: what `reference` leads to, the manifest for `platform` and the
    /// configuration. Layers are not fetched, and the local name is not changed. Documents that are in the store already
    /// are not fetched again; a reference with a digest whose documents are all there needs no network.
    ///
    /// # Errors
    /// If there is no such image or none for the platform, or if it cannot be had or stored.
    pub fn resolve(
        &self,
        store: &Store,
        reference: &Reference,
        platform: &Platform,
        events: Events<'_>,
    ) -> Result<LocalImage, Error> {
        self.anywhere(&Repository::from(reference), asked(reference), events, |place| {
            Resolving { client: self, store, place, reference, events }.run(platform)
        })
    }

    /// Whether the repository of a reference has the image or index that the reference names. A store says nothing about that:
    /// it finds what it has by its digest, wherever it came from.
    ///
    /// # Errors
    /// If the registry cannot be asked.
    pub fn has(&self, reference: &Reference, events: Events<'_>) -> Result<bool, Error> {
        let name = reference.digest().map_or_else(|| reference.tag().unwrap_or("latest").to_owned(), Digest::to_string);
        let (path, what) = (format!("manifests/{name}"), reference.familiar());
        let found = self.anywhere(&Repository::from(reference), asked(reference), events, |place| {
            let call = call(place, Method::HEAD, &path, &what);
            let mut incoming = self.send(&call, events)?;
            if incoming.status == StatusCode::OK { Ok(()) } else { Err(call.refused(&mut incoming)) }
        });
        match found {
            Ok(()) => Ok(true),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Brings blobs into the store that an image of `reference`'s repository has. Those that are there are not fetched.
    ///
    /// # Errors
    /// If one of them cannot be had or stored. Those that came before it stay.
    pub fn fetch_layers(
        &self,
        store: &Store,
        reference: &Reference,
        layers: &[Descriptor],
        events: Events<'_>,
    ) -> Result<(), Error> {
        let mut seen = HashSet::new();
        let unique: Vec<&Descriptor> = layers.iter().filter(|layer| seen.insert(layer.digest)).collect();
        let repository = Repository::from(reference);
        parallel::each(&unique, self.settings.parallel, |layer, halt| {
            self.fetch_blob(store, &repository, layer, events, halt)
        })
    }

    /// Brings layers into the store from wherever they are known to be. The name of an image that was made here, `what`,
    /// says nothing about where its base came from.
    ///
    /// # Errors
    /// If one of them cannot be had or stored. Those that came before it stay.
    pub fn fetch_known(
        &self,
        store: &Store,
        what: &str,
        layers: &[Descriptor],
        events: Events<'_>,
    ) -> Result<(), Error> {
        parallel::each(layers, self.settings.parallel, |layer, halt| {
            self.fetch_known_blob(store, what, layer, events, halt)
        })
    }

    /// Brings a whole image into the store and gives it its name there.
    ///
    /// # Errors
    /// As [`Client::resolve`] and [`Client::fetch_layers`]. The name is given last.
    pub fn pull(
        &self,
        store: &Store,
        reference: &Reference,
        platform: &Platform,
        events: Events<'_>,
    ) -> Result<LocalImage, Error> {
        let image = self.resolve(store, reference, platform, events)?;
        self.fetch_layers(store, reference, &image.manifest.layers, events)?;
        Images::new(store).tag(reference, &image.descriptor)?;
        Ok(image)
    }

    /// Brings one blob into the store from a repository that is known to have had it.
    pub(crate) fn fetch_known_blob(
        &self,
        store: &Store,
        what: &str,
        blob: &Descriptor,
        events: Events<'_>,
        halt: &Halt,
    ) -> Result<(), Error> {
        let mut result = Err(Error::MissingLayer { what: what.to_owned(), digest: blob.digest });
        for from in sources::known(store, &blob.digest)? {
            result = self.fetch_blob(store, &from, blob, events, halt);
            if result.is_ok() {
                break;
            }
        }
        result
    }

    /// Brings one blob into the store. Of several that want the same one, also in other processes, one fetches it.
    pub(crate) fn fetch_blob(
        &self,
        store: &Store,
        repository: &Repository,
        blob: &Descriptor,
        events: Events<'_>,
        halt: &Halt,
    ) -> Result<(), Error> {
        let present = || store.has_blob(&blob.digest);
        let key = KeyHasher::new("layercake download of a blob 1").field(blob.digest.as_bytes()).finish();
        let claim = if present() { None } else { Some(store.claim(&key)?) };
        if present() {
            drop(claim);
            events(Event::Finished { digest: blob.digest, direction: Direction::Down, how: How::Present });
            return Ok(());
        }
        self.anywhere(repository, Asked::ByDigest, events, |from| {
            Download { client: self, store, from, blob, events, halt }.run()?;
            Ok(sources::remember(store, &blob.digest, from)?)
        })
    }

    /// Tries the mirrors of a repository, then itself.
    fn anywhere<T>(
        &self,
        repository: &Repository,
        asked: Asked,
        events: Events<'_>,
        attempt: impl Fn(&Repository) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let places = self.routes.places(repository, asked)?;
        let (own, mirrors) = places.split_last().expect("the repository itself is one of the places");
        for mirror in mirrors {
            // A mirror that is not there is waited for once, not for every blob.
            if self.is_lost(mirror) {
                continue;
            }
            match attempt(mirror) {
                Err(error) if is_the_places(&error) => {
                    if let Error::Unreachable { .. } = error {
                        self.lose(mirror);
                    }
                    events(Event::MirrorFailed { mirror: mirror.clone(), reason: error.to_string() });
                }
                result => return result,
            }
        }
        attempt(own)
    }
}

fn asked(reference: &Reference) -> Asked {
    if reference.digest().is_some() { Asked::ByDigest } else { Asked::ByTag }
}

/// Whether a failure may be another at another place: not a full disk.
fn is_the_places(error: &Error) -> bool {
    !matches!(
        error,
        Error::Full(_)
            | Error::Store(_)
            | Error::Image(_)
            | Error::Stopped
            | Error::Credentials(_)
            | Error::File { .. }
            | Error::Setting { .. }
    )
}

/// The way from a name to an image's documents, at one place.
struct Resolving<'a> {
    client: &'a Client,
    store: &'a Store,
    place: &'a Repository,
    reference: &'a Reference,
    events: Events<'a>,
}

/// A document that came, or an error of its own form that [`select`] can make of a document.
enum Trouble {
    Registry(Error),
    Document(DocumentError),
}

impl From<DocumentError> for Trouble {
    fn from(error: DocumentError) -> Self {
        Self::Document(error)
    }
}

impl Resolving<'_> {
    fn run(&self, platform: &Platform) -> Result<LocalImage, Error> {
        let what = self.reference.familiar();
        let top = self.top()?;
        let mut read = |descriptor: &Descriptor| self.read(descriptor).map(Some).map_err(Trouble::Registry);
        let found = match select(&top, platform, &mut read) {
            Ok(Selection::Found(found)) => *found,
            Ok(Selection::NotFor(available)) => {
                return Err(Error::NotFor { what, platform: Box::new(platform.clone()), available });
            }
            Ok(Selection::Absent(digest)) => {
                let message = format!("`{digest}` is missing");
                return Err(Error::NotFound { host: self.place.host.clone(), what, message });
            }
            Err(Trouble::Registry(error)) => return Err(error),
            Err(Trouble::Document(problem)) => return Err(Error::Document { what, problem }),
        };
        for layer in &found.manifest.layers {
            sources::remember(self.store, &layer.digest, self.place)?;
        }
        Ok(LocalImage {
            reference: Some(self.reference.clone()),
            descriptor: top,
            manifest_digest: found.descriptor.digest,
            manifest: found.manifest,
            config: found.config,
        })
    }

    /// What the name leads to. For a tag, the digest is asked for first: that costs nothing where fetching counts
    /// against a limit, and it is often all that is needed.
    fn top(&self) -> Result<Descriptor, Error> {
        let digest = match self.reference.digest() {
            Some(digest) => Some(*digest),
            None => self.tagged_digest()?,
        };
        if let Some(digest) = digest
            && let Some(bytes) = self.stored(&digest)?
            && let Ok((media_type, _)) = Document::parse(&bytes, None)
        {
            return Ok(Descriptor::new(media_type, digest, bytes.len() as u64));
        }
        let name = match self.reference.digest() {
            Some(digest) => digest.to_string(),
            None => self.reference.tag().unwrap_or("latest").to_owned(),
        };
        let (bytes, declared) = self.fetch(&format!("manifests/{name}"), self.reference.digest(), None)?;
        let (media_type, _) = Document::parse(&bytes, declared.as_ref())
            .map_err(|problem| Error::Document { what: self.reference.familiar(), problem })?;
        let digest = self.store.put_blob(&bytes)?;
        Ok(Descriptor::new(media_type, digest, bytes.len() as u64))
    }

    /// What the registry says is the digest behind the tag, if it says so.
    fn tagged_digest(&self) -> Result<Option<Digest>, Error> {
        let path = format!("manifests/{}", self.reference.tag().unwrap_or("latest"));
        let what = self.reference.familiar();
        let incoming = self.client.send(&self.call(Method::HEAD, &path, &what), self.events)?;
        Ok(incoming
            .header(CONTENT_DIGEST)
            .filter(|_| incoming.status == StatusCode::OK)
            .and_then(|text| text.parse().ok()))
    }

    /// A document's bytes, from the store or the registry.
    fn read(&self, descriptor: &Descriptor) -> Result<Vec<u8>, Error> {
        if let Some(bytes) = self.stored(&descriptor.digest)? {
            return Ok(bytes);
        }
        if descriptor.size > LIMIT {
            let what = format!("{}@{}", self.reference.familiar_name(), descriptor.digest);
            return Err(Error::TooLong { host: self.place.host.clone(), what });
        }
        let kind = match &descriptor.media_type {
            MediaType::Index(_) | MediaType::Manifest(_) => "manifests",
            _ => "blobs",
        };
        let path = format!("{kind}/{}", descriptor.digest);
        let (bytes, _) = self.fetch(&path, Some(&descriptor.digest), Some(descriptor.size))?;
        self.store.put_blob(&bytes)?;
        Ok(bytes)
    }

    fn stored(&self, digest: &Digest) -> Result<Option<Vec<u8>>, Error> {
        match stored(self.store, digest) {
            // A damaged document is fetched again. It has to go, because what is there is not written again.
            Err(StoreError::Digest { .. }) => {
                // If it cannot be removed, the next use says so.
                let _ = std::fs::remove_file(self.store.blob_path(digest));
                Ok(None)
            }
            result => Ok(result?),
        }
    }

    /// Fetches a document and checks it; says what the registry says it is.
    fn fetch(
        &self,
        path: &str,
        expected: Option<&Digest>,
        size: Option<u64>,
    ) -> Result<(Vec<u8>, Option<MediaType>), Error> {
        let what = match path.split_once('/') {
            Some((_, digest)) if digest.contains(':') => format!("{}@{digest}", self.reference.familiar_name()),
            _ => self.reference.familiar(),
        };
        let call = self.call(Method::GET, path, &what);
        let mut attempts = Attempts::new(&self.client.settings, self.events);
        loop {
            match self.fetch_once(&call, expected, size) {
                Ok(answer) => return Ok(answer),
                Err(error) => attempts.failed(error)?,
            }
        }
    }

    fn fetch_once(
        &self,
        call: &Call<'_>,
        expected: Option<&Digest>,
        size: Option<u64>,
    ) -> Result<(Vec<u8>, Option<MediaType>), Error> {
        let mut incoming = self.client.send_once(call)?;
        if incoming.status != StatusCode::OK {
            return Err(call.refused(&mut incoming));
        }
        let declared = incoming.header(CONTENT_TYPE).map(|text| MediaType::from(text.to_owned()));
        let promised = incoming.header(CONTENT_DIGEST).and_then(|text| text.parse().ok());
        let bytes = document(&mut incoming, call.what)?;
        let (found, host) = (Digest::of(&bytes), || self.place.host.clone());
        if let Some(expected) = expected.copied().or(promised).filter(|expected| *expected != found) {
            return Err(Error::WrongDigest { host: host(), what: call.what.to_owned(), expected, found });
        }
        match size.filter(|size| *size != bytes.len() as u64) {
            Some(expected) => {
                Err(Error::WrongSize { host: host(), digest: found, expected, found: bytes.len() as u64 })
            }
            None => Ok((bytes, declared)),
        }
    }

    fn call<'a>(&'a self, method: Method, path: &'a str, what: &'a str) -> Call<'a> {
        call(self.place, method, path, what)
    }
}

/// A question for something of a repository.
fn call<'a>(place: &'a Repository, method: Method, path: &'a str, what: &'a str) -> Call<'a> {
    Call {
        repository: place,
        method,
        target: Target::Path(path),
        headers: if path.starts_with("manifests/") { acceptable() } else { HeaderMap::new() },
        body: Content::None,
        access: Access::Pull,
        also: None,
        what,
        doing: "fetching",
    }
}

/// The header by which registries tell digests.
pub(crate) const CONTENT_DIGEST: &str = "docker-content-digest";

/// Every type that can be used, in one header: some registries only read the first.
fn acceptable() -> HeaderMap {
    let families = [Family::Oci, Family::Docker];
    let types = families.iter().flat_map(|family| [MediaType::Index(*family), MediaType::Manifest(*family)]);
    let list: Vec<String> = types.map(|media_type| media_type.to_string()).collect();
    headers(&[(ACCEPT, &list.join(", "))])
}
