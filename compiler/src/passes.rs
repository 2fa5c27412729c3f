//! The optimizer: a list of passes, each in a file of its own that says why it may and why it should.
//!
//! The graph is verified after each. A pass that has run changes nothing when it runs again.

mod dedup;
mod prune;

use crate::graph::Graph;

/// One pass.
#[derive(Clone, Copy, Debug)]
pub struct Pass {
    /// Its name, for `--pass NAME=on|off` and `--before-after NAME`.
    pub name: &'static str,
    /// What it does, in one sentence.
    pub summary: &'static str,
    /// Whether the plan is not one without it.
    pub is_mandatory: bool,
    run: fn(&mut Graph),
}

/// All passes, in the order in which they run.
pub const PIPELINE: &[Pass] = &[
    Pass { name: "dedup", summary: "shares equal operations across stages", is_mandatory: false, run: dedup::run },
    // After `dedup`, which may leave operations that nothing uses any more. Every step of a plan is needed.
    Pass { name: "prune", summary: "drops what the target does not need", is_mandatory: true, run: prune::run },
];

impl Pass {
    /// Runs it.
    pub fn run(&self, graph: &mut Graph) {
        (self.run)(graph);
    }
}

/// The pass of a name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Pass> {
    PIPELINE.iter().find(|pass| pass.name == name)
}
