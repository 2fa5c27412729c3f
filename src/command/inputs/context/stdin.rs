//! Standard input: a context in a tar, or a Dockerfile. Which of the two, its first bytes say.

use std::io::{self, Cursor, IsTerminal, Read};
use std::path::Path;

use layercake_executor::archive::{BEGINNING, begins_archive};
use layercake_executor::fault::reason;

use super::archive::Context;
use super::folder::Dockerfile;
use super::{LONGEST, Place, arguments, http, is_url, text};
use crate::command::inputs::open_store;
use crate::failure::Failure;
use crate::settings::Settings;

/// The context `-`.
pub(super) fn locate(arguments: &arguments::Inputs, settings: &Settings) -> Result<Place, Failure> {
    let file = arguments.file.as_deref();
    if file == Some(Path::new("-")) {
        return Err(Failure::input("invalid argument: can't use stdin for both build context and dockerfile")
            .help("name a file with `-f FILE`, or a folder as the context"));
    }
    let (beginning, rest) = begin()?;
    if begins_archive(&beginning) {
        let store = open_store(settings)?;
        let input = Cursor::new(beginning).chain(rest);
        let context = Context::unpack(Box::new(input), "standard input".to_owned(), store)?;
        return match file.and_then(Path::to_str).filter(|file| is_url(file)) {
            Some(url) => context.with(http::dockerfile(url, arguments, settings)?),
            None => context.place(file),
        };
    }
    if let Some(file) = file {
        let message = "ambiguous Dockerfile source: both stdin and flag correspond to Dockerfiles";
        let help = format!(
            "leave out `-f {}`, or give the context in a tar: what stands on standard input is none",
            file.display()
        );
        return Err(Failure::input(message).help(help));
    }
    let text = whole(beginning, rest)?;
    Ok(Place { file: "Dockerfile".to_owned(), path: None, text, context: None })
}

/// A Dockerfile on standard input, for a context from elsewhere.
pub(super) fn dockerfile() -> Result<Dockerfile, Failure> {
    let (beginning, rest) = begin()?;
    Ok(Dockerfile { file: "-".to_owned(), path: None, text: whole(beginning, rest)?, ignore: None })
}

/// The first bytes, and what follows them.
fn begin() -> Result<(Vec<u8>, io::Stdin), Failure> {
    let mut input = io::stdin();
    if input.is_terminal() {
        return Err(Failure::input("the Dockerfile would be read from the terminal")
            .help("redirect the input, or name a file with `-f FILE`"));
    }
    let mut beginning = Vec::new();
    input.by_ref().take(BEGINNING as u64).read_to_end(&mut beginning).map_err(|error| unreadable(&error))?;
    Ok((beginning, input))
}

/// The whole text, as far as it is read.
fn whole(mut bytes: Vec<u8>, rest: impl Read) -> Result<String, Failure> {
    rest.take(LONGEST).read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
    Ok(text(bytes))
}

fn unreadable(error: &io::Error) -> Failure {
    Failure::environment(format!("cannot read standard input: {}", reason(error)))
}
