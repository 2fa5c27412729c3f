//! `check --fix`: writes what the compiler would mend.

use std::path::Path;
use std::{fs, io};

use layercake_compiler::{Diagnostic, Severity, apply, fix};

use crate::command::inputs::Inputs;
use crate::command::publish;
use crate::failure::Failure;
use crate::terminal::output;

/// Mends a Dockerfile in place, and tells each thing that was done. A file with errors is left alone.
///
/// # Errors
/// If it lies nowhere, is not a text, or cannot be written.
pub(super) fn mend(inputs: &Inputs, findings: &[Diagnostic]) -> Result<(), Failure> {
    let Some(path) = &inputs.path else {
        return Err(Failure::input("a Dockerfile from standard input cannot be mended in place")
            .help("name a file with `-f FILE`"));
    };
    if findings.iter().any(|finding| finding.severity == Severity::Error) {
        return Ok(());
    }
    let source = &inputs.parsed.source;
    let edits = fix(&inputs.parsed, findings);
    if edits.is_empty() {
        return Ok(());
    }
    replace(path, source.text(), &apply(source.text(), &edits))?;
    for edit in &edits {
        let (place, old) = (source.position(edit.span.start), source.slice(edit.span).trim());
        let what = match (old, edit.text.as_str()) {
            ("", _) => "removed an empty line".to_owned(),
            (old, "") => format!("removed `{old}`"),
            (old, new) => format!("`{old}` is now `{new}`"),
        };
        output::tell(&format!("{}:{}:{}: {what} ({})\n", inputs.file, place.line, place.column, edit.rule));
    }
    Ok(())
}

/// Replaces a file by another text, whole or not at all; its mode stays, and a link goes on leading to it.
fn replace(path: &Path, old: &str, new: &str) -> Result<(), Failure> {
    let shown = path.display();
    let failed = |error: io::Error| Failure::environment(format!("cannot rewrite `{shown}`: {error}"));
    // What is no UTF-8 was read with replacements, which must not be written back.
    if fs::read(path).map_err(failed)? != old.as_bytes() {
        return Err(Failure::input(format!("`{shown}` is not UTF-8, or has just changed"))
            .help("save it as UTF-8, and try again"));
    }
    publish::write(path, new).map_err(failed)
}
