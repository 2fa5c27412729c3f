//! `unused-stage`: a stage that nothing uses.
//!
//! **Why**: it is read by everyone and built by nobody; often the `COPY --from` that needed it is gone, or names another.
//! **Silent** where one target is checked, since others may be there for other targets; and where a name or a description
//! says that the stage is a target in itself.

use std::collections::HashSet;

use super::Advice;
use super::advice::Seen;
use crate::ast::{Command, Instruction};
use crate::diagnostic::Diagnostic;
use crate::lex::comment::description;
use crate::program::{Stage, StageId, Tree};

/// Parts of names that people give to stages which are built by name.
const TARGETS: [&str; 34] = [
    "all",
    "artifact",
    "artifacts",
    "bench",
    "binaries",
    "binary",
    "check",
    "ci",
    "coverage",
    "cross",
    "debug",
    "default",
    "deploy",
    "dev",
    "development",
    "devcontainer",
    "docs",
    "e2e",
    "export",
    "final",
    "format",
    "generate",
    "image",
    "integration",
    "lint",
    "prod",
    "production",
    "release",
    "runtime",
    "staging",
    "target",
    "test",
    "tests",
    "validate",
];

pub(super) fn check(seen: &Seen<'_>, found: &mut Vec<Diagnostic>) {
    if seen.request.target.is_some() {
        return;
    }
    let used = used(seen);
    for stage in seen.program.stages.iter().filter(|stage| stage.id != seen.program.target && !used.contains(&stage.id))
    {
        let Some(instruction) = seen.from(stage) else { continue };
        if is_target(instruction) {
            continue;
        }
        let message = match name(instruction) {
            "" => "nothing uses this stage".to_owned(),
            name => format!("nothing uses the stage `{name}`"),
        };
        let advice = Diagnostic::advice(Advice::UnusedStage, instruction.span, message);
        found.push(advice.help("remove it, or say in a comment above it what the target is for: `# NAME description`"));
    }
}

/// The stages that other stages use.
pub(super) fn used(seen: &Seen<'_>) -> HashSet<StageId> {
    let trees = |stage: &'_ Stage| -> Vec<Tree> {
        let inputs = stage.statements.iter().flat_map(|statement| statement.inputs.iter().cloned());
        inputs.chain([stage.base.clone()]).collect()
    };
    let stages = seen.program.stages.iter().flat_map(trees);
    stages.filter_map(|tree| if let Tree::Stage(id) = tree { Some(id) } else { None }).collect()
}

fn name(instruction: &Instruction) -> &str {
    match &instruction.command {
        Some(Command::From(from)) => from.name.as_ref().map_or("", |name| name.name.as_str()),
        _ => "",
    }
}

fn is_target(instruction: &Instruction) -> bool {
    let name = name(instruction);
    let comments = instruction.comments.iter().map(|comment| comment.text.as_str());
    name.split(['-', '_', '.']).any(|part| TARGETS.contains(&part))
        || !name.is_empty() && !description(comments, name).is_empty()
}
