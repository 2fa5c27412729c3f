//! `copy-before-install`: a `COPY` of the sources above a `RUN` that installs what a manifest names.
//!
//! **Why**: every change of any file makes all packages be installed again, though only the manifest decides which.
//! **Silent** where the same program has installed above the `COPY` already, where the copied files land elsewhere, where
//! the command changes its folder first, and where the command line names the packages.

use std::collections::HashMap;

use super::Advice;
use super::advice::{LOOK_BACK, Seen};
use super::installer::{self, Fetch};
use super::script;
use crate::ast::Instruction;
use crate::diagnostic::Diagnostic;
use crate::operation::{Copy, Operation, Run};
use crate::path;
use crate::program::{Statement, Tree};
use crate::source::Span;

/// Folders of sources, whose files change often.
const SOURCES: [&str; 10] = ["src", "app", "lib", "cmd", "internal", "pkg", "server", "client", "test", "tests"];

pub(super) fn check(seen: &Seen<'_>, found: &mut Vec<Diagnostic>) {
    let all: Fetches =
        seen.statements().filter_map(|(instruction, statement)| fetches(instruction, statement)).collect();
    let mut reported = std::collections::HashSet::new();
    for stage in &seen.program.stages {
        if !seen.of_stage(stage).any(|(instruction, _)| all.contains_key(&instruction.span)) {
            continue;
        }
        let mut chain = seen.inherited(stage);
        let inherited = chain.len();
        chain.extend(seen.of_stage(stage));
        for (at, (run_instruction, statement)) in chain.iter().enumerate().skip(inherited) {
            let Operation::Run(run) = &statement.operation else { continue };
            for fetch in all.get(&run_instruction.span).into_iter().flatten() {
                let above = &chain[at.saturating_sub(LOOK_BACK)..at];
                let Some((copied_at, prefix)) = first_copy(above, run) else { continue };
                let copy = above[copied_at].0;
                let mut earlier = above[..copied_at].iter().filter_map(|(earlier, _)| all.get(&earlier.span)).flatten();
                let has_installed = earlier.any(|earlier| earlier.installer == fetch.installer);
                if !has_installed && reported.insert(copy.span) {
                    found.push(advice(copy, run_instruction, fetch, &prefix));
                }
            }
        }
    }
}

/// What commands fetch that read what to fetch from a manifest, by the span of their instruction.
type Fetches = HashMap<Span, Vec<Fetch>>;

fn fetches(instruction: &Instruction, statement: &Statement) -> Option<(Span, Vec<Fetch>)> {
    let Operation::Run(run) = &statement.operation else { return None };
    let commands = script::of_run(instruction, run).into_iter().flatten();
    let here = commands.take_while(|command| !matches!(command.program(), "cd" | "pushd"));
    let fetches = here.filter_map(|command| installer::fetch(&command)).filter(|fetch| !fetch.manifests.is_empty());
    let fetches: Vec<Fetch> = fetches.collect();
    (!fetches.is_empty()).then_some((instruction.span, fetches))
}

/// The first `COPY` of sources to where the command runs, and the folder of the context that its manifests lie in.
fn first_copy(above: &[(&Instruction, &Statement)], run: &Run) -> Option<(usize, String)> {
    above.iter().enumerate().find_map(|(at, (_, statement))| match &statement.operation {
        Operation::Copy(copy) => Some((at, prefix(copy, statement, &run.workdir)?)),
        _ => None,
    })
}

fn prefix(copy: &Copy, statement: &Statement, workdir: &str) -> Option<String> {
    let destination = path::clean(&copy.destination);
    copy.sources.iter().find_map(|source| {
        let Tree::Context(context) = statement.inputs.get(source.input.checked_sub(1)?)? else { return None };
        if context.name.is_some() {
            return None;
        }
        let cleaned = path::clean(&source.path);
        let source = cleaned.trim_start_matches('/');
        let is_whole = matches!(source, "" | "." | "*");
        if !is_whole && !SOURCES.contains(&path::base(source)) {
            return None;
        }
        let source = if is_whole { "" } else { source };
        match below(&destination, workdir) {
            Some(inner) => {
                Some([source, inner].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/"))
            }
            // Sources in a folder of their own, and the manifest beside it.
            None if !is_whole && below(workdir, &destination).is_some() => Some(String::new()),
            None => None,
        }
    })
}

/// What leads from a folder to a path in it.
fn below<'a>(folder: &str, path: &'a str) -> Option<&'a str> {
    let rest = path.strip_prefix(folder.trim_end_matches('/'))?;
    (rest.is_empty() || rest.starts_with('/')).then(|| rest.trim_matches('/'))
}

fn advice(copy: &Instruction, run: &Instruction, fetch: &Fetch, prefix: &str) -> Diagnostic {
    let message = format!("every change of a copied file makes `{}` run again", fetch.command);
    let manifests: Vec<String> = fetch.manifests.iter().map(|name| path::join(&format!("/{prefix}"), name)).collect();
    let manifests: Vec<&str> = manifests.iter().map(|name| name.trim_start_matches('/')).collect();
    Diagnostic::advice(Advice::CopyBeforeInstall, copy.span, message)
        .label(copy.span, "this comes first")
        .label(run.span, "this is run again")
        .help(format!(
            "put `COPY {} ./` above the `RUN`, and this `{}` below it",
            manifests.join(" "),
            copy.keyword.text
        ))
}
