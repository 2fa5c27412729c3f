//! `diff`: what two images differ in: settings, layers and files.

mod operand;
mod report;
mod text;

use std::path::{Path, PathBuf};

use layercake_cache::Store;
use layercake_executor::build::event::Event;
use layercake_executor::build::folders::folders;
use layercake_executor::build::tree::Tree;
use layercake_executor::compare::files::Times;
use layercake_executor::compare::{config, files};
use layercake_executor::layer::Contents;
use layercake_executor::namespace;
use layercake_executor::registry::client::Client;
use layercake_executor::registry::event::ignore;
use layercake_executor::remote::caches::Caches;
use layercake_executor::usage::doubt;
use operand::Operand;
use report::Report;

use super::inputs::platform_or_host;
use super::registry::client;
use crate::arguments::diff::{Diff, DiffFormat};
use crate::failure::Failure;
use crate::settings::Settings;
use crate::terminal::output;
use crate::terminal::paint::Paint;

/// The status of `--exit-code` where images differ: that of `diff` and of `git diff`.
const DIFFERENT: u8 = 1;

/// `layercake diff`.
///
/// # Errors
/// If there is no such image, or its layers cannot be had; silently, if the images differ and `--exit-code` is given.
pub fn run(arguments: &Diff, results: Paint) -> Result<(), Failure> {
    // Files of images belong to users that only a user namespace lets us be. Before there are threads: a process that has
    // some enters none.
    namespace::enter()?;
    let settings = Settings::read(Path::new("."))?;
    let store = doubt::open(&settings.home)?;
    let platform = platform_or_host(arguments.platform.as_deref())?;
    let client = client(&settings);
    let operand = |text| Operand::find(text, &store, &platform, &client);
    let (first, second) = (operand(&arguments.first)?, operand(&arguments.second)?);
    let files = if first.image.config.rootfs == second.image.config.rootfs {
        Vec::new()
    } else {
        let below = unpacked(&first, &store, &client)?;
        let above = unpacked(&second, &store, &client)?;
        let times = if arguments.times { Times::Compared } else { Times::Ignored };
        files::compare(&below, &above, times).map_err(Failure::environment)?
    };
    let settings = config::compare(&first.image.config, &second.image.config);
    let report =
        Report { images: [(&arguments.first, &first.image), (&arguments.second, &second.image)], settings, files };
    match arguments.format {
        DiffFormat::Text => output::result(&text::render(&report, results))?,
        DiffFormat::Json => output::line(&report.to_json().to_string())?,
    }
    if arguments.exit_code && !report.is_empty() { Err(Failure::silent(DIFFERENT)) } else { Ok(()) }
}

/// The folders of an image's layers. Those that are not here are fetched.
fn unpacked(operand: &Operand, store: &Store, client: &Client) -> Result<Vec<PathBuf>, Failure> {
    let fetch = |layer: &_| {
        let layer = std::slice::from_ref(layer);
        match &operand.repository {
            Some(reference) => client.fetch_layers(store, reference, layer, &ignore),
            None => client.fetch_known(store, &operand.name, layer, &ignore),
        }
    };
    let listener = |event: Event<'_>| {
        if let Event::Transfer { action, what, .. } = event {
            output::tell(&format!("{action} {what}\n"));
        }
    };
    folders(&Tree::of_image(&operand.image), Contents::All, store, &Caches::default(), &fetch, &listener)
        .map_err(|error| Failure::new(error.fault(), error))
}
