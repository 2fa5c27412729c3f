//! What steps have cost: kept by what a step is called, so that there is an estimate although its key is new.
//!
//! A step is known by its stage and its instruction as it is written. Both stay when a file, a base image or the value of an
//! argument changes, which is when a step is done again.

use std::time::Duration;

use layercake_cache::{Error as StoreError, Store};
use layercake_compiler::plan::{Costs, Plan, Step};
use serde::{Deserialize, Serialize};

/// The shelf of the store on which this is kept.
const SHELF: &str = "costs";

/// How many times of a step are kept: enough that one slow download does not count, few enough that it is soon noticed
/// when a step has become another one.
const KEPT: usize = 5;

/// How long a step took, in milliseconds, the last time at the end.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
struct Times(Vec<u64>);

/// Remembers how long a step took.
///
/// # Errors
/// If the store cannot be read or written.
pub fn keep(store: &Store, step: &Step, took: Duration) -> Result<(), StoreError> {
    let Times(mut times) = load(store, step)?;
    times.push(u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
    times.drain(..times.len().saturating_sub(KEPT));
    store.put_named(SHELF, &name(step), &serde_json::to_vec(&Times(times)).expect("numbers are always JSON"))
}

/// How long a step usually took: the median of the last times.
///
/// # Errors
/// If the store cannot be read.
pub fn of(store: &Store, step: &Step) -> Result<Option<Duration>, StoreError> {
    let Times(mut times) = load(store, step)?;
    times.sort_unstable();
    // Of an even number the longer one: who waits had better be told too much.
    Ok(times.get(times.len() / 2).copied().map(Duration::from_millis))
}

/// What the steps of a plan cost.
///
/// # Errors
/// If the store cannot be read.
pub fn costs(store: &Store, plan: &Plan) -> Result<Costs, StoreError> {
    let made = |step: &&Step| !step.operation.is_given();
    let known = plan.steps.iter().map(|step| Some(step).filter(made).map_or(Ok(None), |step| of(store, step)));
    let known: Vec<Option<Duration>> = known.collect::<Result<_, _>>()?;
    Ok(Costs::new(plan, |step| known[step.id.index()]))
}

/// What cannot be read is nothing: it is only good for an estimate.
fn load(store: &Store, step: &Step) -> Result<Times, StoreError> {
    let kept = store.named(SHELF, &name(step))?;
    Ok(kept.and_then(|kept| serde_json::from_slice(&kept).ok()).unwrap_or_default())
}

fn name(step: &Step) -> String {
    format!("{}\n{}", step.origin.stage, step.origin.name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use layercake_compiler::operation::Operation;
    use layercake_compiler::plan::{Origin, StepId};

    use super::*;

    fn step(stage: &str, name: &str) -> Step {
        let origin = Origin { stage: stage.to_owned(), line: 7, name: name.to_owned() };
        Step { id: StepId(0), operation: Operation::Scratch, inputs: Vec::new(), origin }
    }

    #[test]
    fn a_single_slow_time_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        let make = step("build", "RUN make");
        assert_eq!(of(&store, &make).unwrap(), None);
        for (took, expected) in [(5, 5), (900, 900), (6, 6), (7, 7), (4, 6), (1, 6), (1, 4), (1, 1)] {
            keep(&store, &make, Duration::from_millis(took)).unwrap();
            assert_eq!(of(&store, &make).unwrap(), Some(Duration::from_millis(expected)));
        }
        assert_eq!(of(&store, &step("test", "RUN make")).unwrap(), None);
        assert_eq!(of(&store, &step("build", "RUN make all")).unwrap(), None);
    }
}
