//! Which stages and images the target needs. Triggers of its bases may need more, so they are looked up on the way.

use std::collections::HashSet;

use super::Extent;
use super::budget::Budget;
use super::header::{Headers, Meaning};
use super::link::{Provenance, Task, trigger};
use super::scope::MAX_CANDIDATES;
use super::stage::StageSyntax;
use crate::ast::Command;
use crate::diagnostic::{Code, Diagnostic};
use crate::parse::parse_trigger;
use crate::platform::Platform;
use crate::program::StageId;
use crate::request::{BaseRequest, Bases, Request};
use crate::source::Span;
use crate::suggest;

/// What is needed.
#[derive(Debug)]
pub(super) struct Reach<'a> {
    /// The tasks of each stage, triggers first.
    pub(super) tasks: Vec<Vec<Task<'a>>>,
    /// Whether the stage is needed.
    pub(super) is_needed: Vec<bool>,
    /// The images that the caller has to find out about.
    pub(super) missing: Vec<BaseRequest>,
}

/// Walks from the target to everything it needs.
#[expect(clippy::too_many_arguments, reason = "each is one of the things that decide what is needed")]
pub(super) fn find<'a>(
    stages: &[StageSyntax<'a>],
    headers: &Headers,
    tasks: Vec<Vec<Task<'a>>>,
    target: StageId,
    request: &Request,
    bases: &Bases,
    extent: Extent,
    budget: &mut Budget,
    findings: &mut Vec<Diagnostic>,
) -> Reach<'a> {
    let mut reach = Reach { tasks, is_needed: vec![false; stages.len()], missing: Vec::new() };
    let mut asked = HashSet::new();
    let mut pending = match extent {
        Extent::Target => vec![target],
        Extent::AllStages => (0..stages.len()).rev().map(StageId).collect(),
    };
    while let Some(stage) = pending.pop() {
        if std::mem::replace(&mut reach.is_needed[stage.0], true) {
            continue;
        }
        let header = headers.get(stage);
        let at = stages[stage.0].instruction.span;
        let mut need_image = |reference: &str, platform: &Platform, span: Span| {
            let known = bases.get(reference, platform);
            if known.is_none() && asked.insert((reference.to_owned(), platform.clone())) {
                let near = near(reference, headers);
                let (reference, platform) = (reference.to_owned(), platform.clone());
                reach.missing.push(BaseRequest { reference, platform, span, near });
            }
            known
        };
        let mut triggers = Vec::new();
        match &header.base {
            Meaning::Scratch | Meaning::Context(_) | Meaning::Git(_) => {}
            Meaning::Image(reference) => {
                let platform = header.platform.as_ref().unwrap_or(&request.platform);
                let image = need_image(reference, platform, at);
                triggers.extend(image.iter().flat_map(|image| image.config.on_build.iter().cloned()));
            }
            Meaning::Stage(base) => {
                pending.push(*base);
                triggers.extend(stages[base.0].body.iter().filter_map(|instruction| match &instruction.command {
                    Some(Command::Onbuild(onbuild)) => Some(onbuild.expression.clone()),
                    _ => None,
                }));
            }
        }
        if header.is_replaced {
            reach.tasks[stage.0].clear();
            continue;
        }
        let mut run_first = Vec::new();
        for text in triggers {
            if let Err(error) = budget.spend(TRIGGER_WEIGHT * text.len(), at) {
                findings.push(*error);
                return reach;
            }
            let parsed = parse_trigger(&text).map_err(|error| in_trigger(error, &text, at));
            match parsed.and_then(|instruction| {
                trigger(instruction, at, headers, request).map_err(|error| in_trigger(*error, &text, at))
            }) {
                Ok(task) => run_first.push(task),
                Err(error) => findings.push(error),
            }
        }
        reach.tasks[stage.0].splice(0..0, run_first);
        for task in &reach.tasks[stage.0] {
            for link in task.links.iter().flatten() {
                match link {
                    Meaning::Stage(stage) => pending.push(*stage),
                    Meaning::Image(reference) => {
                        need_image(reference, &request.platform, task.at);
                    }
                    Meaning::Scratch | Meaning::Context(_) | Meaning::Git(_) => {}
                }
            }
        }
    }
    reach
}

/// How many bytes the syntax of a trigger takes for each byte of its text, about.
const TRIGGER_WEIGHT: usize = 8;

/// Images that many start from.
const COMMON: [&str; 10] =
    ["alpine", "busybox", "centos", "debian", "fedora", "golang", "node", "python", "rust", "ubuntu"];

/// The stage or common image whose name is nearest to one that may not exist.
fn near(reference: &str, headers: &Headers) -> Option<String> {
    let stages = headers.labels().take(MAX_CANDIDATES).filter(|label| !label.starts_with(|c: char| c.is_ascii_digit()));
    suggest::nearest(reference, stages.chain(COMMON)).map(str::to_owned)
}

/// A finding about a trigger, whose text does not stand in this file: it is shown at the stage's `FROM`.
pub(super) fn in_trigger(finding: Diagnostic, trigger: &str, at: Span) -> Diagnostic {
    let line = trigger.lines().next().unwrap_or_default();
    let help = format!("mend `ONBUILD {line}` of the base, which runs here");
    Diagnostic { labels: Vec::new(), instruction: Some(at), help: finding.help, ..finding }.help(help)
}

impl Task<'_> {
    /// Puts a finding about this task where its author can see it.
    pub(super) fn locate(&self, finding: Diagnostic) -> Diagnostic {
        match self.provenance {
            Provenance::File => finding,
            Provenance::Trigger => in_trigger(finding, self.instruction.line.text(), self.at),
        }
    }

    /// The error for a stage that is used before it exists.
    pub(super) fn too_early(&self, message: String) -> Diagnostic {
        Diagnostic::error(Code::UnknownStage, self.at, message).help("move that stage above this one")
    }
}
