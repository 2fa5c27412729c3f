//! What a build tells of its result: the digest on standard output, `--iidfile` and `--metadata-file`.

use std::fs::{self, File};
use std::path::Path;
use std::time::SystemTime;

use layercake_compiler::plan::Plan;
use layercake_executor::image::reference::Reference;
use serde_json::{Value, json};

use super::super::inputs::now;
use super::super::transport::write_file;
use super::member::Image;
use crate::arguments::build::Build;
use crate::failure::Failure;
use crate::terminal::output as streams;

/// Tells what was made, of several outputs' images the first. `epoch` is `SOURCE_DATE_EPOCH`.
///
/// # Errors
/// If a file cannot be written.
pub(super) fn write(
    arguments: &Build,
    plan: &Plan,
    image: Option<&Image>,
    names: &[Reference],
    epoch: Option<i64>,
) -> Result<(), Failure> {
    if let (Some(path), Some(image)) = (&arguments.iidfile, image) {
        write_text(path, &image.descriptor.digest.to_string())?;
    }
    if let Some(path) = &arguments.metadata_file {
        let text = serde_json::to_string_pretty(&metadata(plan, image, names, epoch)).expect("its keys are texts");
        write_text(path, &format!("{text}\n"))?;
    }
    image.map_or(Ok(()), |image| streams::line(&image.descriptor.digest.to_string()))
}

/// The object that buildx writes, and the target beside it.
///
/// Source: buildx's documentation of `--metadata-file`; `exporter/containerimage/exptypes/types.go` of BuildKit.
fn metadata(plan: &Plan, image: Option<&Image>, names: &[Reference], epoch: Option<i64>) -> Value {
    let mut metadata = json!({ "layercake.target": plan.target });
    let Some(image) = image else { return metadata };
    let mut descriptor = image.descriptor.clone();
    descriptor.annotations.insert("org.opencontainers.image.created".to_owned(), now(epoch));
    // An index has no configuration.
    if let [only] = image.images.as_slice() {
        descriptor.annotations.insert("config.digest".to_owned(), only.config_digest.to_string());
        metadata["containerimage.config.digest"] = json!(only.config_digest);
    }
    metadata["containerimage.descriptor"] = json!(descriptor);
    metadata["containerimage.digest"] = json!(image.descriptor.digest);
    if !names.is_empty() {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        metadata["image.name"] = names.join(",").into();
    }
    metadata
}

/// Writes a file, or says of one that holds the text already that it is new: replacing a file waits for the disk.
fn write_text(path: &Path, text: &str) -> Result<(), Failure> {
    let holds_it = || path.is_file() && fs::read(path).is_ok_and(|known| known == text.as_bytes());
    let renew = || File::options().append(true).open(path)?.set_modified(SystemTime::now());
    if holds_it() && renew().is_ok() {
        return Ok(());
    }
    let failed = |error| Failure::environment(format!("cannot write `{}`: {error}", path.display()));
    write_file(path, |out| out.write_all(text.as_bytes()).map_err(failed))
}
