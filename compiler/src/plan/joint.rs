//! [`Joint`]: several plans as one, so that what is the same in them is done once: the image of a Dockerfile for several
//! platforms.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use super::{Plan, Step, StepId};

/// Several plans as one.
///
/// A step of one plan and a step of another are the same if they do the same to the same inputs; the legality is that of the pass
/// `dedup`. Steps of the same plan stay apart: whether those are shared is up to that pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joint {
    /// The steps of all plans, in topological order. Its history is that of one image after the other; its result, its platform
    /// and the rest of its documents are those of the first plan.
    pub plan: Plan,
    /// For each plan, which of the joint steps its own steps are, in their order.
    pub places: Vec<Vec<StepId>>,
}

impl Joint {
    /// Joins plans, of which there is at least one.
    #[must_use]
    pub fn of(plans: &[Plan]) -> Self {
        let first = plans.first().expect("a build has a plan");
        let mut joint = Self { plan: Plan { steps: Vec::new(), ..first.clone() }, places: Vec::new() };
        joint.plan.image.history.clear();
        let mut known: HashMap<u64, Vec<StepId>> = HashMap::new();
        for plan in plans {
            let mut places: Vec<StepId> = Vec::with_capacity(plan.steps.len());
            let mut taken = vec![Taken::No; joint.plan.steps.len()];
            let mut new = Vec::new();
            for step in &plan.steps {
                let inputs: Vec<StepId> = step.inputs.iter().map(|input| places[input.index()]).collect();
                let mark = mark(step, &inputs);
                let is_same = |other: &StepId| {
                    let other = &joint.plan.steps[other.index()];
                    other.operation == step.operation && other.inputs == inputs
                };
                let alike = known.get(&mark).into_iter().flatten();
                let same = alike.copied().find(|other| taken[other.index()] == Taken::No && is_same(other));
                places.push(match same {
                    Some(same) => {
                        taken[same.index()] = Taken::Yes;
                        same
                    }
                    None => {
                        let id = StepId(u32::try_from(joint.plan.steps.len()).expect("plans are not that long"));
                        joint.plan.steps.push(Step { id, inputs, ..step.clone() });
                        taken.push(Taken::Yes);
                        new.push((mark, id));
                        id
                    }
                });
            }
            for (mark, id) in new {
                known.entry(mark).or_default().push(id);
            }
            let moved = plan.image.history.iter().cloned().map(|mut entry| {
                entry.step = entry.step.map(|step| places[step.index()]);
                entry.joined.iter_mut().for_each(|step| *step = places[step.index()]);
                entry
            });
            joint.plan.image.history.extend(moved);
            joint.places.push(places);
        }
        let place = |step: StepId| joint.places[0][step.index()];
        (joint.plan.result, joint.plan.image.base) = (place(first.result), first.image.base.map(place));
        joint
    }

    /// The plans that have a step, and where each has it.
    pub fn members(&self, step: StepId) -> impl Iterator<Item = (usize, StepId)> {
        self.places.iter().enumerate().filter_map(move |(plan, places)| {
            let place = places.iter().position(|place| *place == step)?;
            Some((plan, StepId(u32::try_from(place).ok()?)))
        })
    }
}

/// Whether a joint step is a step of the plan that is being added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    Yes,
    No,
}

fn mark(step: &Step, inputs: &[StepId]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&step.operation, inputs).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;
    use crate::platform::Platform;
    use crate::{BaseImage, Bases, Outcome, Request, compile, parse};

    /// The plans of a Dockerfile for these platforms, on amd64. There is every image for every platform.
    fn plans(text: &str, platforms: &[&str]) -> Vec<Plan> {
        let parsed = parse(text);
        let plan = |platform: &&str| {
            let platform: Platform = platform.parse().unwrap();
            let request = Request { build_platform: Platform::new("linux", "amd64", ""), ..Request::new(platform) };
            let mut bases = Bases::new();
            loop {
                match compile(&parsed, &request, &bases).unwrap() {
                    Outcome::Compiled(compilation) => break compilation.plan,
                    Outcome::NeedsBases(requests) => {
                        for request in requests {
                            let (digest, platform) = (None, request.platform.clone());
                            bases.insert(
                                &request,
                                BaseImage {
                                    digest,
                                    platform,
                                    config: crate::oci::ContainerConfig::default(),
                                    author: None,
                                },
                            );
                        }
                    }
                }
            }
        };
        platforms.iter().map(plan).collect()
    }

    const CROSS: &str = "FROM --platform=$BUILDPLATFORM tools AS tools\nRUN prepare\n\
        FROM tools AS build\nARG TARGETARCH\nRUN compile\n\
        FROM base\nCOPY --from=tools /t /t\nCOPY --from=build /b /b\nRUN check\n";

    #[test]
    fn one_plan_alone_is_itself() {
        let [plan] = &plans(CROSS, &["linux/arm64"])[..] else { unreachable!("one was asked for") };
        let joint = Joint::of(std::slice::from_ref(plan));
        assert_eq!(joint.plan, *plan);
        assert_eq!(joint.places, [plan.steps.iter().map(|step| step.id).collect::<Vec<_>>()]);
    }

    #[test]
    fn what_is_the_same_is_there_once() {
        let plans = plans(CROSS, &["linux/amd64", "linux/arm64"]);
        let joint = Joint::of(&plans);
        let of = |name: &str| joint.plan.steps.iter().filter(|step| step.origin.name == name).collect::<Vec<_>>();
        let shared = of("RUN prepare");
        assert_eq!(shared.len(), 1);
        assert_eq!(joint.members(shared[0].id).map(|(plan, _)| plan).collect::<Vec<_>>(), [0, 1]);
        for name in ["RUN compile", "RUN check"] {
            assert_eq!(of(name).len(), 2, "{name}");
        }
        for (plan, places) in plans.iter().zip(&joint.places) {
            for (step, place) in plan.steps.iter().zip(places) {
                let joint = &joint.plan.steps[place.index()];
                let inputs: Vec<StepId> = step.inputs.iter().map(|input| places[input.index()]).collect();
                assert_eq!((&joint.operation, &joint.inputs), (&step.operation, &inputs));
                assert!(joint.inputs.iter().all(|input| *input < joint.id));
            }
        }
        let entries: usize = plans.iter().map(|plan| plan.image.history.len()).sum();
        assert_eq!(joint.plan.image.history.len(), entries);
    }

    #[test]
    fn steps_of_the_same_plan_stay_apart() {
        let [mut plan] = plans("FROM base\nRUN a\n", &["linux/amd64"]).try_into().unwrap();
        // As where the pass `dedup` is off.
        let again = Step { id: StepId(u32::try_from(plan.steps.len()).unwrap()), ..plan.steps[1].clone() };
        plan.steps.push(again);
        let joint = Joint::of(&[plan.clone(), plan.clone()]);
        assert_eq!(joint.plan.steps, plan.steps);
        assert_eq!(joint.places[0], joint.places[1]);
    }
}
