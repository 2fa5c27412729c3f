//! What each instruction takes from other stages, images and contexts: `COPY --from` and `RUN --mount=from`.

use std::ops::Deref;

use super::header::{Headers, Meaning, meaning};
use super::stage::StageSyntax;
use crate::ast::{Command, Copy, Instruction, Run, Word};
use crate::diagnostic::{Code, Diagnostic};
use crate::program::StageId;
use crate::request::Request;
use crate::shell::Lexer;
use crate::source::Span;

/// An instruction of a stage, and what it takes from elsewhere.
#[derive(Clone, Debug)]
pub(super) struct Task<'a> {
    pub(super) instruction: TaskInstruction<'a>,
    /// The instruction that findings are about: its own, or the `FROM` of the stage that a trigger runs in.
    pub(super) at: Span,
    pub(super) provenance: Provenance,
    /// For `COPY`, what `--from` means; for `RUN`, what each mount's `from` means.
    pub(super) links: Vec<Option<Meaning>>,
}

/// An instruction that stands in the file, or one that was put off.
#[derive(Clone, Debug)]
pub(super) enum TaskInstruction<'a> {
    OfFile(&'a Instruction),
    Trigger(Box<Instruction>),
}

impl Deref for TaskInstruction<'_> {
    type Target = Instruction;

    fn deref(&self) -> &Instruction {
        match self {
            Self::OfFile(instruction) => instruction,
            Self::Trigger(instruction) => instruction,
        }
    }
}

/// Where an instruction comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Provenance {
    /// The Dockerfile.
    File,
    /// `ONBUILD` of the base.
    Trigger,
}

/// The tasks of all stages, without triggers, and without those whose links lead nowhere.
pub(super) fn resolve<'a>(
    stages: &[StageSyntax<'a>],
    headers: &Headers,
    request: &Request,
    findings: &mut Vec<Diagnostic>,
) -> Vec<Vec<Task<'a>>> {
    let mut all = Vec::with_capacity(stages.len());
    for stage in stages {
        let mut tasks = Vec::with_capacity(stage.body.len());
        for instruction in stage.body {
            match links(instruction, instruction.span, headers, request) {
                Ok(links) => tasks.push(Task {
                    instruction: TaskInstruction::OfFile(instruction),
                    at: instruction.span,
                    provenance: Provenance::File,
                    links,
                }),
                Err(error) => findings.push(*error),
            }
        }
        all.push(tasks);
    }
    all
}

/// A task for an instruction that an image or stage put off.
pub(super) fn trigger<'a>(
    instruction: Instruction,
    at: Span,
    headers: &Headers,
    request: &Request,
) -> Result<Task<'a>, Box<Diagnostic>> {
    let links = links(&instruction, at, headers, request)?;
    let instruction = TaskInstruction::Trigger(Box::new(instruction));
    Ok(Task { instruction, at, provenance: Provenance::Trigger, links })
}

fn links(
    instruction: &Instruction,
    at: Span,
    headers: &Headers,
    request: &Request,
) -> Result<Vec<Option<Meaning>>, Box<Diagnostic>> {
    match &instruction.command {
        Some(Command::Copy(Copy { from: Some(from), .. })) => {
            copy_from(from, at, headers, request).map(|meaning| vec![Some(meaning)])
        }
        Some(Command::Run(Run { mounts, .. })) => mounts
            .iter()
            .map(|mount| {
                let Some(from) = &mount.from else { return Ok(None) };
                meaning(from, headers.by_name(from), request, headers, at, &mount.flag).map(Some)
            })
            .collect(),
        _ => Ok(Vec::new()),
    }
}

fn copy_from(from: &Word, at: Span, headers: &Headers, request: &Request) -> Result<Meaning, Box<Diagnostic>> {
    let expanded = Lexer::new('\\').expand(&from.text, &|_| None);
    let expanded = expanded.map_err(|error| Box::new(super::expand::error(from, &error, at)))?;
    if expanded.text != from.text {
        let message = "variable expansion is not supported for --from, define a new stage with FROM using ARG from \
                       global scope as a workaround";
        let error = Diagnostic::error(Code::UnknownStage, at, message).label(from.span, "");
        return Err(Box::new(error.help("write `FROM $IMAGE AS name` above, and `--from=name` here")));
    }
    if let Ok(index) = from.text.parse::<i64>() {
        let stage = usize::try_from(index).ok().filter(|index| *index < headers.len());
        return stage.map(|index| Meaning::Stage(StageId(index))).ok_or_else(|| {
            let error = Diagnostic::error(Code::UnknownStage, at, format!("invalid stage index {index}"));
            let last = headers.len() - 1;
            Box::new(error.label(from.span, "").help(format!("choose one from 0 to {last}, or better name the stage")))
        });
    }
    meaning(&from.text, headers.by_name(&from.text), request, headers, at, from)
}

/// Checks that no stage takes something from itself, be it by way of others.
pub(super) fn check_cycles(
    stages: &[StageSyntax<'_>],
    headers: &Headers,
    tasks: &[Vec<Task<'_>>],
    findings: &mut Vec<Diagnostic>,
) -> Option<()> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        Open,
        Done,
    }
    let edges: Vec<Vec<(StageId, Span)>> = tasks.iter().map(|tasks| stage_links(tasks).collect()).collect();
    let mut marks = vec![Mark::New; tasks.len()];
    for root in 0..tasks.len() {
        // The stages on the way from the root, and which of their edges is next.
        let mut way: Vec<(usize, usize)> = Vec::new();
        if marks[root] == Mark::New {
            marks[root] = Mark::Open;
            way.push((root, 0));
        }
        while let Some((stage, next)) = way.last_mut() {
            let Some((to, span)) = edges[*stage].get(*next).copied() else {
                marks[*stage] = Mark::Done;
                way.pop();
                continue;
            };
            *next += 1;
            match marks[to.0] {
                Mark::Done => {}
                Mark::New => {
                    marks[to.0] = Mark::Open;
                    way.push((to.0, 0));
                }
                Mark::Open => {
                    let name = &headers.get(StageId(root)).label;
                    let name = if stages[root].from.name.is_some() { name.clone() } else { format!("stage-{name}") };
                    let message = format!("circular dependency detected on stage: {name}");
                    let mut error = Diagnostic::error(Code::CircularDependency, span, message);
                    for (stage, next) in way.iter().skip_while(|(stage, _)| *stage != to.0) {
                        error = error.label(edges[*stage][next - 1].1, "");
                    }
                    findings.push(error.help("take what both need from a third stage further up"));
                    return None;
                }
            }
        }
    }
    Some(())
}

/// The stages that tasks take something from.
pub(super) fn stage_links<'t>(tasks: &'t [Task<'_>]) -> impl Iterator<Item = (StageId, Span)> + 't {
    tasks.iter().flat_map(|task| {
        task.links.iter().flatten().filter_map(|link| match link {
            Meaning::Stage(stage) => Some((*stage, task.at)),
            _ => None,
        })
    })
}
