//! A file on a server as a blob of the store: for those who want its bytes and nothing else.

use layercake_cache::Digest;

use super::error::Error;
use super::source::{How, Source};

/// Brings the file into the store, unless what the store has of it will do.
///
/// # Errors
/// If it cannot be had, or the store cannot be written.
pub fn bring(source: &Source<'_>) -> Result<(Digest, How), Error> {
    source.bring(
        |digest| {
            let digest = digest.parse::<Digest>().ok();
            Ok::<_, Error>(digest.filter(|digest| source.store.has_blob(digest)))
        },
        |_| Ok(source.store.blob_writer()?),
        |arrived| Ok(arrived.writer.finish()?.0),
    )
}
