//! What is expected of a build in words: a column beside the plan's text, and lines for the pictures.

use std::fmt::Write;

use super::forecast::{Expected, Forecast, Outlook, spoken};
use super::{Plan, Step};

/// How wide the column is, in characters.
const WIDTH: usize = 28;

/// What stands between the column and the text.
const RULE: &str = "│ ";

impl Plan {
    /// As text, with what is expected of each step in a column on the left: what stands right of it is the plan's text,
    /// line by line. What is expected of the whole follows.
    #[must_use]
    pub fn to_forecast(&self, forecast: &Forecast) -> String {
        let text = self.to_string();
        let mut out = String::with_capacity(text.len() * 2);
        let mut steps = self.steps.iter();
        let mut column = Vec::new();
        for line in text.lines() {
            // Only a step begins a line so.
            if line.starts_with('%') {
                column = steps.next().map_or_else(Vec::new, |step| cells(step, forecast));
            }
            let cell = if column.is_empty() { String::new() } else { column.remove(0) };
            let _ = writeln!(out, "{cell:<WIDTH$}{RULE}{line}");
        }
        let _ = writeln!(out, "\nthe next build: {}", forecast.summary(self));
        out
    }
}

/// The cells beside a step, the first line of it first.
fn cells(step: &Step, forecast: &Forecast) -> Vec<String> {
    let expected = forecast.of(step.id);
    if expected.outlook == Outlook::Given {
        return Vec::new();
    }
    let time = expected.time().map_or_else(String::new, spoken);
    // By the number, reasons and `explain` call it.
    vec![format!("{:<9}{:<6}{time:>11}", expected.outlook.name(), step.id.to_string()), expected.reason.clone()]
}

impl Expected {
    /// Whether the step will be done and how long that takes, for pictures; nothing where there is nothing to do.
    pub(super) fn outcome(&self) -> Option<String> {
        match (self.outlook, self.time()) {
            (Outlook::Given, _) => None,
            (outlook, None) => Some(outlook.name().to_owned()),
            (outlook, Some(time)) => Some(format!("{} {}", outlook.name(), spoken(time))),
        }
    }
}
