//! [`Report`]: the figures of all projects, as a table in Markdown.

use std::fmt;

use crate::prediction::Predictions;
use crate::replay::{Cost, Replay};

/// What came of all projects.
pub(crate) struct Report<'a>(pub(crate) &'a [Replay]);

impl Report<'_> {
    /// Images that differ, in words.
    pub(crate) fn differences(&self) -> Vec<&str> {
        self.0.iter().flat_map(|replay| &replay.differences).map(String::as_str).collect()
    }

    /// Predictions that did not come true, in words.
    pub(crate) fn wrong_predictions(&self) -> Vec<&str> {
        self.0.iter().flat_map(|replay| &replay.predictions.wrong).map(String::as_str).collect()
    }

    /// How many predictions there were.
    pub(crate) fn predictions(&self) -> usize {
        self.0.iter().map(|replay| replay.predictions.count()).sum()
    }

    fn total(&self) -> Replay {
        let mut total = Replay::new("together");
        for replay in self.0 {
            total.commits += replay.commits;
            total.needed = total.needed + replay.needed;
            total.all = total.all + replay.all;
            total.chain += replay.chain;
            total.predictions.extend(&replay.predictions);
            total.differences.extend(replay.differences.iter().cloned());
        }
        total
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| project | commits | steps: chain | `-O0` | `-O2` | seconds: `-O0` | `-O2` | ratio | predicted | right | \
             unknown: done | found |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
        )?;
        self.0.iter().chain([&self.total()]).try_for_each(|replay| row(f, replay))
    }
}

fn row(f: &mut fmt::Formatter<'_>, replay: &Replay) -> fmt::Result {
    let Replay { name, commits, needed, all, chain, predictions, .. } = replay;
    let Predictions { right, unknown_done, unknown_found, .. } = predictions;
    let seconds = |cost: &Cost| cost.time.as_secs_f64();
    writeln!(
        f,
        "| {name} | {commits} | {chain} | {} | {} | {:.1} | {:.1} | {:.2} | {} | {right} | {unknown_done} | {unknown_found} |",
        needed.steps,
        all.steps,
        seconds(needed),
        seconds(all),
        seconds(all) / seconds(needed),
        predictions.count(),
    )
}
