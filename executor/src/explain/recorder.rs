//! [`Recorder`]: listens to a build, and remembers it when it has ended.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use layercake_cache::{ContentKey, Error as StoreError, Store};
use layercake_compiler::operation::{MountKind, Operation};
use layercake_compiler::plan::{self, Plan, StepId};

use super::history::{Build, History, Op, Outcome, Step, Subject};
use crate::build::event::{Event, Finish};
use crate::build::key::Ingredients;
use crate::build::site::Reuse;

/// What is known of a build while it goes on.
#[derive(Debug, Default)]
pub struct Recorder(Mutex<BTreeMap<StepId, Seen>>);

/// What is known of a step.
#[derive(Debug)]
struct Seen {
    ingredients: Ingredients,
    reuse: Reuse,
    finish: Option<Finish>,
}

/// What the Dockerfile and the command line say besides the plan.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// Every `ARG`, and what was given for it or is its default.
    pub arguments: BTreeMap<String, String>,
    /// What the ignore files say, by the context's name.
    pub ignored: BTreeMap<String, Vec<String>>,
    /// The arguments that are named on each line.
    pub uses: BTreeMap<u32, BTreeSet<String>>,
}

impl Recorder {
    /// Takes an event.
    pub fn event(&self, event: Event<'_>) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Described { step, ingredients, reuse } => {
                // A fetched file is known only once it has come.
                let finish = None;
                seen.insert(step, Seen { ingredients: ingredients.clone(), reuse, finish });
            }
            Event::Finished { step, how } => {
                if let Some(seen) = seen.get_mut(&step) {
                    seen.finish = Some(how);
                }
            }
            Event::Started { .. } | Event::Output { .. } | Event::Transfer { .. } | Event::Note { .. } => (),
        }
    }

    /// The keys of the steps so far.
    #[must_use]
    pub fn keys(&self) -> BTreeMap<StepId, ContentKey> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter().map(|(step, seen)| (*step, seen.ingredients.key())).collect()
    }

    /// Remembers the build, whether or not it came to its end. Writes nothing if it was as the last one.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn keep(
        &self,
        store: &Store,
        subject: &Subject,
        plan: &Plan,
        surroundings: Surroundings,
    ) -> Result<(), StoreError> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Surroundings { arguments, ignored, uses } = surroundings;
        let steps = plan.steps.iter().map(|step| Step {
            id: step.id,
            op: op(&step.operation),
            stage: step.origin.stage.clone(),
            line: step.origin.line,
            name: step.origin.name.clone(),
            inputs: step.inputs.clone(),
            sources: sources(step),
            uses: uses.get(&step.origin.line).cloned().unwrap_or_default(),
            key: seen.get(&step.id).map(|seen| seen.ingredients.key().to_string()),
        });
        let build = Build { steps: steps.collect(), arguments, ignored };
        let outcomes = plan.steps.iter().map(|step| outcome(&step.operation, seen.get(&step.id)));
        History::load(store, subject)?.add(
            store,
            &build,
            outcomes.collect(),
            seen.values().map(|seen| &seen.ingredients),
        )
    }
}

fn outcome(operation: &Operation, seen: Option<&Seen>) -> Outcome {
    match (operation, seen.map(|seen| (seen.finish, seen.reuse))) {
        (operation, _) if operation.is_given() => Outcome::Given,
        (_, Some((Some(Finish::Cached), _))) => Outcome::Hit,
        (_, Some((Some(Finish::Done(_)), Reuse::Refused))) => Outcome::Refused,
        (_, Some((Some(Finish::Done(_)), Reuse::Allowed))) => Outcome::Done,
        (_, Some((Some(Finish::Failed(_)), _))) => Outcome::Failed,
        (_, Some((None, _)) | None) => Outcome::Unreached,
    }
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
        Operation::Run(run) => {
            let input = |kind: &MountKind| match kind {
                MountKind::Bind { input, .. } | MountKind::Cache { from: Some((input, _)), .. } => Some(*input),
                MountKind::Cache { .. }
                | MountKind::Tmpfs { .. }
                | MountKind::Secret { .. }
                | MountKind::Ssh { .. } => None,
            };
            run.mounts.iter().filter_map(|mount| input(&mount.kind)).collect()
        }
        _ => Vec::new(),
    };
    slots.into_iter().filter_map(|slot| step.inputs.get(slot).copied()).collect()
}
