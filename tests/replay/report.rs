//! [`Report`]: the figures of all projects, as a table in Markdown.

use std::fmt;

use crate::replay::Replay;

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
            total.default = total.default + replay.default;
            total.chain += replay.chain;
            total.predictions.extend(&replay.predictions);
            total.differences.extend(replay.differences.iter().cloned());
        }
        total
    }
}

/// A heading, and what stands below it for a project.
type Column = (&'static str, fn(&Replay) -> String);

const COLUMNS: [Column; 12] = [
    ("project", |replay| replay.name.to_owned()),
    ("commits", |replay| replay.commits.to_string()),
    ("steps: chain", |replay| replay.chain.to_string()),
    ("`-O0`", |replay| replay.needed.steps.to_string()),
    ("default", |replay| replay.default.steps.to_string()),
    ("seconds: `-O0`", |replay| format!("{:.1}", replay.needed.time.as_secs_f64())),
    ("default", |replay| format!("{:.1}", replay.default.time.as_secs_f64())),
    ("ratio", |replay| format!("{:.2}", replay.default.time.as_secs_f64() / replay.needed.time.as_secs_f64())),
    ("predicted", |replay| replay.predictions.count().to_string()),
    ("right", |replay| replay.predictions.right.to_string()),
    ("unknown: done", |replay| replay.predictions.unknown_done.to_string()),
    ("found", |replay| replay.predictions.unknown_found.to_string()),
];

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.total();
        let columns = COLUMNS.map(|(head, cell)| {
            let mut cells = vec![head.to_owned()];
            cells.extend(self.0.iter().chain([&total]).map(cell));
            let width = cells.iter().map(String::len).max().unwrap_or_default();
            // Names stand to the left, numbers to the right.
            let (rule, is_name) = (format!("{}:", "-".repeat(width - 1)), head == COLUMNS[0].0);
            cells.insert(1, if is_name { rule.replace(':', "-") } else { rule });
            let padded = |cell| if is_name { format!("{cell:<width$}") } else { format!("{cell:>width$}") };
            cells.into_iter().map(padded).collect::<Vec<_>>()
        });
        (0..columns[0].len()).try_for_each(|row| {
            let cells = columns.each_ref().map(|cells| cells[row].as_str());
            writeln!(f, "| {} |", cells.join(" | "))
        })
    }
}
