//! The plan as a picture: stages as lanes, steps as boxes, time from left to right.

use std::collections::HashSet;
use std::fmt::Write;

use super::diagram::{Role, cut, escaped, inputs, kind, label};
use super::layout::{Layout, Place};
use super::{Forecast, Plan, StepId, text};

/// Pixels of a box, of what lies between boxes, and of what lies around them.
const BOX: (usize, usize) = (188, 44);
const GAP: (usize, usize) = (44, 16);
const LANE_TITLE: usize = 26;
const LANE_END: usize = 10;
const MARGIN: usize = 16;

/// How many characters fit into a box.
const FITS: usize = 27;

impl Plan {
    /// As a picture on its own.
    #[must_use]
    pub fn to_svg(&self, forecast: Option<&Forecast>) -> String {
        let layout = Layout::of(self, forecast);
        let (width, height) = (left(layout.columns) + MARGIN - GAP.0, bottom(&layout));
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
             role=\"img\" aria-label=\"plan of {}\">\n",
            escaped(&self.target)
        );
        let _ = writeln!(out, "<style>{STYLE}{}</style>", forecast.map_or("", |_| OUTLOOK_STYLE));
        for (number, lane) in layout.lanes.iter().enumerate() {
            let y = lane_top(&layout, number);
            let height = LANE_TITLE + lane.rows * (BOX.1 + GAP.1) + LANE_END - GAP.1;
            let _ = writeln!(
                out,
                "<g class=\"lane\"><rect x=\"{0}\" y=\"{y}\" width=\"{1}\" height=\"{height}\" rx=\"10\"/>\
                 <text x=\"{2}\" y=\"{3}\">{4}</text></g>",
                MARGIN / 2,
                width - MARGIN,
                MARGIN + 4,
                y + 17,
                escaped(lane.name)
            );
        }
        self.draw_edges(&layout, &mut out);
        self.draw_steps(&layout, forecast, &mut out);
        out.push_str("</svg>\n");
        out
    }

    fn draw_edges(&self, layout: &Layout<'_>, out: &mut String) {
        let critical = layout.critical_edges();
        for step in &self.steps {
            let to = corner(layout, layout.place(step.id));
            for (input, role) in inputs(step) {
                let from = corner(layout, layout.place(input));
                let (x1, y1) = (from.0 + BOX.0, from.1 + BOX.1 / 2);
                let (x2, y2) = (to.0, to.1 + BOX.1 / 2);
                // Long ways leave and arrive level, so that the eye can follow them.
                let bend = (x2.saturating_sub(x1) / 2).clamp(GAP.0 / 2, 3 * GAP.0);
                let role = if role == Role::Read { " read" } else { "" };
                let critical = if critical.contains(&(input, step.id)) { " critical" } else { "" };
                let _ = writeln!(
                    out,
                    "<path class=\"edge{role}{critical}\" data-from=\"{}\" data-to=\"{}\" \
                     d=\"M{x1} {y1}C{} {y1} {} {y2} {x2} {y2}\"/>",
                    input.0,
                    step.id.0,
                    x1 + bend,
                    x2.saturating_sub(bend)
                );
            }
        }
    }

    fn draw_steps(&self, layout: &Layout<'_>, forecast: Option<&Forecast>, out: &mut String) {
        let is_critical: HashSet<StepId> = layout.critical.iter().copied().collect();
        for (step, text) in self.steps.iter().zip(text::steps(&self.steps)) {
            let (x, y) = corner(layout, layout.place(step.id));
            let critical = if is_critical.contains(&step.id) { " critical" } else { "" };
            let result = if step.id == self.result { " result" } else { "" };
            let (mut title, mut class, mut mark) = (text.to_string(), String::new(), String::new());
            let mut note = if step.origin.line == 0 { String::new() } else { format!(" · line {}", step.origin.line) };
            let expected = forecast.map(|forecast| forecast.of(step.id));
            if let Some((expected, outcome)) = expected.and_then(|expected| Some((expected, expected.outcome()?))) {
                let reason = if expected.reason.is_empty() { "" } else { ": " };
                let _ = writeln!(title, "\n{outcome}{reason}{}", expected.reason);
                class = format!(" {}", expected.outlook.name());
                mark =
                    format!("<rect class=\"mark\" x=\"{x}\" y=\"{y}\" width=\"5\" height=\"{}\" rx=\"2.5\"/>", BOX.1);
                // There is no room for the line as well.
                note = format!(" · {outcome}");
            }
            let _ = writeln!(
                out,
                "<g class=\"step {kind}{critical}{result}{class}\" data-step=\"{0}\" tabindex=\"0\"><title>{1}</title>\
                 <rect x=\"{x}\" y=\"{y}\" width=\"{2}\" height=\"{3}\" rx=\"7\"/>{mark}\
                 <text class=\"name\" x=\"{4}\" y=\"{5}\">{6}</text>\
                 <text class=\"note\" x=\"{4}\" y=\"{7}\">{8} {kind}{note}</text></g>",
                step.id.0,
                escaped(title.trim_end()),
                BOX.0,
                BOX.1,
                x + 10,
                y + 19,
                escaped(&cut(&label(step), FITS)),
                y + 34,
                step.id,
                kind = kind(step),
            );
        }
    }
}

