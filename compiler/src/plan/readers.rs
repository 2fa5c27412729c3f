//! Who reads what is in a tree: which images a plan reads files of and which it only adds to, of which steps it wants no more than
//! the layer, and which command comes next.

use super::{Plan, StepId};
use crate::operation::{Below, Operation, Run};

impl Plan {
    /// Whether a step reads files of the image that `base` brings. One that only adds to its tree does not: it looks at
    /// nothing but what stands where.
    #[must_use]
    pub fn reads_files_of(&self, base: StepId) -> bool {
        let mut on_it = vec![false; self.steps.len()];
        on_it[base.index()] = true;
        for step in &self.steps {
            let has = |slot: usize| step.inputs.get(slot).is_some_and(|input| on_it[input.index()]);
            if (1..step.inputs.len()).any(|slot| has(slot) && !is_change(&step.operation, slot)) {
                return true;
            }
            if has(0) {
                if step.operation.below() != Some(Below::Way) && step.operation != Operation::Stack {
                    return true;
                }
                on_it[step.id.index()] = true;
            }
        }
        false
    }

    /// The first command that runs in the tree of `step`, or in what other steps make of that.
    #[must_use]
    pub fn command_on(&self, step: StepId) -> Option<&Run> {
        let mut on_it = vec![false; self.steps.len()];
        on_it[step.index()] = true;
        for step in self.steps.iter().skip(step.index() + 1) {
            if step.inputs.first().is_some_and(|below| on_it[below.index()]) {
                if let Operation::Run(run) = &step.operation {
                    return Some(run);
                }
                on_it[step.id.index()] = true;
            }
        }
        None
    }

    /// Whether what a step changes is a layer of its own of the image, and no step looks into a tree that it is in.
    #[must_use]
    pub fn is_only_a_layer(&self, step: StepId) -> bool {
        // The steps whose tree it is in, and those that change the same as it.
        let (mut on_it, mut same) = (vec![false; self.steps.len()], vec![false; self.steps.len()]);
        (on_it[step.index()], same[step.index()]) = (true, true);
        for step in &self.steps {
            let of = |set: &[bool], slot: usize| step.inputs.get(slot).is_some_and(|input| set[input.index()]);
            if (0..step.inputs.len()).any(|slot| of(&on_it, slot)) {
                if step.operation != Operation::Stack {
                    return false;
                }
                on_it[step.id.index()] = true;
                same[step.id.index()] = of(&same, 1);
            }
        }
        let mut layers = self.image.history.iter().filter(|layer| layer.steps().any(|step| same[step.index()]));
        layers.next().is_some_and(|layer| layer.joined.is_empty()) && layers.all(|layer| layer.joined.is_empty())
    }
}

/// Whether no more is taken of this input than what it changed.
fn is_change(operation: &Operation, slot: usize) -> bool {
    *operation == Operation::Stack && slot == 1
}

#[cfg(test)]
mod tests {
    use crate::oci::History;
    use crate::operation::{Below, MakeDir, Network, Operation, Run, Security};
    use crate::plan::cost::tests::plan;
    use crate::plan::{Plan, PlannedHistory, PlannedImage, Step, StepId};

    fn folder(below: Below) -> Operation {
        Operation::MakeDir(MakeDir { path: "/a".to_owned(), owner: None, below })
    }

    #[test]
    fn what_only_adds_reads_nothing() {
        let mut plan = plan(&[&[], &[0], &[1], &[], &[2, 3]]);
        plan.steps[1].operation = folder(Below::Way);
        plan.steps[2].operation = folder(Below::Way);
        plan.steps[4].operation = Operation::Stack;
        assert!(!plan.reads_files_of(StepId(0)));
        plan.steps[2].operation = folder(Below::Whole);
        assert!(plan.reads_files_of(StepId(0)), "it depends on all that is below");
    }

    #[test]
    fn what_is_taken_from_a_tree_is_read() {
        let mut plan = plan(&[&[], &[0], &[], &[2, 1]]);
        plan.steps[1].operation = folder(Below::Way);
        plan.steps[3].operation = folder(Below::Way);
        assert!(plan.reads_files_of(StepId(0)));
        assert!(!plan.reads_files_of(StepId(2)));
    }

    #[test]
    fn the_next_command_is_the_first_on_the_tree() {
        let run = |argument: &str| {
            Operation::Run(Run {
                arguments: vec![argument.to_owned()],
                env: Default::default(),
                user: String::new(),
                workdir: "/".to_owned(),
                mounts: Vec::new(),
                network: Network::Default,
                security: Security::Sandbox,
                devices: Vec::new(),
            })
        };
        // 0 <- 1 <- 2, 3 takes from 2, and 4 is on 2.
        let mut plan = plan(&[&[], &[0], &[1], &[0, 2], &[2]]);
        plan.steps[1].operation = run("one");
        plan.steps[3].operation = run("elsewhere");
        plan.steps[4].operation = run("two");
        let next = |step| plan.command_on(StepId(step)).map(|run| run.arguments[0].as_str());
        assert_eq!([0, 1, 2, 3, 4].map(next), [Some("one"), Some("two"), Some("two"), None, None]);
    }

    #[test]
    fn what_nothing_looks_into_is_only_a_layer() {
        let mut plan = plan(&[&[], &[0], &[], &[1, 2]]);
        plan.steps[1].operation = folder(Below::Way);
        plan.steps[2].operation = folder(Below::Way);
        plan.steps[3].operation = Operation::Stack;
        let layer = |step, joined: &[u32]| PlannedHistory {
            step: Some(StepId(step)),
            joined: joined.iter().copied().map(StepId).collect(),
            entry: History::default(),
        };
        assert!(!plan.is_only_a_layer(StepId(1)), "it is no layer");
        plan.image.history = vec![layer(1, &[]), layer(3, &[])];
        assert!([1, 2].map(StepId).iter().all(|step| plan.is_only_a_layer(*step)), "stacks look into nothing");
        let joined =
            Plan { image: PlannedImage { history: vec![layer(3, &[1])], ..plan.image.clone() }, ..plan.clone() };
        assert!([1, 2].map(StepId).iter().all(|step| !joined.is_only_a_layer(*step)), "they are one layer together");
        for (input, read) in [(1, [false, true]), (2, [true, false]), (3, [false, false])] {
            let mut reading = plan.clone();
            reading.steps.push(Step { id: StepId(4), inputs: vec![StepId(input)], ..plan.steps[1].clone() });
            assert_eq!([1, 2].map(|step| reading.is_only_a_layer(StepId(step))), read, "{input}");
        }
    }
}
