//! [`Predictions`]: what was said of steps before builds, held to what then happened.

use std::collections::BTreeSet;

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
    #[track_caller]
    pub(crate) fn add(&mut self, what: &str, plan: &Value, done: &BTreeSet<u64>) {
        let steps = plan["steps"].as_array().unwrap();
        for step in steps {
            let is_done = done.contains(&step["id"].as_u64().unwrap());
            let said = step["state"].as_str().unwrap();
            match (said, is_done) {
                ("given", false) => {}
                ("hit", false) | ("miss", true) => self.right += 1,
                ("unknown", _) if !is_below_a_miss(steps, step) => {
                    self.wrong.push(format!("{what}: `{}` could be known", step["origin"]["name"]));
                }
                ("unknown", true) => self.unknown_done += 1,
                ("unknown", false) => self.unknown_found += 1,
                _ => {
                    let happened = if is_done { "done" } else { "found" };
                    let (name, reason) = (&step["origin"]["name"], &step["reason"]);
                    self.wrong.push(format!("{what}: {name} was said to be a {said} ({reason}), and was {happened}"));
                }
            }
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

/// Whether a step uses what another has to make first. The projects ask no server, so nothing else may be unknown.
fn is_below_a_miss(steps: &[Value], step: &Value) -> bool {
    let inputs = step["inputs"].as_array().unwrap().iter();
    let mut states = inputs.map(|input| &steps[usize::try_from(input.as_u64().unwrap()).unwrap()]["state"]);
    states.any(|state| state == "miss" || state == "unknown")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_can_be_known_is_right_or_wrong() {
        let step = |id: usize, state: &str, inputs: &[usize]| json!({"id": id, "state": state, "inputs": inputs, "origin": {"name": id.to_string()}, "reason": null});
        let plan = json!({"steps": [
            step(0, "given", &[]), step(1, "hit", &[0]), step(2, "miss", &[1]), step(3, "unknown", &[2]),
            step(4, "unknown", &[3]), step(5, "unknown", &[1]), step(6, "miss", &[1]), step(7, "hit", &[1]),
        ]});
        let mut predictions = Predictions::default();
        predictions.add("x", &plan, &BTreeSet::from([2, 3, 7]));
        assert_eq!((predictions.right, predictions.unknown_done, predictions.unknown_found), (2, 1, 1));
        assert_eq!(predictions.count(), 5);
        assert_eq!(predictions.wrong.len(), 3, "{:?}", predictions.wrong);
    }
}
