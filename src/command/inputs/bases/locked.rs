//! A base image as the lock file has it: its digest is taken for what it says only if it is one of the repository that is named.
//!
//! A store finds an image by its digest whatever it is called. Without a look at the repository, a lock file could put any image in
//! the place of any other.

use layercake_cache::Digest;
use layercake_compiler::BaseRequest;
use layercake_executor::image::local::{Images, LocalImage, NamedImage};
use layercake_executor::image::reference::Reference;
use layercake_executor::registry::error::Error as RegistryError;
use layercake_executor::registry::event;

use super::Resolver;
use crate::command::inputs::context::OCI_LAYOUT;
use crate::command::lock::LockFile;
use crate::failure::Failure;

/// The image of this digest, under the name that was asked for.
pub(super) fn image(
    resolver: &Resolver,
    request: &BaseRequest,
    lock: &LockFile,
    digest: Digest,
) -> Result<LocalImage, Failure> {
    let reference: Option<Reference> = match request.reference.starts_with(OCI_LAYOUT) {
        true => None,
        false => Some(request.reference.parse().map_err(Failure::input)?),
    };
    let wrong = |why: String| {
        let shown = lock.shown();
        Failure::input(format!("`{shown}` has `{}` for {} as {digest}, {why}", request.reference, request.platform))
            .help("write it anew with `layercake compile --lock`")
    };
    // What a layout has, and what is named by its digest, is found without the lock file: that only has to agree.
    let Some(reference) = reference.filter(|reference| reference.digest().is_none()) else {
        let image = resolver.named(request)?;
        let found = image.manifest_digest;
        return if found == digest { Ok(image) } else { Err(wrong(format!("but it is {found}"))) };
    };
    let images = Images::new(&resolver.store);
    let pinned = reference.at_digest(digest);
    let stored = images.resolve(&pinned, &request.platform)?;
    let names = names(&images, request, digest)?;
    let is_own = names.iter().any(|name| name.name() == reference.name());
    let others: Vec<String> = names.iter().map(|name| format!("`{}`", name.familiar())).collect();
    let known_as = if others.is_empty() { String::new() } else { format!(": it is {}", others.join(", ")) };
    let absent = |host: &str| wrong(format!("which `{host}` does not have{known_as}"));
    let is_known = || Ok::<_, Failure>(is_own || resolver.store.named(CONFIRMED, &pinned.to_string())?.is_some());
    let image = match (stored, &resolver.client) {
        (Some(image), _) if is_known()? => return Ok(image),
        (Some(image), Some(client)) => match client.has(&pinned, &event::ignore) {
            Ok(true) => image,
            Ok(false) => return Err(absent(reference.host())),
            // Nothing speaks against what is here, and nobody can be asked.
            Err(RegistryError::Unreachable { .. }) if others.is_empty() => return Ok(image),
            Err(error) => return Err(error.into()),
        },
        (None, Some(client)) => match client.resolve(&resolver.store, &pinned, &request.platform, &event::ignore) {
            Ok(image) => image,
            Err(RegistryError::NotFound { host, .. }) => return Err(absent(&host)),
            Err(RegistryError::NotFor { available, .. }) => {
                let platforms: Vec<String> = available.iter().map(ToString::to_string).collect();
                return Err(wrong(format!("which is an image for {}", platforms.join(", "))));
            }
            Err(error) => return Err(error.into()),
        },
        (Some(image), None) if others.is_empty() => return Ok(image),
        (Some(_), None) => return Err(wrong(format!("which is another image{known_as}"))),
        (None, None) => {
            let (name, platform) = (&request.reference, &request.platform);
            return Err(Failure::environment(format!(
                "the store does not have `{name}` for {platform} as {digest}, and no registry may be asked"
            ))
            .help("leave out `--offline`, or bring the image in with `layercake load`"));
        }
    };
    // An index may be named by its digest too; what is locked is what it leads to.
    if image.manifest_digest != digest {
        return Err(wrong(format!("but that leads to {}", image.manifest_digest)));
    }
    resolver.store.put_named(CONFIRMED, &pinned.to_string(), &[])?;
    Ok(image)
}

/// The shelf of the store that remembers which digests a repository has been found to have.
const CONFIRMED: &str = "locked-images";

/// The names in the store that lead to the manifest of this digest.
fn names(images: &Images<'_>, request: &BaseRequest, digest: Digest) -> Result<Vec<Reference>, Failure> {
    let mut names = Vec::new();
    for NamedImage { reference, descriptor } in images.list()? {
        let Some(name) = reference else { continue };
        let found = images.documents(Some(&name), &descriptor, &request.platform)?;
        if found.is_some_and(|image| image.manifest_digest == digest) {
            names.push(name);
        }
    }
    Ok(names)
}
