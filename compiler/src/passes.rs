//! The optimizer: a list of passes, each in a file of its own that says why it may and why it should.
//!
//! The graph is verified after each. A pass that has run changes nothing when it runs again.

mod dedup;
mod detach;
mod merge;
mod project;
mod prune;

use crate::graph::Graph;
use crate::lower::lower;
use crate::program::Program;
use crate::suggest::nearest;
use crate::verify::{Broken, Maker, sound};

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
    /// All of which nobody sees anything in the image.
    #[default]
    Unseen,
    /// What is seen in the image too, though its files are the same.
    Seen,
}

/// All passes, in the order in which they run.
pub const PIPELINE: &[Pass] = &[
    Pass { name: "dedup", summary: "shares equal operations across stages", level: Level::Unseen, run: dedup::run },
    // After `dedup`, which looks at inputs before what uses them by going through the nodes in the order of the file.
    Pass {
        name: "detach",
        summary: "makes copies independent of the tree that they go on",
        level: Level::Unseen,
        run: detach::run,
    },
    // After all that may leave operations that nothing uses any more. Every step of a plan is needed.
    Pass { name: "prune", summary: "drops what the target does not need", level: Level::Needed, run: prune::run },
    // After `prune`: what is not needed reads nothing.
    Pass {
        name: "project",
        summary: "narrows git repositories to the paths that are read",
        level: Level::Unseen,
        run: project::run,
    },
    // Of the steps that are left, whatever made them so.
    Pass {
        name: "merge",
        summary: "puts neighbouring copies and folders into one layer",
        level: Level::Seen,
        run: merge::run,
    },
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

    /// Runs it, and holds what it made to all invariants.
    fn run_verified(&self, mut graph: Graph) -> Result<Graph, Broken> {
        self.run(&mut graph);
        sound(graph, Maker::Pass(self.name))
    }
}

/// The graph of a program after the passes of which `wants` says so by name, and those that every plan needs.
///
/// # Errors
/// If a graph is malformed, which is a bug.
pub fn optimize(program: &Program, wants: &dyn Fn(&str) -> bool) -> Result<Graph, Broken> {
    let lowered = sound(lower(program), Maker::Lowering)?;
    chosen(PIPELINE, wants).try_fold(lowered, |graph, pass| pass.run_verified(graph))
}

/// The graph before a pass and after it. Of those before it, the ones of which `wants` says so have run.
///
/// # Errors
/// If a graph is malformed, which is a bug.
pub fn before_and_after(
    program: &Program,
    pass: &Pass,
    wants: &dyn Fn(&str) -> bool,
) -> Result<(Graph, Graph), Broken> {
    let lowered = sound(lower(program), Maker::Lowering)?;
    let earlier = PIPELINE.split(|other| other.name == pass.name).next().unwrap_or_default();
    let before = chosen(earlier, wants).try_fold(lowered, |graph, pass| pass.run_verified(graph))?;
    let after = pass.run_verified(before.clone())?;
    Ok((before, after))
}

fn chosen<'p>(passes: &'p [Pass], wants: &dyn Fn(&str) -> bool) -> impl Iterator<Item = &'p Pass> {
    passes.iter().filter(move |pass| pass.is_mandatory() || wants(pass.name))
}

/// Whether a pass runs where nobody says anything.
#[must_use]
pub fn is_default(name: &str) -> bool {
    by_name(name).is_some_and(|pass| pass.level <= Level::default())
}

/// The name of a pass that may have been meant.
#[must_use]
pub fn near(name: &str) -> Option<&'static str> {
    nearest(name, PIPELINE.iter().map(|pass| pass.name))
}

/// The pass of a name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Pass> {
    PIPELINE.iter().find(|pass| pass.name == name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;
    use crate::platform::Platform;
    use crate::{Bases, Outcome, Request, compile, parse};

    fn program(text: &str) -> Program {
        let request = Request::new(Platform::new("linux", "amd64", ""));
        match compile(&parse(text), &request, &Bases::new()).unwrap() {
            Outcome::Compiled(compilation) => compilation.program,
            Outcome::NeedsBases(_) => panic!("there are no bases"),
        }
    }

    #[test]
    fn a_pass_that_breaks_the_graph_is_named() {
        let drops_the_result = Pass {
            name: "eager",
            summary: "drops too much",
            level: Level::Unseen,
            run: |graph| drop(graph.nodes.remove_node(graph.result)),
        };
        let program = program("FROM scratch\nWORKDIR /a\n");
        let broken = before_and_after(&program, &drops_the_result, &|_| true).unwrap_err();
        assert_eq!(broken.maker, Maker::Pass("eager"));
        assert!(broken.to_string().contains("the pass `eager` has made a malformed graph"), "{broken}");
        assert!(broken.to_string().contains("%0 = scratch"), "{broken}");
    }

    #[test]
    fn each_pass_starts_from_what_those_before_it_have_left() {
        let program = program(
            "FROM scratch AS a\nWORKDIR /x\nFROM scratch AS b\nWORKDIR /x\nFROM scratch\nCOPY --from=a /x /\nCOPY --from=b /x /\n",
        );
        let [dedup, detach, prune] = ["dedup", "detach", "prune"].map(|name| by_name(name).unwrap());
        let (lowered, deduped) = before_and_after(&program, dedup, &|_| true).unwrap();
        assert_eq!(lowered.to_string(), lower(&program).to_string());
        let (before, detached) = before_and_after(&program, detach, &|_| true).unwrap();
        assert_eq!(before.to_string(), deduped.to_string());
        let (before, after) = before_and_after(&program, prune, &|_| true).unwrap();
        assert_eq!(before.to_string(), detached.to_string());
        assert_eq!(after.to_string(), optimize(&program, &is_default).unwrap().to_string());
        let (before, _) = before_and_after(&program, prune, &|_| false).unwrap();
        assert_eq!(before.to_string(), lowered.to_string());
    }

    #[test]
    fn names_that_are_nearly_right_are_known() {
        assert_eq!([near("dedupe"), near("purne"), near("inline")], [Some("dedup"), Some("prune"), None]);
    }
}
