//! Of each step of the last build, whether it was a hit, and if not, why; and the same of the next build.

use std::borrow::Cow;

use layercake_cache::{Error as StoreError, Store};
use layercake_compiler::operation::Operation;
use layercake_compiler::plan::{Outlook, Plan};
use serde::Serialize;

use super::cause::{Earlier, led_back, of_step};
use super::difference::Side;
use super::document::{self, Surroundings};
use super::history::{self, Build, Entry, History, Op, Outcome, Step, Subject};
use super::reason::{Kind, Reason};
use crate::build::key::Ingredients;
use crate::build::predict::Prediction;
use crate::build::site::Reuse;

/// A step, explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// The step.
    pub step: Step,
    /// What it was.
    pub state: State,
    /// Why, of one that was no hit; what differs from the nearest earlier build.
    pub reasons: Vec<Reason>,
}

/// What a step was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// The store had it.
    Hit,
    /// It was done.
    Miss,
    /// It was to be done, and failed.
    Failed,
    /// The build ended before it.
    Unreached,
}

/// Why a build cannot be explained.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There was no build of these inputs; of others there may have been some.
    #[error("nothing is remembered of a build of `{}`", .0.context)]
    NoBuild(Box<Subject>, Vec<Subject>),
    /// There was one, and its records are gone.
    #[error("what was remembered of the last build of `{}` is no longer in the store", .0.context)]
    Gone(Box<Subject>),
}

/// A build that is explained.
struct Told<'a> {
    build: &'a Build,
    /// How its steps ended, or will end.
    outcomes: &'a [Outcome],
    /// How they had ended the time before, if the same was built before.
    again: Option<&'a [Outcome]>,
    /// The builds before it, the last one first.
    before: &'a [Entry],
    /// What a step with a key was made from.
    ingredients: &'a dyn Fn(&Step) -> Found<'a>,
}

/// What a step was made from; `None` if that is no longer known.
type Found<'a> = Result<Option<Cow<'a, Ingredients>>, StoreError>;

/// Explains the last build of these inputs: the steps that can be a hit or a miss, in the plan's order.
///
/// # Errors
/// If there was none, or nothing is left of it.
pub fn explain(store: &Store, subject: &Subject) -> Result<Vec<Explained>, Error> {
    let history = History::load(store, subject)?;
    let Some((last, before)) = history.builds.split_first() else {
        return Err(Error::NoBuild(Box::new(subject.clone()), History::subjects(store)?));
    };
    let gone = || Error::Gone(Box::new(subject.clone()));
    let build = history::build(store, last)?.ok_or_else(gone)?;
    let told = Told {
        build: &build,
        outcomes: &last.outcomes,
        again: last.before.as_deref(),
        before,
        ingredients: &|step| {
            let key = step.key.as_deref().unwrap_or_default();
            Ok(history::ingredients(store, key)?.map(Cow::Owned))
        },
    };
    told.explained(store)?.ok_or_else(gone)
}

/// Explains the next build of these inputs beforehand, as far as it is predicted: in the same way, and so in the same words,
/// as [`explain`] will when it has been done.
///
/// # Errors
/// If the store cannot be read.
pub fn explain_predicted(
    store: &Store,
    subject: &Subject,
    plan: &Plan,
    surroundings: Surroundings,
    predictions: &[Prediction],
) -> Result<Vec<Explained>, StoreError> {
    let history = History::load(store, subject)?;
    let ingredients = |step: &Step| predictions[step.id.index()].ingredients.as_ref();
    let key = |step: usize| predictions[step].ingredients.as_ref().map(|ingredients| ingredients.key().to_string());
    let build = document::build(plan, surroundings, |step| key(step.index()));
    let outcomes = plan.steps.iter().zip(predictions).map(|(step, prediction)| outcome(&step.operation, prediction));
    let told = Told {
        build: &build,
        outcomes: &outcomes.collect::<Vec<_>>(),
        again: None,
        before: &history.builds,
        ingredients: &|step| Ok(ingredients(step).map(Cow::Borrowed)),
    };
    Ok(told.explained(store)?.unwrap_or_default())
}

/// How a step will end if it is as predicted, and if it does not fail.
fn outcome(operation: &Operation, prediction: &Prediction) -> Outcome {
    match (prediction.outlook, prediction.reuse) {
        _ if operation.is_given() => Outcome::Given,
        (Outlook::Given, _) => Outcome::Given,
        (Outlook::Hit, _) => Outcome::Hit,
        (Outlook::Miss, Reuse::Refused) => Outcome::Refused,
        (Outlook::Miss, Reuse::Allowed) => Outcome::Done,
        (Outlook::Unknown, _) => Outcome::Unreached,
    }
}

impl Told<'_> {
    /// The steps that can be a hit or a miss; `None` if it is no longer known what one was made from.
    fn explained(&self, store: &Store) -> Result<Option<Vec<Explained>>, StoreError> {
        let is_hit = |outcome: &Outcome| matches!(outcome, Outcome::Hit | Outcome::Given);
        // What was a hit needs no earlier build.
        let is_compared = !self.outcomes.iter().all(is_hit) || self.build.steps.iter().any(|step| step.op == Op::Image);
        let before = if is_compared { self.before } else { &[] };
        let earlier = Earlier::all(store, before, &self.build.steps)?;
        let mut steps: Vec<Explained> = Vec::new();
        for (place, (step, outcome)) in self.build.steps.iter().zip(self.outcomes).enumerate() {
            if matches!(step.op, Op::Scratch | Op::Context | Op::Inline) {
                continue;
            }
            let mut state = match outcome {
                Outcome::Given | Outcome::Hit => State::Hit,
                Outcome::Done | Outcome::Refused => State::Miss,
                Outcome::Failed => State::Failed,
                Outcome::Unreached => State::Unreached,
            };
            let mut reasons = Vec::new();
            let is_given = matches!(step.op, Op::Image | Op::Stack);
            if *outcome == Outcome::Refused {
                reasons.push(Reason::bare(Kind::NoCache));
            } else if step.key.is_some() && (is_given || matches!(state, State::Miss | State::Failed)) {
                let Some(ingredients) = (self.ingredients)(step)? else { return Ok(None) };
                let side = Side { build: self.build, step, ingredients: &ingredients };
                let again = self.again.map(|outcomes| outcomes[place]);
                reasons = led_back(of_step(store, side, again, &earlier)?, &steps);
                // What is never done is a miss if it is another than before.
                if is_given {
                    let is_known = reasons == [Reason::bare(Kind::Gone)] || self.before.is_empty() && self.only_hits();
                    (state, reasons) = if is_known { (State::Hit, Vec::new()) } else { (State::Miss, reasons) };
                }
            }
            steps.push(Explained { step: step.clone(), state, reasons });
        }
        // What was stacked has been led back to.
        steps.retain(|explained| explained.step.op != Op::Stack);
        Ok(Some(steps))
    }

    /// Whether everything was in the store: then this is not the first build, whatever is remembered.
    fn only_hits(&self) -> bool {
        let mut outcomes = self.outcomes.iter().filter(|outcome| **outcome != Outcome::Given).peekable();
        outcomes.peek().is_some() && outcomes.all(|outcome| *outcome == Outcome::Hit)
    }
}
