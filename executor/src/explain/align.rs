//! Which step of one build is which of another: an alignment of the two lists of steps with the least edits.

use super::history::{Op, Step};

/// A step that only one of the two has.
const GAP: u32 = 2;

/// For each step of `new` the place in `old` of the step that it was.
///
/// Steps with the same instruction in the same stage are the same; else one of the same operation may have been edited. The
/// way that costs least is that of Needleman and Wunsch.
#[must_use]
pub fn align(old: &[Step], new: &[Step]) -> Vec<Option<usize>> {
    let mut found = vec![None; new.len()];
    let is_same = |a: &Step, b: &Step| cost(a, b) == Some(0);
    let start = old.iter().zip(new).take_while(|(a, b)| is_same(a, b)).count();
    let rest = old.len().min(new.len()) - start;
    let end = old.iter().rev().zip(new.iter().rev()).take(rest).take_while(|(a, b)| is_same(a, b)).count();
    for (place, found) in found.iter_mut().enumerate().take(start) {
        *found = Some(place);
    }
    for place in 1..=end {
        found[new.len() - place] = Some(old.len() - place);
    }
    let (old, new) = (&old[start..old.len() - end], &new[start..new.len() - end]);
    for (a, b) in between(old, new) {
        found[start + b] = Some(start + a);
    }
    found
}

/// The pairs of the cheapest alignment.
fn between(old: &[Step], new: &[Step]) -> Vec<(usize, usize)> {
    let width = new.len() + 1;
    // What it costs to align the first `a` steps with the first `b`.
    let mut costs = vec![0_u32; (old.len() + 1) * width];
    for a in 0..=old.len() {
        for b in 0..=new.len() {
            let pair = (a > 0 && b > 0).then(|| cost(&old[a - 1], &new[b - 1])).flatten();
            let ways = [
                (a > 0).then(|| costs[(a - 1) * width + b] + GAP),
                (b > 0).then(|| costs[a * width + b - 1] + GAP),
                pair.map(|cost| costs[(a - 1) * width + b - 1] + cost),
            ];
            costs[a * width + b] = ways.into_iter().flatten().min().unwrap_or(0);
        }
    }
    let (mut a, mut b, mut pairs) = (old.len(), new.len(), Vec::new());
    while a > 0 && b > 0 {
        let here = costs[a * width + b];
        let pair = cost(&old[a - 1], &new[b - 1]);
        if pair.is_some_and(|cost| costs[(a - 1) * width + b - 1] + cost == here) {
            (a, b) = (a - 1, b - 1);
            pairs.push((a, b));
        } else if costs[(a - 1) * width + b] + GAP == here {
            a -= 1;
        } else {
            b -= 1;
        }
    }
    pairs
}

/// What it costs to take one step for the other; `None` if they can be no edit of each other.
fn cost(old: &Step, new: &Step) -> Option<u32> {
    let is_same_stage = old.stage == new.stage;
    // Images are known by where they stand: their name is what may change.
    let is_same_name = old.name == new.name || old.op == Op::Image && old.line == new.line;
    (old.op == new.op).then_some(match (is_same_name, is_same_stage) {
        (true, true) => 0,
        (true, false) => 1,
        (false, true) => 2,
        (false, false) => 3,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use layercake_compiler::plan::StepId;

    use super::*;
    use crate::explain::history::Held;

    fn steps(text: &str) -> Vec<Step> {
        let step = |(name, id): (&str, u32)| Step {
            id: StepId(id),
            op: if name.starts_with('c') { Op::Copy } else { Op::Run },
            stage: String::new(),
            line: id,
            name: name.to_owned(),
            inputs: Vec::new(),
            sources: Vec::new(),
            uses: BTreeSet::new(),
            held: Held::Free,
            key: None,
        };
        text.split_whitespace().zip(0..).map(step).collect()
    }

    #[test]
    fn edits_insertions_and_removals_are_told_apart() {
        let pairs = |old: &str, new: &str| align(&steps(old), &steps(new));
        assert_eq!(pairs("a b c1", "a b c1"), [Some(0), Some(1), Some(2)]);
        assert_eq!(pairs("a b c1", "a x c1"), [Some(0), Some(1), Some(2)]);
        assert_eq!(pairs("a b", "x a b"), [None, Some(0), Some(1)]);
        assert_eq!(pairs("a b", "x a y"), [None, Some(0), Some(1)]);
        assert_eq!(pairs("a b c1", "b c1"), [Some(1), Some(2)]);
        assert_eq!(pairs("a", "c1"), [None]);
        assert_eq!(pairs("", "a"), [None]);
        assert_eq!(pairs("a a a", "a a"), [Some(0), Some(1)]);
    }
}
