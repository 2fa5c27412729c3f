//! A registry made of [`Server`], whose answers a test can spoil.

use layercake_cache::Digest;

use crate::fixture::{TempStore, image, name, platform, store};
use crate::http::{Reply, Request, Server};
use layercake_executor::image::descriptor::Descriptor;
use layercake_executor::image::local::{Images, LocalImage};
use layercake_executor::image::reference::Reference;

/// An image, and the answers of a good registry that has it as `app:latest`.
pub(crate) struct Good {
    pub(crate) store: TempStore,
    pub(crate) image: LocalImage,
}

impl Good {
    pub(crate) fn new() -> Self {
        let store = store();
        let descriptor = image(&store, "a", &platform("linux/amd64"));
        let image = Images::new(&store).documents(None, &descriptor, &platform("linux/amd64")).unwrap().unwrap();
        Self { store, image }
    }

    /// The first layer.
    pub(crate) fn layer(&self) -> Descriptor {
        self.image.manifest.layers[0].clone()
    }

    pub(crate) fn layer_path(&self) -> String {
        format!("/v2/app/blobs/{}", self.layer().digest)
    }

    pub(crate) fn bytes(&self, digest: &Digest) -> Option<Vec<u8>> {
        self.store.read_blob(digest).unwrap()
    }

    pub(crate) fn answer(&self, request: &Request) -> Reply {
        let last = request.path.rsplit('/').next().unwrap_or_default();
        let digest = if last == "latest" { Ok(self.image.descriptor.digest) } else { last.parse() };
        match digest.ok().and_then(|digest| Some((digest, self.bytes(&digest)?))) {
            _ if request.path == "/v2/" => Reply::status(200),
            Some((digest, bytes)) => {
                let kind = if request.path.contains("/manifests/") {
                    self.image.descriptor.media_type.to_string()
                } else {
                    "application/octet-stream".to_owned()
                };
                Reply::ok(bytes).header("Content-Type", kind).header("Docker-Content-Digest", digest)
            }
            None => Reply::status(404),
        }
    }

    /// A server that answers rightly where `spoil` has nothing to say.
    pub(crate) fn serve(
        self,
        spoil: impl Fn(&Good, &Request) -> Option<Reply> + Send + Sync + 'static,
    ) -> (Server, Reference) {
        let server = Server::start(move |request| spoil(&self, request).unwrap_or_else(|| self.answer(request)));
        let reference = name(&format!("{}/app", server.host()));
        (server, reference)
    }
}
