//! `save`, `load`, `import`: images to and from files.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Read, Write};
use std::path::Path;

use layercake_compiler::oci::ContainerConfig;
use layercake_executor::fault::reason;
use layercake_executor::image::descriptor::Descriptor;
use layercake_executor::image::import::{Imported, import as import_image};
use layercake_executor::image::load as loading;
use layercake_executor::image::local::Images;
use layercake_executor::image::reference::Reference;
use layercake_executor::image::save::{self as saving, Saving};
use layercake_executor::namespace;
use layercake_executor::usage::doubt;

use super::images::{find, open_store};
use super::inputs::{changed_config, host_platform, now, platform_or_host};
use super::registry::{client, show};
use crate::arguments::images as arguments;
use crate::arguments::images::ArchiveFormat;
use crate::failure::Failure;
use crate::settings::Settings;
use crate::terminal::output;
use crate::terminal::paint::Paint;

/// `layercake save`.
///
/// # Errors
/// If an image is not in the store, or the archive cannot be written.
pub fn save(arguments: &arguments::Save, paint: Paint) -> Result<(), Failure> {
    // Folders that layers are made of belong to users that only a user namespace lets us be, and a process that has threads
    // enters none. Where there are no namespaces nothing was built, and what was pulled needs none.
    let _ = namespace::enter();
    let settings = Settings::read(Path::new("."))?;
    let store = doubt::open(&settings.home)?;
    let mut savings: Vec<Saving> = Vec::new();
    for name in &arguments.image {
        let image = find(&store, name, &host_platform())?;
        // What no step of a build has read is still where it came from.
        let images = Images::new(&store).each(image.reference.as_ref(), &image.descriptor)?;
        let missing: Vec<Descriptor> = images.iter().flat_map(|image| image.missing_layers(&store)).cloned().collect();
        if !missing.is_empty() {
            client(&settings).fetch_known(&store, name, &missing, &|event| show(&event, false, paint))?;
        }
        // An image that was asked for by its id has no name in the archive, as in docker's.
        let names = name.parse::<Reference>().ok().filter(|_| image.reference.is_some());
        match savings.iter_mut().find(|saving| saving.descriptor.digest == image.descriptor.digest) {
            Some(saving) => saving.names.extend(names),
            None => savings.push(Saving { descriptor: image.descriptor, names: names.into_iter().collect() }),
        }
    }
    let format = match arguments.format {
        ArchiveFormat::Oci => saving::Format::Oci,
        ArchiveFormat::Docker => saving::Format::Docker,
    };
    let write = |out: &mut dyn Write| Ok(saving::save(&store, &savings, format, &host_platform(), out)?);
    match arguments.output.as_deref() {
        Some(path) if path != Path::new("-") => write_file(path, write),
        _ if io::stdout().is_terminal() => Err(Failure::input("an archive is nothing for a terminal")
            .help("name a file with `-o FILE`, or redirect the output")),
        _ => write(&mut io::stdout().lock()),
    }
}

/// Writes a file that is there whole or not at all.
///
/// # Errors
/// If it cannot be written.
pub fn write_file(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<(), Failure>) -> Result<(), Failure> {
    let failed = |error: io::Error| {
        let failure = Failure::environment(format!("cannot write `{}`: {}", path.display(), reason(&error)));
        if error.kind() == io::ErrorKind::StorageFull { failure.help("make room on the disk") } else { failure }
    };
    // A device or a pipe cannot be replaced, and has nothing to lose.
    if path.exists() && !path.is_file() {
        return write(&mut File::create(path).map_err(failed)?);
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let part = path.with_file_name(name);
    let result = (|| {
        let mut file = BufWriter::new(File::create(&part).map_err(failed)?);
        write(&mut file)?;
        file.into_inner().map_err(|error| failed(error.into_error()))?;
        std::fs::rename(&part, path).map_err(failed)
    })();
    if result.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    result
}

/// `layercake load`.
///
/// # Errors
/// If there is no archive, or it holds no images.
pub fn load(arguments: &arguments::Load) -> Result<(), Failure> {
    let store = open_store()?;
    let loaded = match arguments.input.as_deref() {
        Some(path) if path != Path::new("-") => loading::load_path(&store, path)?,
        _ => loading::load(&store, standard_input("load -i FILE")?, "standard input")?,
    };
    for image in loaded {
        for error in &image.refused {
            output::tell(&format!("note: an image of the archive is called by what is no name: {error}\n"));
        }
        for name in &image.names {
            output::line(&format!("Loaded image: {}", name.familiar()))?;
        }
        if image.names.is_empty() {
            output::line(&format!("Loaded image ID: {}", image.descriptor.digest))?;
        }
    }
    Ok(())
}

/// `layercake import`.
///
/// # Errors
/// If there is no tar, or a change is no instruction.
pub fn import(arguments: &arguments::Import) -> Result<(), Failure> {
    let settings = Settings::read(Path::new("."))?;
    let config: ContainerConfig = changed_config(&arguments.change)?;
    let names = arguments.reference.iter().map(|name| name.parse()).collect::<Result<Vec<Reference>, _>>();
    let names = names.map_err(Failure::input)?;
    let (input, name): (Box<dyn Read + Send>, String) = if arguments.file == Path::new("-") {
        (standard_input("import FILE")?, "standard input".to_owned())
    } else {
        let name = arguments.file.display().to_string();
        let file = File::open(&arguments.file).map_err(|error| {
            let message = format!("cannot open `{name}`: {}", reason(&error));
            if error.kind() == io::ErrorKind::NotFound {
                Failure::input(message)
            } else {
                Failure::environment(message)
            }
        })?;
        (Box::new(file), name)
    };
    let image = Imported {
        config,
        platform: platform_or_host(arguments.platform.as_deref())?,
        created: Some(now(settings.source_date_epoch)),
        comment: arguments.message.clone().unwrap_or_else(|| format!("Imported from {name}")),
    };
    let store = doubt::open(&settings.home)?;
    let descriptor = import_image(&store, input, &name, image, &names)?;
    output::line(&descriptor.digest.to_string())
}

fn standard_input(usage: &str) -> Result<Box<dyn Read + Send>, Failure> {
    if io::stdin().is_terminal() {
        return Err(Failure::input("the archive would be read from the terminal")
            .help(format!("name a file with `layercake {usage}`, or redirect the input")));
    }
    Ok(Box::new(io::stdin()))
}
