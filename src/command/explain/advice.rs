//! What to do so that the same change costs less the next time. Only what is certain is said.

use std::collections::BTreeSet;

use layercake_compiler::lint::{Fetched, fetches};
use layercake_compiler::plan::StepId;
use layercake_executor::explain::explanation::Explained;
use layercake_executor::explain::history::Op;
use layercake_executor::explain::reason::{Kind, Reason};

use super::words::shortened;

/// What belongs to no image, and changes for reasons of its own: at the top of a context, files and folders.
const BY_PRODUCTS: [&str; 6] =
    [".git", "node_modules", "Dockerfile", "Containerfile", ".dockerignore", "layercake.lock"];

/// What can be advised on a build.
pub(super) fn of(steps: &[&Explained]) -> Vec<String> {
    steps
        .iter()
        .filter(|explained| explained.step.op == Op::Copy && is_of_context(explained))
        .filter_map(|copy| ignored(copy).or_else(|| steps.iter().find_map(|run| moved(copy, run))))
        .collect()
}

/// Whether files of a context are all that has changed.
fn is_of_context(explained: &Explained) -> bool {
    let is_file = |reason: &Reason| reason.kind == Kind::File && reason.step.is_none();
    !explained.reasons.is_empty() && explained.reasons.iter().all(is_file)
}

/// Files that no image needs were all that had changed.
fn ignored(copy: &Explained) -> Option<String> {
    let top = |reason: &'_ Reason| reason.name.split('/').next().unwrap_or_default().to_owned();
    let changed: BTreeSet<String> = copy.reasons.iter().map(top).collect();
    let is_all = changed.iter().all(|name| BY_PRODUCTS.contains(&name.as_str()));
    let names: Vec<String> = changed.iter().map(|name| format!("`{name}`")).collect();
    let line = copy.step.line;
    is_all.then(|| {
        format!("add {} to `.dockerignore`: nothing else has changed of what line {line} copies", names.join(" and "))
    })
}

/// A command below that fetches packages, and does not look at the files that have changed.
fn moved(copy: &Explained, run: &Explained) -> Option<String> {
    if !depends_only_on(run, copy.step.id) || run.step.stage != copy.step.stage {
        return None;
    }
    let Fetched { command, manifests } = fetches(shell(run)?).into_iter().next()?;
    let is_manifest = |reason: &Reason| {
        let name = reason.name.rsplit('/').next().unwrap_or_default();
        manifests.iter().any(|manifest| {
            let manifest = manifest.rsplit('/').next().unwrap_or_default();
            manifest.strip_suffix('*').map_or(name == manifest, |start| name.starts_with(start))
        })
    };
    if copy.reasons.iter().any(is_manifest) {
        return None;
    }
    let copied = shortened(&copy.step.name);
    Some(if manifests.is_empty() {
        format!("put `{command}` (line {}) above `{copied}`: it reads none of these files", run.step.line)
    } else {
        let list = manifests.join(" ");
        format!(
            "put `COPY {list} ./` above `{command}` (line {}), and `{copied}` below it: it reads only those, and they \
             have not changed",
            run.step.line
        )
    })
}

fn depends_only_on(run: &Explained, cause: StepId) -> bool {
    run.step.op == Op::Run && run.reasons == [Reason::step(cause)]
}

/// What a `RUN` gives to the shell; `None` if that is not on its line.
fn shell(run: &Explained) -> Option<&str> {
    let mut rest = run.step.name.strip_prefix("RUN ")?.trim_start();
    while rest.starts_with("--") {
        rest = rest.split_once(char::is_whitespace)?.1.trim_start();
    }
    (!rest.starts_with(['[', '<'])).then_some(rest)
}
