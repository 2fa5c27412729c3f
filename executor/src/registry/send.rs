//! One blob to a registry before it is known what manifest will name it.

use layercake_cache::Store;

use crate::image::descriptor::Descriptor;
use crate::image::reference::Reference;
use crate::registry::client::Client;
use crate::registry::error::Error;
use crate::registry::event::Events;
use crate::registry::parallel::Halt;
use crate::registry::repository::Repository;
use crate::registry::upload::Upload;

impl Client {
    /// Sends a blob to the repository of `to`, if it is not there. Registries keep it for some hours even if nothing names it.
    ///
    /// # Errors
    /// If the registry does not take it, or `halt` says to stop.
    pub(crate) fn send_blob(
        &self,
        store: &Store,
        blob: &Descriptor,
        to: &Reference,
        halt: &Halt,
        events: Events<'_>,
    ) -> Result<(), Error> {
        let (repository, what) = (Repository::from(to), to.familiar());
        Upload { client: self, store, to: &repository, blob, what: &what, events, halt }.run()
    }
}
