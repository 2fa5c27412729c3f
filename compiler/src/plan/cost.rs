//! [`Costs`]: how long the steps of a plan take, and what follows of that for the whole.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::{Plan, Ready, Step, StepId};
use crate::operation::Operation;

/// What a step counts as where no step of its plan has been done before. Then only the number of steps decides, and any
/// time would do.
const WITHOUT_A_PAST: Duration = Duration::from_secs(1);

/// How long each step of a plan takes, in the plan's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Costs(Vec<Duration>);

impl Costs {
    /// With what is known of steps.
    ///
    /// A step of which nothing is known counts as the median of the others: it is most likely an instruction that was
    /// edited, and the median of its neighbours is not thrown off by a single step that takes minutes. What only brings
    /// in what is there takes no time.
    pub fn new(plan: &Plan, known: impl Fn(&Step) -> Option<Duration>) -> Self {
        let known: Vec<Option<Duration>> = plan.steps.iter().map(known).collect();
        let mut sorted: Vec<Duration> = known.iter().copied().flatten().collect();
        sorted.sort_unstable();
        let typical = sorted.get(sorted.len() / 2).copied().unwrap_or(WITHOUT_A_PAST);
        let cost = |(step, known): (&Step, Option<Duration>)| match known {
            Some(cost) => cost,
            None if step.operation.is_given() => Duration::ZERO,
            None => typical,
        };
        Self(plan.steps.iter().zip(known).map(cost).collect())
    }

    /// Without the time of these steps.
    #[must_use]
    pub fn without(mut self, is_left_out: impl Fn(StepId) -> bool) -> Self {
        for (cost, id) in self.0.iter_mut().zip(0..) {
            if is_left_out(StepId(id)) {
                *cost = Duration::ZERO;
            }
        }
        self
    }

    /// The time of a step.
    #[must_use]
    pub fn of(&self, step: StepId) -> Duration {
        self.0[step.index()]
    }

    /// For each step, how long it takes from its start until nothing that waits for it is left, if nothing else is
    /// waited for.
    #[must_use]
    pub fn remaining(&self, plan: &Plan) -> Vec<Duration> {
        let mut remaining = vec![Duration::ZERO; plan.steps.len()];
        for step in plan.steps.iter().rev() {
            let at = step.id.index();
            // Until here it holds the longest of what waits for the step.
            remaining[at] += self.0[at];
            for input in &step.inputs {
                remaining[input.index()] = remaining[input.index()].max(remaining[at]);
            }
        }
        remaining
    }

    /// How long the plan takes with so many steps at a time, if they start as [`Ready`] says. What steps take from each other is
    /// not known here.
    #[must_use]
    pub fn makespan(&self, plan: &Plan, jobs: usize) -> Duration {
        let remaining = self.remaining(plan);
        let mut ready = Ready::new(plan, &remaining);
        let mut running = BinaryHeap::new();
        let mut now = Duration::ZERO;
        loop {
            while running.len() < jobs.max(1)
                && let Some(step) = ready.pop()
            {
                running.push(Reverse((now + self.of(step), step)));
            }
            let Some(Reverse((end, step))) = running.pop() else { return now };
            now = end;
            ready.done(step);
        }
    }
}

impl Operation {
    /// Whether it only names what is there, or puts it together: nothing is made, so that no cache is asked.
    #[must_use]
    pub fn is_given(&self) -> bool {
        match self {
            Self::Image(_) | Self::Scratch | Self::Context(_) | Self::Inline(_) | Self::Stack => true,
            Self::Http(_) | Self::Git(_) | Self::Copy(_) | Self::Run(_) | Self::MakeDir(_) => false,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::oci::ContainerConfig;
    use crate::operation::{Below, MakeDir};
    use crate::plan::{Origin, PLAN_VERSION, PlannedImage};
    use crate::platform::Platform;

    /// A plan whose steps have the given inputs. Those with none are given, the others do something. The last is the result.
    pub(in crate::plan) fn plan(inputs: &[&[u32]]) -> Plan {
        let steps = inputs.iter().zip(0..).map(|(inputs, id)| Step {
            id: StepId(id),
            operation: if inputs.is_empty() {
                Operation::Scratch
            } else {
                Operation::MakeDir(MakeDir { path: "/".to_owned(), owner: None, below: Below::default() })
            },
            inputs: inputs.iter().copied().map(StepId).collect(),
            origin: Origin { stage: String::new(), line: 0, name: String::new() },
        });
        Plan {
            version: PLAN_VERSION,
            target: String::new(),
            platform: Platform::new("linux", "amd64", ""),
            steps: steps.collect(),
            result: StepId(u32::try_from(inputs.len() - 1).expect("a plan is short")),
            image: PlannedImage { base: None, config: ContainerConfig::default(), author: None, history: Vec::new() },
        }
    }

    fn seconds(costs: &[u64]) -> impl Fn(&Step) -> Option<Duration> {
        |step| Some(Duration::from_secs(costs[step.id.index()])).filter(|cost| !cost.is_zero())
    }

    #[test]
    fn what_has_no_past_counts_as_the_median_of_what_has() {
        let plan = plan(&[&[], &[0], &[0], &[0], &[0]]);
        let costs = Costs::new(&plan, seconds(&[0, 3, 100, 0, 1]));
        assert_eq!(costs.0, [0, 3, 100, 3, 1].map(Duration::from_secs));
        let costs = Costs::new(&plan, |_| None);
        assert_eq!(costs.0, [0, 1, 1, 1, 1].map(Duration::from_secs));
    }

    #[test]
    fn the_remaining_path_is_the_longest() {
        let plan = plan(&[&[], &[0], &[0], &[1], &[2, 3, 3]]);
        let costs = Costs::new(&plan, seconds(&[0, 1, 9, 2, 5]));
        assert_eq!(costs.remaining(&plan), [14, 8, 14, 7, 5].map(Duration::from_secs));
    }

    /// A chain of three seconds, and three steps of one second that nothing but the end waits for.
    #[test]
    fn the_longest_path_starts_first() {
        let plan = plan(&[&[], &[0], &[0], &[0], &[0], &[4], &[5], &[1, 2, 3, 6]]);
        let costs = Costs::new(&plan, |_| None).without(|step| step == StepId(7));
        let taken = [1, 2, 8].map(|jobs| costs.makespan(&plan, jobs).as_secs());
        assert_eq!(taken, [6, 3, 3]);
    }

    #[test]
    fn a_plan_takes_no_less_than_its_longest_path_and_no_more_than_all_its_steps() {
        let plan = plan(&[&[], &[0], &[1], &[0], &[3, 1], &[2], &[0], &[4, 5, 6]]);
        let costs = Costs::new(&plan, seconds(&[0, 2, 3, 5, 7, 11, 13, 17]));
        let sum: Duration = costs.0.iter().sum();
        assert_eq!(costs.makespan(&plan, 1), sum);
        for jobs in 2..9 {
            let taken = costs.makespan(&plan, jobs);
            assert!(costs.remaining(&plan)[0] <= taken && taken <= sum, "{jobs}: {taken:?}");
        }
    }
}
