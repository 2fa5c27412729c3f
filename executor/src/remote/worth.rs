//! Which layers are worth to travel: those of which it takes longer to make them again than to fetch them.
//!
//! Little is lost if one does not: its record travels, so that what follows is found all the same, and its step is done again
//! only where somebody needs the content. But what a command makes the second time may be another thing, and then all that
//! follows it is to be done again too. So the layer of a command spares what all steps after it took; that of a copy only itself.
//! Both spare the fetching of the trees that files are taken of. The tree below is needed with the layer as much as without.

use std::collections::BTreeMap;
use std::time::Duration;

use layercake_cache::{ContentKey, Error as StoreError, Store};
use layercake_compiler::operation::Operation;
use layercake_compiler::plan::{Plan, Step, StepId};

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
    /// Of a plan that has been carried out: the steps with these keys. `size` says of how many bytes the tree of a step is.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn new(
        store: &Store,
        plan: &Plan,
        keys: &BTreeMap<StepId, ContentKey>,
        size: impl Fn(StepId) -> u64,
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
        let with_taken = |step: &Step| {
            let taken = step.inputs.iter().skip(1).map(|input| size(*input));
            let fetching: Duration = taken.filter(|size| *size > 0).map(|size| rates.time(size)).sum();
            Some(spared(step.id)? + fetching)
        };
        Ok(Self { spared: plan.steps.iter().map(with_taken).collect(), rates })
    }

    /// How long it would take to fetch the layer of a step, of so many bytes, and how long to do without, if that is shorter;
    /// `None` if the layer is worth to travel.
    #[must_use]
    pub fn loss(&self, step: StepId, bytes: u64) -> Option<(Duration, Duration)> {
        let (fetch, spared) = (self.rates.time(bytes), self.spared[step.index()]?);
        (bytes > SMALL && spared < fetch).then_some((fetch, spared))
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use layercake_compiler::oci::ContainerConfig;
    use layercake_compiler::operation::{Below, MakeDir};
    use layercake_compiler::plan::{Origin, PLAN_VERSION, PlannedImage, Step};
    use layercake_compiler::platform::Platform;

    use super::*;
    use crate::build::product::Made;
    use crate::build::tree::Change;

    /// A folder, and two fetched files one after the other, which took so many milliseconds. The last also takes files of a
    /// tree of so many bytes.
    fn worth(took: [Option<u64>; 3], taken: u64) -> Worth {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        let make_dir = MakeDir { path: "/a".to_owned(), owner: None, below: Below::default() };
        let http =
            || layercake_compiler::operation::Http { url: String::new(), filename: "f".to_owned(), checksum: None };
        let operations = [Operation::MakeDir(make_dir), Operation::Http(http()), Operation::Http(http())];
        let step = |(operation, id): (Operation, u32)| Step {
            id: StepId(id),
            operation,
            inputs: id.checked_sub(1).map(StepId).into_iter().chain((id == 2).then_some(StepId(0))).collect(),
            origin: Origin { stage: String::new(), line: 0, name: String::new() },
        };
        let plan = Plan {
            version: PLAN_VERSION,
            target: String::new(),
            platform: Platform::new("linux", "amd64", ""),
            steps: operations.into_iter().zip(0..).map(step).collect(),
            result: StepId(2),
            image: PlannedImage { base: None, config: ContainerConfig::default(), author: None, history: Vec::new() },
        };
        let mut keys = BTreeMap::new();
        for (took, id) in took.into_iter().zip(0..) {
            let key = layercake_cache::KeyHasher::new("test").field(&[id]).finish();
            keys.insert(StepId(u32::from(id)), key);
            let id = layercake_cache::ContentId::new(blake3::hash(b""));
            let made = Made { change: Change { id, folder: id, is_empty: false }, at: 0 };
            if let Some(took) = took {
                record::keep(&store, &key, made, Duration::from_millis(took)).unwrap();
            }
        }
        let size = |step| if step == StepId(0) { taken } else { 0 };
        Worth::new(&store, &plan, &keys, size, Rates::default()).unwrap()
    }

    #[test]
    fn what_is_made_faster_than_fetched_stays() {
        let worth = worth([Some(1), Some(1), Some(1)], 0);
        assert!((0..3).all(|step| worth.loss(StepId(step), 300_000_000).is_some()));
        // Small ones are not worth the thought.
        assert!((0..3).all(|step| worth.loss(StepId(step), 1000).is_none()));
    }

    #[test]
    fn what_may_become_another_thing_spares_what_follows_it() {
        let worth = worth([Some(1), Some(1), Some(60_000)], 0);
        let is_worth = |step| worth.loss(StepId(step), 300_000_000).is_none();
        assert_eq!([is_worth(0), is_worth(1), is_worth(2)], [false, true, true]);
    }

    #[test]
    fn what_is_taken_of_a_large_tree_is_worth_it() {
        let is_worth = |taken| worth([Some(1), Some(1), Some(1)], taken).loss(StepId(2), 3_000_000).is_none();
        assert_eq!([is_worth(0), is_worth(100_000_000)], [false, true]);
    }

    #[test]
    fn what_nobody_has_measured_travels() {
        let worth = worth([None, Some(1), None], 0);
        assert!((0..3).all(|step| worth.loss(StepId(step), 300_000_000).is_none()));
    }
}
