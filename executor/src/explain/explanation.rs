//! [`Explanation`]: of each step of the last build, whether it was a hit, and if not, why.

use std::collections::BTreeSet;

use layercake_cache::{Error as StoreError, Store};
use layercake_compiler::plan::StepId;
use serde::Serialize;

use super::align::align;
use super::difference::{Side, differences};
use super::history::{self, Build, Entry, History, Op, Outcome, Step, Subject};
use super::reason::{Kind, Reason};

/// A build, explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The steps that can be a hit or a miss, in the plan's order.
    pub steps: Vec<Explained>,
}

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

/// An earlier build, and which of its steps is which.
struct Earlier {
    build: Build,
    entry: Entry,
    /// For each step of the last build.
    places: Vec<Option<usize>>,
}

/// Explains the last build of these inputs.
///
/// # Errors
/// If there was none, or nothing is left of it.
pub fn explain(store: &Store, subject: &Subject) -> Result<Explanation, Error> {
    let history = History::load(store, subject)?;
    let Some((last, before)) = history.builds.split_first() else {
        return Err(Error::NoBuild(Box::new(subject.clone()), History::subjects(store)?));
    };
    let gone = || Error::Gone(Box::new(subject.clone()));
    let build = history::build(store, last)?.ok_or_else(gone)?;
    let is_hit = |outcome: &Outcome| matches!(outcome, Outcome::Hit | Outcome::Given);
    let mut earlier = Vec::new();
    // What was a hit needs no earlier build.
    let is_compared = !last.outcomes.iter().all(is_hit) || build.steps.iter().any(|step| step.op == Op::Image);
    for entry in before.iter().filter(|_| is_compared) {
        if let Some(found) = history::build(store, entry)? {
            let places = align(&found.steps, &build.steps);
            earlier.push(Earlier { build: found, entry: entry.clone(), places });
        }
    }
    let mut steps: Vec<Explained> = Vec::new();
    for (place, (step, outcome)) in build.steps.iter().zip(&last.outcomes).enumerate() {
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
        if let Some(key) = &step.key
            && (is_given || matches!(state, State::Miss | State::Failed))
        {
            let ingredients = history::ingredients(store, key)?.ok_or_else(gone)?;
            let side = Side { build: &build, step, ingredients: &ingredients };
            let again = last.before.as_ref().map(|outcomes| outcomes[place]);
            reasons = led_back(of_step(store, side, place, *outcome, again, &earlier)?, &steps);
            // What is never done is a miss if it is another than before.
            if is_given {
                let is_known = reasons == [Reason::bare(Kind::Gone)] || before.is_empty() && only_hits(last);
                (state, reasons) = if is_known { (State::Hit, Vec::new()) } else { (State::Miss, reasons) };
            }
        }
        steps.push(Explained { step: step.clone(), state, reasons });
    }
    // What was stacked has been led back to.
    steps.retain(|explained| explained.step.op != Op::Stack);
    Ok(Explanation { steps })
}

/// Whether everything was in the store: then this is not the first build, whatever is remembered.
fn only_hits(entry: &Entry) -> bool {
    let mut outcomes = entry.outcomes.iter().filter(|outcome| **outcome != Outcome::Given).peekable();
    outcomes.peek().is_some() && outcomes.all(|outcome| *outcome == Outcome::Hit)
}

/// Why a step was done: what differs from the earlier build that it differs least from, of those the last. `again` is how it
/// ended the time before, if the same was built before.
fn of_step(
    store: &Store,
    side: Side<'_>,
    place: usize,
    outcome: Outcome,
    again: Option<Outcome>,
    earlier: &[Earlier],
) -> Result<Vec<Reason>, StoreError> {
    let mut nearest: Option<Vec<Reason>> = None;
    // How the same ended before.
    let mut ends: Vec<Outcome> = again.into_iter().collect();
    let mut compared = BTreeSet::new();
    for Earlier { build, entry, places } in earlier {
        let same = build.steps.iter().position(|step| step.key.is_some() && step.key == side.step.key);
        if let Some(same) = same {
            ends.push(entry.outcomes[same]);
            continue;
        }
        let Some(old) = places[place].map(|place| &build.steps[place]) else { continue };
        let Some(key) = old.key.as_ref().filter(|key| compared.insert((*key).clone())) else { continue };
        let Some(ingredients) = history::ingredients(store, key)? else { continue };
        let found = differences(store, Side { build, step: old, ingredients: &ingredients }, side)?;
        if nearest.as_ref().is_none_or(|nearest| found.len() < nearest.len()) {
            nearest = Some(found);
        }
    }
    Ok(match nearest {
        _ if outcome == Outcome::Refused => vec![Reason::bare(Kind::NoCache)],
        _ if ends.iter().any(has_result) => vec![Reason::bare(Kind::Gone)],
        _ if !ends.is_empty() => vec![Reason::bare(Kind::FailedBefore)],
        Some(found) => found,
        None if earlier.is_empty() => vec![Reason::bare(Kind::FirstBuild)],
        None => vec![Reason::bare(Kind::NewStep)],
    })
}

/// Whether a step that ended so has left a result.
fn has_result(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Given | Outcome::Hit | Outcome::Done | Outcome::Refused => true,
        Outcome::Failed | Outcome::Unreached => false,
    }
}

/// Leads steps that are named as a cause back to those that changed by themselves, and a base image to what differs in it.
fn led_back(reasons: Vec<Reason>, done: &[Explained]) -> Vec<Reason> {
    let mut found: Vec<Reason> = Vec::new();
    let of = |id: StepId| done.iter().find(|explained| explained.step.id == id);
    for reason in reasons {
        let cause = reason.step.filter(|_| reason.kind == Kind::Step).and_then(of);
        let causes = match cause {
            Some(cause) if is_moved(cause) => cause.reasons.clone(),
            // Everything that differs in it comes from other steps.
            Some(cause) if !cause.reasons.is_empty() && cause.reasons.iter().all(|reason| reason.step.is_some()) => {
                cause.reasons.iter().filter(|reason| reason.kind == Kind::Step).cloned().collect()
            }
            Some(_) | None => vec![reason],
        };
        for cause in causes {
            if !found.contains(&cause) {
                found.push(cause);
            }
        }
    }
    found
}

/// Whether it is an image that is another than before.
fn is_moved(explained: &Explained) -> bool {
    explained.step.op == Op::Image
        && explained.reasons.iter().any(|reason| matches!(reason.kind, Kind::Base | Kind::Platform))
}
