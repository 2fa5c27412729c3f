//! [`Predictions`]: what was said of steps before builds, held to what then happened.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::Value;

/// How many predictions came true.
#[derive(Debug, Default)]
pub(crate) struct Predictions {
    pub(crate) right: usize,
    /// Those that did not, in words.
    pub(crate) wrong: Vec<String>,
    /// Steps of which nothing could be said, and that were done.
    pub(crate) unknown_done: usize,
    /// Steps of which nothing could be said, and that the store had: a result above them was what it had been before.
    pub(crate) unknown_found: usize,
}

impl Predictions {
    /// Adds those of a plan, of which these steps were done.
    ///
    /// Steps of one key are one piece of work, which is done once. Which of them does it is chance, if none waits for another: so
    /// it is not looked at which it was, but how many.
    #[track_caller]
    pub(crate) fn add(&mut self, what: &str, plan: &Value, done: &BTreeSet<u64>) {
        let steps = plan["steps"].as_array().unwrap();
        let open = open(steps);
        let is_done = |step: &Value| done.contains(&step["id"].as_u64().unwrap());
        let mut known: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
        for step in steps {
            match (step["state"].as_str().unwrap(), is_done(step)) {
                ("hit" | "miss", _) => known.entry(step["key"].as_str().unwrap()).or_default().push(step),
                ("given", false) => {}
                ("unknown", is_done) if inputs(step).any(|input| open[input]) => match is_done {
                    true => self.unknown_done += 1,
                    false => self.unknown_found += 1,
                },
                (said, _) => self.wrong.push(format!("{what}: {} is not {said}", step["origin"]["name"])),
            }
        }
        for twins in known.into_values() {
            let misses = twins.iter().filter(|step| step["state"] == "miss").count();
            let done = twins.iter().filter(|step| is_done(step)).count();
            self.right += twins.len() - misses.abs_diff(done);
            let tell = || {
                let (name, reason) = (&twins[0]["origin"]["name"], &twins[0]["reason"]);
                format!(
                    "{what}: {misses} of {} {name} were said to be missing ({reason}), and {done} done",
                    twins.len()
                )
            };
            self.wrong.extend(std::iter::repeat_with(tell).take(misses.abs_diff(done)));
        }
    }

    /// Adds others.
    pub(crate) fn extend(&mut self, others: &Self) {
        self.right += others.right;
        self.wrong.extend(others.wrong.iter().cloned());
        self.unknown_done += others.unknown_done;
        self.unknown_found += others.unknown_found;
    }

    /// How many there were.
    pub(crate) fn count(&self) -> usize {
        self.right + self.wrong.len()
    }
}

/// For each step, whether what it makes is known only when something was done. The projects ask no server, so nothing else
/// may be unknown.
fn open(steps: &[Value]) -> Vec<bool> {
    let mut missing = HashSet::new();
    let mut open = Vec::new();
    for step in steps {
        let is_open = match step["state"].as_str().unwrap() {
            "miss" => missing.insert(&step["key"]),
            // The same as one that is missing.
            "hit" => missing.contains(&step["key"]),
            "given" => inputs(step).any(|input| open[input]),
            _ => true,
        };
        open.push(is_open);
    }
    open
}

/// The places of the steps that a step uses.
fn inputs(step: &Value) -> impl Iterator<Item = usize> {
    step["inputs"].as_array().unwrap().iter().map(|input| usize::try_from(input.as_u64().unwrap()).unwrap())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What is right, how many were predicted, what was unknown and done, and what was unknown and found; of steps by state,
    /// key and inputs.
    fn judged(steps: &[(&str, &str, &[usize])], done: &[u64]) -> (usize, usize, usize, usize) {
        let step = |(id, (state, key, inputs)): (usize, &(&str, &str, &[usize]))| json!({"id": id, "state": state, "key": key, "inputs": inputs, "origin": {"name": id.to_string()}});
        let plan = json!({"steps": steps.iter().enumerate().map(step).collect::<Vec<_>>()});
        let mut predictions = Predictions::default();
        predictions.add("x", &plan, &done.iter().copied().collect());
        let Predictions { right, unknown_done, unknown_found, .. } = predictions;
        (right, predictions.count(), unknown_done, unknown_found)
    }

    #[test]
    fn what_was_said_has_to_happen() {
        let steps: &[(_, _, &[usize])] = &[("given", "", &[]), ("hit", "a", &[0]), ("miss", "b", &[1])];
        assert_eq!(judged(steps, &[2]), (2, 2, 0, 0));
        assert_eq!(judged(steps, &[1, 2]), (1, 2, 0, 0));
        assert_eq!(judged(steps, &[]), (1, 2, 0, 0));
        assert_eq!(judged(steps, &[0, 2]), (2, 3, 0, 0), "what is given is not done");
    }

    #[test]
    fn what_waits_is_unknown_and_nothing_else() {
        let steps: &[(_, _, &[usize])] = &[
            ("given", "", &[]),
            ("miss", "a", &[0]),
            ("unknown", "", &[1]),
            ("given", "", &[2]),
            ("unknown", "", &[3]),
        ];
        assert_eq!(judged(steps, &[1, 2]), (1, 1, 1, 1));
        let steps: &[(_, _, &[usize])] = &[("given", "", &[]), ("hit", "a", &[0]), ("unknown", "", &[1])];
        assert_eq!(judged(steps, &[2]), (1, 2, 0, 0), "it could be known");
    }

    #[test]
    fn one_of_twins_is_done() {
        let steps: &[(_, _, &[usize])] =
            &[("given", "", &[]), ("miss", "a", &[0]), ("hit", "a", &[0]), ("unknown", "", &[2])];
        assert_eq!(judged(steps, &[1]), (2, 2, 0, 1));
        assert_eq!(judged(steps, &[2, 3]), (2, 2, 1, 0));
        assert_eq!(judged(steps, &[1, 2]), (1, 2, 0, 1));
    }
}
