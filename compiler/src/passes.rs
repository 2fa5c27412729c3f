//! The optimizer: a list of passes, each in a file of its own that says why it may and why it should.
//!
//! The graph is verified after each. A pass that has run changes nothing when it runs again.

mod dedup;
mod detach;
mod prune;

use crate::graph::Graph;
use crate::suggest::nearest;

/// One pass.
#[derive(Clone, Copy, Debug)]
pub struct Pass {
    /// Its name, for `--pass NAME=on|off` and `--before-after NAME`.
    pub name: &'static str,
    /// What it does, in one sentence.
    pub summary: &'static str,
    /// The level from which on it runs.
    pub level: Level,
    run: fn(&mut Graph),
}

/// How much is optimized, as `-O` says it. A level has the passes of those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What every plan needs, and cannot be turned off: each step of a plan is needed.
    Needed,
    /// What costs next to nothing and never makes a build wait for more.
    Cheap,
    /// All that is known to be right.
    #[default]
    Full,
}

/// All passes, in the order in which they run.
pub const PIPELINE: &[Pass] = &[
    Pass { name: "dedup", summary: "shares equal operations across stages", level: Level::Cheap, run: dedup::run },
    // After `dedup`, which looks at inputs before what uses them by going through the nodes in the order of the file.
    Pass {
        name: "detach",
        summary: "lets linked copies begin before the tree that they go on is there",
        level: Level::Full,
        run: detach::run,
    },
    // After all that may leave operations that nothing uses any more. Every step of a plan is needed.
    Pass { name: "prune", summary: "drops what the target does not need", level: Level::Needed, run: prune::run },
];

impl Pass {
    /// Whether the plan is not one without it.
    #[must_use]
    pub fn is_mandatory(&self) -> bool {
        self.level == Level::Needed
    }

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

/// The pass that someone probably meant who wrote a name that no pass has.
#[must_use]
pub fn near(name: &str) -> Option<&'static str> {
    nearest(name, PIPELINE.iter().map(|pass| pass.name))
}
