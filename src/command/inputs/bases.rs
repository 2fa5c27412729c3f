//! Base images: from the store, or from their registry, side by side.

mod locked;

use std::thread;

use layercake_cache::Store;
use layercake_compiler::{BaseImage, BaseRequest, Bases};
use layercake_executor::build::site;
use layercake_executor::image::local::{Images, LocalImage};
use layercake_executor::image::pick::LayoutReference;
use layercake_executor::image::reference::Reference;
use layercake_executor::registry::client::Client;
use layercake_executor::registry::event;

use super::Inputs;
use super::context::OCI_LAYOUT;
use crate::arguments::inputs as arguments;
use crate::command::lock::LockFile;
use crate::command::registry::client_unless;
use crate::failure::Failure;
use crate::settings::Settings;
use crate::terminal::paint::Paint;
use crate::terminal::{diagnostic, output};

/// Finds out about base images.
pub struct Resolver {
    /// Where they may be already.
    pub store: Store,
    /// Where else they may be; `None` is nowhere.
    pub client: Option<Client>,
    /// Whether those in the store are good enough.
    freshness: Freshness,
}

/// Whether images in the store are good enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Freshness {
    /// They are.
    AsStored,
    /// The registry is asked.
    Newest,
}

/// What has been found out, for the compiler and for the executor.
#[derive(Default)]
pub(super) struct Known {
    pub(super) for_compiler: Bases,
    pub(super) for_executor: site::Bases,
}

impl Resolver {
    /// Looks where these arguments and settings allow to look.
    ///
    /// # Errors
    /// If the store cannot be opened.
    pub fn open(arguments: &arguments::Inputs, settings: &Settings) -> Result<Self, Failure> {
        Ok(Self {
            store: super::open_store(settings)?,
            client: client_unless(arguments.offline, settings),
            freshness: if arguments.pull { Freshness::Newest } else { Freshness::AsStored },
        })
    }

    /// Finds out about the images that the compiler asks for.
    pub(super) fn resolve(
        &self,
        requests: &[BaseRequest],
        inputs: &Inputs,
        known: &mut Known,
        paint: Paint,
    ) -> Result<(), Failure> {
        if let Some(lock) = &inputs.lock {
            lock.check_images(requests, &inputs.parsed)?;
        }
        let one = |request| self.one(request, inputs.lock.as_ref());
        let found: Vec<Result<LocalImage, Failure>> = match requests {
            [request] => vec![one(request)],
            requests => thread::scope(|scope| {
                let threads: Vec<_> = requests.iter().map(|request| scope.spawn(|| one(request))).collect();
                threads.into_iter().map(|thread| thread.join().expect("a thread that panics is a bug")).collect()
            }),
        };
        for (request, image) in requests.iter().zip(found) {
            let image = image.map_err(|failure| place(&failure, request, inputs, paint))?;
            let base = BaseImage {
                digest: Some(image.manifest_digest.to_string()),
                platform: image.config.platform(),
                config: image.config.config.clone(),
                author: image.config.author.clone(),
            };
            known.for_compiler.insert(request, base);
            known.for_executor.insert((request.reference.clone(), request.platform.clone()), image);
        }
        Ok(())
    }

    fn one(&self, request: &BaseRequest, lock: Option<&LockFile>) -> Result<LocalImage, Failure> {
        if let Some((lock, digest)) = lock.and_then(|lock| Some((lock, lock.image(request)?))) {
            return locked::image(self, request, lock, digest);
        }
        self.named(request)
    }

    /// What the name of an image leads to now.
    fn named(&self, request: &BaseRequest) -> Result<LocalImage, Failure> {
        if let Some(layout) = request.reference.strip_prefix(OCI_LAYOUT) {
            return Ok(LayoutReference::parse(layout).bring(&self.store, &request.platform)?);
        }
        let reference: Reference = request.reference.parse().map_err(Failure::input)?;
        let images = Images::new(&self.store);
        let stored = images.resolve(&reference, &request.platform)?;
        match (stored, &self.client, self.freshness) {
            (Some(image), None, _) | (Some(image), _, Freshness::AsStored) => Ok(image),
            (_, Some(client), _) => {
                let image = client.resolve(&self.store, &reference, &request.platform, &event::ignore)?;
                // The next build finds it under its name. A digest is its own name.
                if reference.digest().is_none() {
                    images.tag(&reference, &image.descriptor)?;
                }
                Ok(image)
            }
            (None, None, _) => Err(self.absent(&images, &reference, request)?),
        }
    }

    /// Why an image is not in the store: it is not there at all, or not for this platform.
    fn absent(&self, images: &Images<'_>, reference: &Reference, request: &BaseRequest) -> Result<Failure, Failure> {
        let message = match images.named(reference)? {
            Some(_) => format!("the store has `{}`, but not for {}", reference.familiar(), request.platform),
            None => format!("the store has no image `{}`, and no registry may be asked", reference.familiar()),
        };
        Ok(Failure::environment(message)
            .help("leave out `--offline`, or bring the image in with `layercake load` or `layercake import`"))
    }
}

/// Tells the failure with the line that names the image.
fn place(failure: &Failure, request: &BaseRequest, inputs: &Inputs, paint: Paint) -> Failure {
    let source = &inputs.parsed.source;
    let line = source.line(request.span.start);
    let near = request.near.as_ref().map(|near| format!("write `{near}` if you mean that"));
    let advice = [near.as_deref(), failure.advice()].into_iter().flatten().collect::<Vec<_>>().join("; or ");
    let advice = Some(advice.as_str()).filter(|advice| !advice.is_empty());
    let text = diagnostic::render_line(failure.message(), line, advice, source, &inputs.file, paint);
    output::tell(&text);
    Failure::new(failure.fault(), format!("failed to resolve source metadata for `{}`", request.reference))
}
