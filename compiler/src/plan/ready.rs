//! [`Ready`]: which steps of a plan can begin, and which of them does next: list scheduling by the critical path (Hu 1961).
//! Whoever carries out a plan asks it, and so does who works out how long that takes, so that the two agree.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::time::Duration;

use super::{Plan, StepId};

/// The steps whose inputs are done, and that have not begun.
#[derive(Debug)]
pub struct Ready<'a> {
    remaining: &'a [Duration],
    users: Vec<Vec<StepId>>,
    /// For each step, the inputs that are not done.
    waiting: Vec<usize>,
    /// The most urgent first.
    ready: BTreeSet<(Reverse<Duration>, StepId)>,
}

impl<'a> Ready<'a> {
    /// At the start, when nothing is done. Of steps that can begin, the one with the longest `remaining` path does
    /// ([`Costs::remaining`](super::Costs::remaining)), and of equally long ones the first in the plan.
    #[must_use]
    pub fn new(plan: &Plan, remaining: &'a [Duration]) -> Self {
        let waiting = plan.steps.iter().map(|step| step.inputs.len()).collect();
        let mut all = Self { remaining, users: plan.users(), waiting, ready: BTreeSet::new() };
        plan.steps.iter().filter(|step| step.inputs.is_empty()).for_each(|step| all.insert(step.id));
        all
    }

    /// Whether no step can begin.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    /// Takes the step that begins next, if one can.
    pub fn pop(&mut self) -> Option<StepId> {
        self.ready.pop_first().map(|(_, step)| step)
    }

    /// A step is done: others may be able to begin.
    pub fn done(&mut self, step: StepId) {
        for user in std::mem::take(&mut self.users[step.index()]) {
            self.waiting[user.index()] -= 1;
            if self.waiting[user.index()] == 0 {
                self.insert(user);
            }
        }
    }

    fn insert(&mut self, step: StepId) {
        self.ready.insert((Reverse(self.remaining[step.index()]), step));
    }
}

impl Plan {
    /// For each step, those that wait for it; once for each input that it is.
    pub(super) fn users(&self) -> Vec<Vec<StepId>> {
        let mut users = vec![Vec::new(); self.steps.len()];
        for step in &self.steps {
            for input in &step.inputs {
                users[input.index()].push(step.id);
            }
        }
        users
    }
}
