//! `rmi`: names of images go. What they led to stays for the next build, until `prune`.

use layercake_executor::image::local::{Images, LocalImage, NamedImage};
use layercake_executor::image::reference::Reference;

use super::super::inputs::host_platform;
use super::{open_store, unknown};
use crate::arguments::images as arguments;
use crate::failure::Failure;
use crate::terminal::output;

/// `layercake rmi`.
///
/// # Errors
/// If there is no such name, or an id has names in several repositories. The others have been removed then.
pub fn run(arguments: &arguments::Rmi) -> Result<(), Failure> {
    let store = open_store()?;
    let images = Images::new(&store);
    let mut failures = arguments.image.iter().filter_map(|name| remove(&images, name, arguments.force).err());
    let first = failures.next();
    let others: Vec<Failure> = failures.collect();
    match first {
        None => Ok(()),
        Some(first) if others.is_empty() => Err(first),
        Some(first) => {
            others.iter().for_each(|failure| output::tell(&format!("error: {}\n", failure.message())));
            Err(first)
        }
    }
}

fn remove(images: &Images<'_>, name: &str, force: bool) -> Result<(), Failure> {
    if let Ok(reference) = name.parse::<Reference>()
        && images.untag(&reference)?
    {
        return output::line(&format!("Untagged: {}", reference.familiar()));
    }
    match images.find_any(name, &host_platform())? {
        Some(image) => remove_image(images, &image, name, force),
        None if force => Ok(()),
        None => Err(unknown(name)),
    }
}

/// All names of an image that was meant by its id, or by a digest.
fn remove_image(images: &Images<'_>, image: &LocalImage, id: &str, force: bool) -> Result<(), Failure> {
    let mut all = images.list()?;
    all.retain(|named| named.descriptor.digest == image.descriptor.digest);
    let mut repositories: Vec<String> =
        all.iter().filter_map(|named| named.reference.as_ref()).map(Reference::familiar_name).collect();
    repositories.dedup();
    // As docker: whoever means one of them says its name.
    if repositories.len() > 1 && !force {
        return Err(Failure::input(format!("`{id}` has names in several repositories: {}", repositories.join(", ")))
            .help("name the one to remove, or remove them all with `--force`"));
    }
    for NamedImage { reference, descriptor } in &all {
        match reference {
            Some(reference) => {
                images.untag(reference)?;
                output::line(&format!("Untagged: {}", reference.familiar()))?;
            }
            None => drop(images.unkeep(&descriptor.digest)?),
        }
    }
    output::line(&format!("Deleted: {}", image.descriptor.digest))
}
