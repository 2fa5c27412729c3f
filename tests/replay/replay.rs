//! Replays the history of one project.

use std::ops::Add;
use std::time::Duration;

use crate::Extent;
use crate::builder::{Builder, Level, Rebuild};
use crate::chain::Chain;
use crate::difference::{difference, entries};
use crate::history::{Commit, History};
use crate::prediction::Predictions;
use crate::project::Project;

/// Where time is short, so many commits are built at once.
const AT_ONCE: usize = 3;

/// What came of a project.
#[derive(Default)]
pub(crate) struct Replay {
    pub(crate) name: &'static str,
    /// How many commits were built after the one that begins it.
    pub(crate) commits: usize,
    /// What the rebuilds needed together, without the optimizer and with it.
    pub(crate) needed: Cost,
    pub(crate) default: Cost,
    /// How many steps a cache of recipes would have run.
    pub(crate) chain: usize,
    pub(crate) predictions: Predictions,
    /// Images that differ, in words.
    pub(crate) differences: Vec<String>,
}

/// What rebuilds have needed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    pub(crate) steps: usize,
    pub(crate) time: Duration,
}

/// Replays it; `None` where the machine cannot build.
pub(crate) fn replay(project: &Project, extent: Extent) -> Option<Replay> {
    let history = History::read(project.history);
    let at_once = match extent {
        Extent::Short => AT_ONCE,
        Extent::Whole => 1,
    };
    let commits: Vec<&Commit> = history.commits.iter().step_by(at_once).collect();
    let mut builders = [Builder::new(Level::Needed, extent)?, Builder::new(Level::Default, extent)?];
    let mut chain = Chain::default();
    let mut replay = Replay::new(project.name);
    replay.commits = commits.len() - 1;
    for (number, commit) in commits.iter().enumerate() {
        builders.iter_mut().for_each(|builder| builder.check_out(&commit.tree));
        for arguments in project.builds {
            let what = format!("{}, {}", [&[project.name], *arguments].concat().join(" "), commit.message);
            let mut build = |place: usize| replay.predictions.rebuild(&builders[place], arguments, &what);
            // What the machine does by and by, such as getting warm, is not always to the same one's good.
            let (needed, default) = if number % 2 == 0 {
                let needed = build(0);
                (needed, build(1))
            } else {
                let default = build(1);
                (build(0), default)
            };
            if needed.digest != default.digest {
                replay.differences.push(format!("{what}: {}", difference(&builders[0], &builders[1], arguments)));
            }
            let run = chain.run(&builders[0].predict(arguments));
            if number > 0 {
                replay.needed = replay.needed + Cost::from(&needed);
                replay.default = replay.default + Cost::from(&default);
                replay.chain += run;
            }
        }
    }
    replay.differences.extend(from_nothing(project, extent, commits.last()?, &builders[1])?);
    Some(replay)
}

/// Builds the last commit in stores that know none of those before it, with all passes as well: what differs, in words.
fn from_nothing(project: &Project, extent: Extent, last: &Commit, rebuilt: &Builder) -> Option<Vec<String>> {
    let mut fresh = Builder::new(Level::Default, extent)?;
    let mut all = Builder::new(Level::All, extent)?;
    let mut differences = Vec::new();
    fresh.check_out(&last.tree);
    all.check_out(&last.tree);
    for arguments in project.builds {
        let what = [&[project.name], *arguments].concat().join(" ");
        if fresh.build(arguments).digest != rebuilt.build(arguments).digest {
            differences.push(format!("{what}, from nothing: {}", difference(&fresh, rebuilt, arguments)));
        }
        let told = entries("all passes", &all.files(arguments).0, &rebuilt.files(arguments).0);
        differences.extend(told.into_iter().map(|told| format!("{what}, {told}")));
    }
    Some(differences)
}

impl Replay {
    /// One of which nothing has come yet.
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, ..Self::default() }
    }
}

impl Predictions {
    /// Predicts a build, builds, and adds how right that was.
    fn rebuild(&mut self, builder: &Builder, arguments: &[&str], what: &str) -> Rebuild {
        let plan = builder.predict(arguments);
        let rebuild = builder.build(arguments);
        self.add(what, &plan, &rebuild.done);
        rebuild
    }
}

impl Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { steps: self.steps + other.steps, time: self.time + other.time }
    }
}

impl From<&Rebuild> for Cost {
    fn from(rebuild: &Rebuild) -> Self {
        Self { steps: rebuild.done.len(), time: rebuild.took }
    }
}
