//! Replays the histories of projects: builds after each commit without and with the optimizer, holds the images to each other,
//! and every prediction to what then happened. `docs/replay.md` says what the figures mean.
//!
//! `LAYERCAKE_REPLAY=all` replays every commit, at its full cost, one project after another.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(clippy::print_stderr, reason = "the figures are what one wants to see of this test")]

#[path = "../support/support.rs"]
mod support;

mod builder;
mod chain;
mod difference;
mod history;
mod prediction;
mod project;
mod replay;
mod report;

use std::thread;

use history::History;
use project::{PROJECTS, Project};
use replay::Replay;
use report::Report;

/// How much of each history is replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Some commits at once, in which steps cost next to nothing: what holds, holds for these as well.
    Short,
    /// All commits, in which steps cost what they cost in life, as far as one to another goes.
    Whole,
}

/// Of all predictions, at most one in this many may be wrong.
const ONE_WRONG_IN: usize = 100;

#[test]
fn images_and_predictions_are_right_in_every_commit() {
    let extent = match std::env::var("LAYERCAKE_REPLAY").as_deref() {
        Err(_) => Extent::Short,
        Ok("all") => Extent::Whole,
        Ok(other) => panic!("`LAYERCAKE_REPLAY` is `all` or nothing, not `{other}`"),
    };
    let replays: Option<Vec<Replay>> = match extent {
        // Nothing else may run while times are taken.
        Extent::Whole => PROJECTS.iter().map(|project| replay::replay(project, extent)).collect(),
        Extent::Short => thread::scope(|scope| {
            let threads: Vec<_> =
                PROJECTS.iter().map(|project| scope.spawn(move || replay::replay(project, extent))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        }),
    };
    let Some(replays) = replays else { return };
    let report = Report(&replays);
    eprintln!("{report}");
    let differences = report.differences();
    assert!(differences.is_empty(), "images differ:\n{}", differences.join("\n"));
    let wrong = report.wrong_predictions();
    let list = wrong.join("\n");
    if !wrong.is_empty() {
        eprintln!("{} predictions were wrong:\n{list}", wrong.len());
    }
    assert!(wrong.len() * ONE_WRONG_IN <= report.predictions(), "too many predictions were wrong:\n{list}");
}

#[test]
fn histories_are_lifelike() {
    for Project { name, history, .. } in PROJECTS {
        let commits = History::read(history).commits;
        assert_eq!(commits.len(), 1 + project::COMMITS, "{name}");
        assert!(commits.windows(2).all(|pair| pair[0].tree != pair[1].tree), "{name}: a commit changes nothing");
    }
}
