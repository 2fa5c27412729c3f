//! The plan for Mermaid, which hosts of repositories draw inside Markdown: stages are subgraphs.

use std::fmt::Write;

use super::Plan;
use super::diagram::{Role, cut, inputs, kind, label};
use super::layout::Layout;

impl Plan {
    /// As a flowchart (<https://mermaid.js.org/syntax/flowchart.html>).
    #[must_use]
    pub fn to_mermaid(&self) -> String {
        let layout = Layout::of(self);
        let mut out = String::from("flowchart LR\n");
        for (number, (lane, steps)) in layout.lanes.iter().zip(layout.by_lane(self)).enumerate() {
            let _ = writeln!(out, "  subgraph stage{number} [{}]", quoted(lane.name));
            for step in steps {
                let text = format!("{} {}", kind(step), cut(&label(step), 60));
                let (open, close) = if step.inputs.is_empty() { ("([", "])") } else { ("[", "]") };
                let _ = writeln!(out, "    s{}{open}{}{close}", step.id.0, quoted(&text));
            }
            out.push_str("  end\n");
        }
        for step in &self.steps {
            for (input, role) in inputs(step) {
                let arrow = if role == Role::Read { "-.->" } else { "-->" };
                let _ = writeln!(out, "  s{} {arrow} s{}", input.0, step.id.0);
            }
        }
        let _ = writeln!(out, "  style s{} stroke-width:3px", self.result.0);
        out
    }
}

/// A text in quotes. Mermaid has entities for what would end it or be taken for Markdown or HTML.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '#' | '<' | '>' | '&' | '`' | '\\' | ';' => {
                let _ = write!(out, "#{};", u32::from(character));
            }
            other => out.push(other),
        }
    }
    out.push('"');
    out
}
