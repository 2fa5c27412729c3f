//! The plan for Mermaid, which hosts of repositories draw inside Markdown: stages are subgraphs.

use std::fmt::Write;

use super::diagram::{Role, cut, inputs, kind, label};
use super::layout::Layout;
use super::{Forecast, Plan};

impl Plan {
    /// As a flowchart (<https://mermaid.js.org/syntax/flowchart.html>).
    #[must_use]
    pub fn to_mermaid(&self, forecast: Option<&Forecast>) -> String {
        let layout = Layout::of(self, forecast);
        let mut out = String::from("flowchart LR\n");
        for (number, (lane, steps)) in layout.lanes.iter().zip(layout.by_lane(self)).enumerate() {
            let _ = writeln!(out, "  subgraph stage{number} [{}]", quoted(lane.name));
            for step in steps {
                let mut text = format!("{} {}", kind(step), cut(&label(step), 60));
                let mut class = String::new();
                if let Some(expected) = forecast.map(|forecast| forecast.of(step.id)) {
                    expected.outcome().into_iter().for_each(|outcome| text = format!("{text} · {outcome}"));
                    class = format!(":::{}", expected.outlook.name());
                }
                let (open, close) = if step.inputs.is_empty() { ("([", "])") } else { ("[", "]") };
                let _ = writeln!(out, "    s{}{open}{}{close}{class}", step.id.0, quoted(&text));
            }
            out.push_str("  end\n");
        }
        let (critical, mut edges, mut hot) = (layout.critical_edges(), 0_usize, Vec::new());
        for step in &self.steps {
            for (input, role) in inputs(step) {
                if critical.contains(&(input, step.id)) {
                    hot.push(edges.to_string());
                }
                edges += 1;
                let arrow = if role == Role::Read { "-.->" } else { "-->" };
                let _ = writeln!(out, "  s{} {arrow} s{}", input.0, step.id.0);
            }
        }
        let _ = writeln!(out, "  style s{} stroke-width:3px", self.result.0);
        if forecast.is_some() {
            out.push_str(CLASSES);
            if !hot.is_empty() {
                let _ = writeln!(out, "  linkStyle {} stroke:#d9480f,stroke-width:2px", hot.join(","));
            }
        }
        out
    }
}

/// How what is expected of a step looks.
const CLASSES: &str = "  classDef given stroke-dasharray:2\n  classDef hit stroke:#2f9e44\n  classDef miss stroke:#e03131\n  classDef unknown stroke:#868e96,stroke-dasharray:5\n";

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
