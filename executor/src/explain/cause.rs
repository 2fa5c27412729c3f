//! Why one step was no hit: what differs from the nearest earlier build, led back to the step that changed by itself.

use std::collections::{BTreeSet, HashMap};

use layercake_cache::{Error as StoreError, Store};
use layercake_compiler::plan::StepId;

use super::align::align;
use super::difference::{Side, differences};
use super::explanation::Explained;
use super::history::{self, Build, Entry, Op, Outcome, Step};
use super::reason::{Kind, Reason};

/// An earlier build, and which of its steps is which.
pub(super) struct Earlier {
    build: Build,
    entry: Entry,
    /// For each step of the build that is explained.
    places: Vec<Option<usize>>,
    /// Where the steps are that had these keys.
    keys: HashMap<String, usize>,
}

impl Earlier {
    /// Those that are remembered in a store, beside the steps that are explained.
    pub(super) fn all(store: &Store, entries: &[Entry], steps: &[Step]) -> Result<Vec<Self>, StoreError> {
        let mut all = Vec::new();
        for entry in entries {
            if let Some(build) = history::build(store, entry)? {
                let places = align(&build.steps, steps);
                let keyed = build.steps.iter().enumerate().rev();
                let keys = keyed.filter_map(|(place, step)| Some((step.key.clone()?, place))).collect();
                all.push(Self { build, entry: entry.clone(), places, keys });
            }
        }
        Ok(all)
    }
}

/// What differs from the earlier build that a step differs least from, of those the last. `again` is how it ended the time
/// before, if the same was built before.
pub(super) fn of_step(
    store: &Store,
    side: Side<'_>,
    again: Option<Outcome>,
    earlier: &[Earlier],
) -> Result<Vec<Reason>, StoreError> {
    let mut nearest: Option<Vec<Reason>> = None;
    // How the same ended before.
    let mut ends: Vec<Outcome> = again.into_iter().collect();
    let mut compared = BTreeSet::new();
    for Earlier { build, entry, places, keys } in earlier {
        if let Some(same) = side.step.key.as_ref().and_then(|key| keys.get(key)) {
            ends.push(entry.outcomes[*same]);
            continue;
        }
        // Nothing can be nearer than what differs in one thing.
        if nearest.as_ref().is_some_and(|nearest| nearest.len() == 1) {
            continue;
        }
        let Some(old) = places[side.step.id.index()].map(|place| &build.steps[place]) else { continue };
        let Some(key) = old.key.as_ref().filter(|key| compared.insert((*key).clone())) else { continue };
        let Some(ingredients) = history::ingredients(store, key)? else { continue };
        let found = differences(store, Side { build, step: old, ingredients: &ingredients }, side)?;
        if nearest.as_ref().is_none_or(|nearest| found.len() < nearest.len()) {
            nearest = Some(found);
        }
    }
    Ok(match nearest {
        _ if ends.iter().any(has_result) => vec![Reason::bare(Kind::Gone)],
        _ if ends.contains(&Outcome::Failed) => vec![Reason::bare(Kind::FailedBefore)],
        _ if !ends.is_empty() => vec![Reason::bare(Kind::Unfinished)],
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
/// `done` are the steps before this one.
pub(super) fn led_back(reasons: Vec<Reason>, done: &[Explained]) -> Vec<Reason> {
    let mut found: Vec<Reason> = Vec::new();
    for reason in reasons {
        let cause = reason.step.filter(|_| reason.kind == Kind::Step).and_then(|id| of(id, done));
        // A step that was a hit has not changed; it is another one than before.
        let cause = cause.filter(|cause| !cause.reasons.is_empty());
        for cause in cause.map_or_else(|| vec![reason], |cause| behind(cause, done)) {
            if !found.contains(&cause) {
                found.push(cause);
            }
        }
    }
    found
}

fn of(id: StepId, done: &[Explained]) -> Option<&Explained> {
    done.binary_search_by_key(&id, |explained| explained.step.id).ok().map(|place| &done[place])
}

/// Why those differ that depend on a step: the step, or what it was led back to itself.
fn behind(cause: &Explained, done: &[Explained]) -> Vec<Reason> {
    let Explained { step, reasons, .. } = cause;
    let is_from_elsewhere = reasons.iter().all(|reason| reason.step.is_some());
    match step.op {
        Op::Image if reasons.iter().any(|reason| matches!(reason.kind, Kind::Base | Kind::Platform)) => {
            reasons.iter().map(|reason| Reason { step: Some(step.id), ..reason.clone() }).collect()
        }
        // Files are how another step shows; that step is named beside them.
        _ if is_from_elsewhere => {
            let is_file = |reason: &&Reason| matches!(reason.kind, Kind::File | Kind::Heredoc | Kind::Content);
            reasons.iter().filter(|reason| !is_file(reason)).cloned().collect()
        }
        // Nobody has written a stack: what is new is the copy that it puts on the tree.
        Op::Stack => match step.inputs.get(1).and_then(|copy| of(*copy, done)) {
            Some(copy) if !copy.reasons.is_empty() => behind(copy, done),
            Some(copy) => vec![Reason::step(copy.step.id)],
            None => vec![Reason::step(step.id)],
        },
        _ => vec![Reason::step(step.id)],
    }
}
