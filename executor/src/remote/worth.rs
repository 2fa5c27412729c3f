//! Which layers are worth to travel: those of which it takes longer to make them again than to fetch them.
//!
//! Little is lost if one does not: its record travels, so that what follows is found all the same, and its step is done again
//! only where somebody needs the content. But what a command makes the second time may be another thing, and then all that
//! follows it is to be done again too. So the layer of a command spares what all steps after it took; that of a copy only itself.

use std::collections::BTreeMap;
use std::time::Duration;

use layercake_cache::{ContentKey, Error as StoreError, Store};
use layercake_compiler::operation::Operation;
use layercake_compiler::plan::{Plan, StepId};

use super::rate::Rates;
use crate::build::record;

/// Whether layers are left behind that are not worth to travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Skip {
    /// They are.
    Auto,
    /// Everything travels.
    #[default]
    Off,
}

/// Bytes of a layer that always travels: what follows is surer with it.
const SMALL: u64 = 1 << 20;

/// What the layers of a plan spare.
#[derive(Debug)]
pub struct Worth {
    /// How long it takes to have what a step made without its layer; `None` if that is not known.
    spared: Vec<Option<Duration>>,
    rates: Rates,
}

impl Worth {
    /// Of a plan that has been carried out: the steps with these keys.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn new(
        store: &Store,
        plan: &Plan,
        keys: &BTreeMap<StepId, ContentKey>,
        rates: Rates,
    ) -> Result<Self, StoreError> {
        let took = |step: &StepId| match keys.get(step) {
            _ if plan.steps[step.index()].operation.is_given() => Ok(Some(Duration::ZERO)),
            Some(key) => record::took(store, key),
            None => Ok(None),
        };
        let took = plan.steps.iter().map(|step| took(&step.id)).collect::<Result<Vec<_>, _>>()?;
        let spared = |step: StepId| match plan.steps[step.index()].operation {
            // The same files make the same layer.
            Operation::Copy(_) | Operation::MakeDir(_) => took[step.index()],
            _ => followers(plan, step).into_iter().map(|step| took[step.index()]).sum(),
        };
        Ok(Self { spared: plan.steps.iter().map(|step| spared(step.id)).collect(), rates })
    }

    /// Whether the layer of a step, of so many bytes, is worth to travel; else how long it would take to fetch it, and how
    /// long to do without.
    #[must_use]
    pub fn of(&self, step: StepId, bytes: u64) -> Result<(), (Duration, Duration)> {
        match (self.rates.time(bytes), self.spared[step.index()]) {
            (fetch, Some(spared)) if bytes > SMALL && spared < fetch => Err((fetch, spared)),
            _ => Ok(()),
        }
    }
}

/// A step, and all that depend on it.
fn followers(plan: &Plan, first: StepId) -> Vec<StepId> {
    let mut all = vec![first];
    for step in &plan.steps[first.index() + 1..] {
        if step.inputs.iter().any(|input| all.contains(input)) {
            all.push(step.id);
        }
    }
    all
}
