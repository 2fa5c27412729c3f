//! A build as it is remembered: what its plan says, what the Dockerfile and the command line say besides, and the keys of its steps.

use std::collections::{BTreeMap, BTreeSet};

use layercake_compiler::operation::Operation;
use layercake_compiler::plan::{self, Plan, StepId};

use super::history::{Build, Held, Op, Step};

/// What the Dockerfile and the command line say besides the plan.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// Every `ARG`, and what was given for it or is its default.
    pub arguments: BTreeMap<String, String>,
    /// What the ignore files say, by the context's name.
    pub ignored: BTreeMap<String, Vec<String>>,
    /// The arguments that are named on each line.
    pub uses: BTreeMap<u32, BTreeSet<String>>,
    /// The steps that are held to a lock file.
    pub locked: BTreeSet<StepId>,
}

/// A build of this plan. `key` is the key of a step, if it has one and the build came to it.
pub(crate) fn build(plan: &Plan, surroundings: Surroundings, key: impl Fn(StepId) -> Option<String>) -> Build {
    let Surroundings { arguments, ignored, uses, locked } = surroundings;
    let steps = plan.steps.iter().map(|step| Step {
        id: step.id,
        op: op(&step.operation),
        stage: step.origin.stage.clone(),
        line: step.origin.line,
        name: step.origin.name.clone(),
        inputs: step.inputs.clone(),
        sources: sources(step),
        uses: uses.get(&step.origin.line).cloned().unwrap_or_default(),
        held: if locked.contains(&step.id) { Held::Locked } else { Held::Free },
        key: key(step.id),
    });
    Build { steps: steps.collect(), arguments, ignored }
}

fn op(operation: &Operation) -> Op {
    match operation {
        Operation::Image(_) => Op::Image,
        Operation::Scratch => Op::Scratch,
        Operation::Context(_) => Op::Context,
        Operation::Inline(_) => Op::Inline,
        Operation::Http(_) => Op::Http,
        Operation::Git(_) => Op::Git,
        Operation::Copy(_) => Op::Copy,
        Operation::Run(_) => Op::Run,
        Operation::MakeDir(_) => Op::MakeDir,
        Operation::Stack => Op::Stack,
    }
}

/// The steps that a step's contents come from, in the order in which the ingredients name them.
fn sources(step: &plan::Step) -> Vec<StepId> {
    let slots: Vec<usize> = match &step.operation {
        Operation::Copy(copy) => copy.sources.iter().map(|source| source.input).collect(),
        Operation::Run(run) => run.mounts.iter().filter_map(|mount| mount.kind.reads()).map(|(slot, _)| slot).collect(),
        _ => Vec::new(),
    };
    slots.into_iter().filter_map(|slot| step.inputs.get(slot).copied()).collect()
}
