//! [`Chain`]: what a cache would do that knows a step by its instructions. This is computed from plans, and not measured.

use std::collections::HashMap;

use serde_json::Value;

/// A cache in which a step is known by its own recipe and by those of all steps that the tree below it was made by, as in Docker
/// and BuildKit. What is copied or mounted is known by its content, as there.
///
/// It misses a step whose tree below was made by another recipe, although it is the same tree as before. In a key of ours are
/// a step's own recipe, the content of what it takes, and the content of the tree below. So two steps have the same recipe if
/// their keys are the same, and the trees below them were made by the same recipes.
#[derive(Default)]
pub(crate) struct Chain {
    /// Each recipe's number, by what makes it what it is.
    recipes: HashMap<Recipe, usize>,
}

/// What makes a step's recipe what it is.
#[derive(PartialEq, Eq, Hash)]
struct Recipe {
    /// Its key; the operation itself, where that is all there is.
    own: String,
    /// The number of that of the tree below.
    below: Option<usize>,
}

impl Chain {
    /// How many steps of a plan it would run. All keys of the plan have to be known: it has just been built.
    #[track_caller]
    pub(crate) fn run(&mut self, plan: &Value) -> usize {
        let mut numbers: Vec<usize> = Vec::new();
        let mut run = 0;
        for step in plan["steps"].as_array().unwrap() {
            let is_given = step["state"] == "given";
            assert!(is_given || step["key"].is_string(), "no key of {step:#}");
            // A linked copy is made on nothing.
            let below = step["inputs"][0].as_u64().filter(|_| step["link"] != true);
            let below = below.map(|input| numbers[usize::try_from(input).unwrap()]);
            let own = if is_given { operation(step) } else { step["key"].as_str().unwrap().to_owned() };
            let next = self.recipes.len();
            let number = *self.recipes.entry(Recipe { own, below }).or_insert(next);
            run += usize::from(number == next && !is_given);
            numbers.push(number);
        }
        run
    }
}

/// What a step is, without its place in a plan and what is expected of it.
fn operation(step: &Value) -> String {
    let fields = step.as_object().unwrap().iter();
    let own = fields.filter(|(name, _)| !matches!(name.as_str(), "id" | "inputs" | "origin" | "state" | "reason"));
    format!("{:?}", own.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A plan of steps by key and inputs; what has no key is given.
    fn plan(steps: &[(&str, &[usize])]) -> Value {
        let step = |(key, inputs): &(&str, &[usize])| match *key {
            "" => json!({"op": "image", "inputs": inputs, "state": "given"}),
            key => json!({"op": "run", "inputs": inputs, "state": "hit", "key": key}),
        };
        json!({"steps": steps.iter().map(step).collect::<Vec<_>>()})
    }

    #[test]
    fn what_stands_on_another_recipe_is_run_again() {
        let mut chain = Chain::default();
        assert_eq!(chain.run(&plan(&[("", &[]), ("a", &[0]), ("b", &[1])])), 2);
        assert_eq!(chain.run(&plan(&[("", &[]), ("a", &[0]), ("b", &[1])])), 0, "nothing is new");
        assert_eq!(chain.run(&plan(&[("", &[]), ("c", &[0]), ("b", &[1])])), 2, "`c` makes the same as `a`");
        assert_eq!(chain.run(&plan(&[("", &[]), ("a", &[0]), ("b", &[1])])), 0, "both are known");
    }

    #[test]
    fn a_linked_copy_stands_on_nothing() {
        let mut chain = Chain::default();
        let plan = |below: &str, link: bool| {
            let mut plan = plan(&[("", &[]), (below, &[0]), ("copy", &[1, 0])]);
            plan["steps"][2]["link"] = link.into();
            plan
        };
        assert_eq!([chain.run(&plan("a", true)), chain.run(&plan("b", true))], [2, 1]);
        assert_eq!([chain.run(&plan("c", false)), chain.run(&plan("d", false))], [2, 2]);
    }

    #[test]
    fn what_is_copied_is_known_by_its_content() {
        let mut chain = Chain::default();
        chain.run(&plan(&[("", &[]), ("a", &[0]), ("copy", &[0, 1])]));
        assert_eq!(chain.run(&plan(&[("", &[]), ("c", &[0]), ("copy", &[0, 1])])), 1);
    }
}
