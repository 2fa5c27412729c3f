//! The plan for Graphviz: stages are clusters, and what is only read is a dashed line.

use std::collections::HashSet;
use std::fmt::Write;

use super::diagram::{Role, cut, inputs, kind, label};
use super::layout::Layout;
use super::{Forecast, Outlook, Plan};

impl Plan {
    /// As a graph in the DOT language (<https://graphviz.org/doc/info/lang.html>).
    #[must_use]
    pub fn to_dot(&self, forecast: Option<&Forecast>) -> String {
        let layout = Layout::of(self, forecast);
        let mut out = String::from(
            "digraph plan {\n  rankdir=LR;\n  node [shape=box, style=rounded, fontname=\"sans-serif\"];\n",
        );
        for (number, (lane, steps)) in layout.lanes.iter().zip(layout.by_lane(self)).enumerate() {
            let _ = writeln!(out, "  subgraph cluster_{number} {{\n    label={};", quoted(lane.name));
            for step in steps {
                let result = if step.id == self.result { ", penwidth=2" } else { "" };
                let mut text = format!("{} {}\n{}", step.id, kind(step), cut(&label(step), 60));
                let mut state = String::new();
                if let Some(expected) = forecast.map(|forecast| forecast.of(step.id)) {
                    expected.outcome().into_iter().for_each(|outcome| text = format!("{text}\n{outcome}"));
                    let _ = write!(state, ", class={}", expected.outlook.name());
                    let _ = colour(expected.outlook).map(|colour| write!(state, ", color=\"{colour}\""));
                }
                let _ = writeln!(out, "    s{} [label={}{result}{state}];", step.id.0, quoted(&text));
            }
            out.push_str("  }\n");
        }
        // Without a forecast it is a graph of what waits for what, and nothing else.
        let critical = if forecast.is_some() { layout.critical_edges() } else { HashSet::new() };
        for step in &self.steps {
            for (input, role) in inputs(step) {
                let read = (role == Role::Read).then_some("style=dashed");
                let critical = critical.contains(&(input, step.id)).then_some(CRITICAL);
                let style: Vec<&str> = read.into_iter().chain(critical).collect();
                let style = if style.is_empty() { String::new() } else { format!(" [{}]", style.join(", ")) };
                let _ = writeln!(out, "  s{} -> s{}{style};", input.0, step.id.0);
            }
        }
        out.push_str("}\n");
        out
    }
}

/// How an edge of the critical path looks.
const CRITICAL: &str = "color=\"#d9480f\", penwidth=2";

/// The colour of a step's frame.
fn colour(outlook: Outlook) -> Option<&'static str> {
    match outlook {
        Outlook::Given => None,
        Outlook::Hit => Some("#2f9e44"),
        Outlook::Miss => Some("#e03131"),
        Outlook::Unknown => Some("#868e96"),
    }
}

/// A string of the language: a backslash is an escape only before certain letters, so each is written twice.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}
