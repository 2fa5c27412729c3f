//! The plan for Graphviz: stages are clusters, and what is only read is a dashed line.

use std::fmt::Write;

use super::Plan;
use super::diagram::{Role, cut, inputs, kind, label};
use super::layout::Layout;

impl Plan {
    /// As a graph in the DOT language (<https://graphviz.org/doc/info/lang.html>).
    #[must_use]
    pub fn to_dot(&self) -> String {
        let layout = Layout::of(self);
        let mut out = String::from(
            "digraph plan {\n  rankdir=LR;\n  node [shape=box, style=rounded, fontname=\"sans-serif\"];\n",
        );
        for (number, (lane, steps)) in layout.lanes.iter().zip(layout.by_lane(self)).enumerate() {
            let _ = writeln!(out, "  subgraph cluster_{number} {{\n    label={};", quoted(lane.name));
            for step in steps {
                let result = if step.id == self.result { ", penwidth=2" } else { "" };
                let text = format!("{} {}\n{}", step.id, kind(step), cut(&label(step), 60));
                let _ = writeln!(out, "    s{} [label={}{result}];", step.id.0, quoted(&text));
            }
            out.push_str("  }\n");
        }
        for step in &self.steps {
            for (input, role) in inputs(step) {
                let style = if role == Role::Read { " [style=dashed]" } else { "" };
                let _ = writeln!(out, "  s{} -> s{}{style};", input.0, step.id.0);
            }
        }
        out.push_str("}\n");
        out
    }
}

/// A string of the language: a backslash is an escape only before certain letters, so each is written twice.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}
