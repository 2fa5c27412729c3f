//! [`Recorder`]: listens to a build, and remembers it when it has ended.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use layercake_cache::{ContentKey, Error as StoreError, Store};
use layercake_compiler::operation::Operation;
use layercake_compiler::plan::{Plan, StepId};

use super::document::{self, Surroundings};
use super::history::{History, Outcome, Subject};
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

impl Recorder {
    /// Takes an event.
    pub fn event(&self, event: Event<'_>) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Described { step, ingredients, reuse } => {
                // One that was done may be looked up once more: for another step, the plan was begun again.
                let finish =
                    seen.get(&step).filter(|seen| seen.ingredients == *ingredients).and_then(|seen| seen.finish);
                let finish = finish.filter(|finish| matches!(finish, Finish::Done(_)));
                seen.insert(step, Seen { ingredients: ingredients.clone(), reuse, finish });
            }
            Event::Finished { step, how } => {
                if let Some(seen) = seen.get_mut(&step)
                    && !matches!((seen.finish, how), (Some(Finish::Done(_)), Finish::Cached))
                {
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

    /// The key of a step, if that is known.
    #[must_use]
    pub fn key(&self, step: StepId) -> Option<ContentKey> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(&step).map(|seen| seen.ingredients.key())
    }

    /// Whether a step was done, and not found in a cache.
    #[must_use]
    pub fn was_done(&self, step: StepId) -> bool {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(&step).is_some_and(|seen| matches!(seen.finish, Some(Finish::Done(_))))
    }

    /// Remembers the build of a plan, whether or not it came to its end. Writes nothing if it was as the last one. `heard` is as
    /// what a step of the plan was told of.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn keep(
        &self,
        store: &Store,
        subject: &Subject,
        plan: &Plan,
        surroundings: Surroundings,
        heard: impl Fn(StepId) -> StepId,
    ) -> Result<(), StoreError> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |step: StepId| seen.get(&heard(step));
        let key = |step: StepId| of(step).map(|seen| seen.ingredients.key().to_string());
        let build = document::build(plan, surroundings, key);
        let outcomes = plan.steps.iter().map(|step| outcome(&step.operation, of(step.id)));
        History::load(store, subject)?.add(
            store,
            &build,
            outcomes.collect(),
            plan.steps.iter().filter_map(|step| of(step.id)).map(|seen| &seen.ingredients),
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