fn left(column: usize) -> usize {
    MARGIN + 4 + column * (BOX.0 + GAP.0)
}

fn lane_top(layout: &Layout<'_>, lane: usize) -> usize {
    MARGIN / 2 + layout.lanes[lane].row * (BOX.1 + GAP.1) + lane * (LANE_TITLE + LANE_END)
}

fn bottom(layout: &Layout<'_>) -> usize {
    MARGIN / 2 + layout.rows * (BOX.1 + GAP.1) + layout.lanes.len() * (LANE_TITLE + LANE_END)
}

/// The upper left corner of a box.
fn corner(layout: &Layout<'_>, place: Place) -> (usize, usize) {
    let lane = layout.lanes.partition_point(|lane| lane.row <= place.row) - 1;
    let in_lane = place.row - layout.lanes[lane].row;
    (left(place.column), lane_top(layout, lane) + LANE_TITLE + in_lane * (BOX.1 + GAP.1))
}

/// How what is expected of a step looks: a bar at its left side.
const OUTLOOK_STYLE: &str = "\
.step .mark{stroke:none}.step.hit .mark{fill:#2f9e44}.step.miss .mark{fill:#e03131}\
.step.unknown .mark{fill:#868e96}.step.hit text{opacity:.7}";

/// How it looks, by day and by night.
const STYLE: &str = "\
svg{--paper:#fff;--lane:#f5f5f2;--ink:#1f2328;--soft:#6a737d;--line:#b5bcc4;--hot:#d9480f;--run:#e7f5ff;--copy:#ebfbee;\
--source:#fff9db;--folder:#f8f0fc;background:var(--paper);font-family:system-ui,sans-serif}\
@media(prefers-color-scheme:dark){svg{--paper:#16191d;--lane:#1e2227;--ink:#e6e8eb;--soft:#98a1ab;--line:#4a525b;\
--hot:#ff922b;--run:#12304a;--copy:#173323;--source:#3b3414;--folder:#33203f}}\
.lane rect{fill:var(--lane)}.lane text{fill:var(--soft);font-size:12px;font-weight:600}\
.step rect{fill:var(--folder);stroke:var(--line)}.step.run rect{fill:var(--run)}.step.copy rect{fill:var(--copy)}\
.step.image rect,.step.context rect,.step.http rect,.step.git rect,.step.inline rect,.step.scratch rect{fill:var(--source)}\
.step.critical rect{stroke:var(--hot)}.step.result rect{stroke-width:2.5}\
.step .name{fill:var(--ink);font-size:12px}.step .note{fill:var(--soft);font-size:10px}\
.edge{fill:none;stroke:var(--line);stroke-width:1.4}.edge.read{stroke-dasharray:4 3}.edge.critical{stroke:var(--hot)}";
